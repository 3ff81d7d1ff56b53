"""What every task has: data, a model, scores, baselines, answers and a figure."""

import abc
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from lstm_zoo import datasets
from lstm_zoo.recipes import Recipe

RIDGE = np.logspace(-6, 3, 28)


class Task(abc.ABC):
    """A recipe with its data loaded.

    Attributes:
        metric: what the first of `scores` is, with its unit.
        target: what the model gives, with its unit, where it is numbers.
        higher_is_better: whether a higher score is better.
        data: the `Dataset`, where there is one.
    """

    metric: str
    target: str
    higher_is_better = False
    loss: Any
    metrics: list = []
    data: datasets.Dataset | None = None

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        if "name" in recipe.data:
            self.data = datasets.load(recipe.data["name"])
        self.prepare()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.recipe.name!r})"

    @classmethod
    def network(cls, recipe: Recipe) -> str:
        """The name of the recipe's model in the card's table."""
        return "LSTM"

    def prepare(self):  # noqa: B027  (the data set is enough for some)
        """Read what `training_part`, `build` and `scores` use."""

    @abc.abstractmethod
    def training_part(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y that the model is fitted to."""

    @abc.abstractmethod
    def build(self, cell: str | None = None) -> keras.Model:
        """The model, untrained and not compiled; `cell` in place of the recipe's."""

    def score(self, model: keras.Model) -> float:
        """The first of `scores`, which stands in the card's table."""
        return next(iter(self.scores(model).values()))

    @abc.abstractmethod
    def scores(self, model: keras.Model) -> dict[str, float]:
        """Scores on the test part, the one that counts first."""

    @abc.abstractmethod
    def baselines(self) -> dict[str, float]:
        """The first score of models that are simpler than any network, by name."""

    @abc.abstractmethod
    def answer(self, model: keras.Model, path: str | pathlib.Path) -> Iterator[dict]:
        """Rows of answers for a user's file, which is read line by line in bounded memory.

        Args:
            model: by `load_preset(name)`.
            path: of the file; its form depends on the task, and `lstm_zoo.presets.reading` reads
                the usual ones.

        Returns:
            An iterator of rows, each a dict of column and value, the same columns in each. Nothing
            is read before the first row is asked for.

        Raises:
            ValueError: naming the line, what stands there and what is wanted.
            FileNotFoundError: there is no such file.
        """

    def example(self) -> str:
        """A whole file that `answer` reads: here the first sample of the test part, as CSV."""
        data: Any = self.data
        length = None if data.lengths_test is None else data.lengths_test[0]
        return as_csv(data.feature_names, data.x_test[0][:length])

    def draw(self, model: keras.Model, ax=None):
        """The matplotlib Axes with what the model does on the test part; None if no picture of the
        task is drawn."""
        return

    def compile(self, model: keras.Model, learning_rate=1e-3):
        """Make the model ready for `fit` and `evaluate`."""
        model.compile(keras.optimizers.Adam(learning_rate), loss=self.loss, metrics=self.metrics)

    def arguments(self, cell=None):
        """The recipe's arguments for its builder."""
        return self.recipe.model | ({"cell": cell} if cell else {})


def flat(x):
    """The same numbers, a row a sample."""
    return x.reshape(len(x), -1)


def as_csv(names, steps):
    """Steps as a user's file has them: the names of the columns, then a row for each step."""
    rows = (",".join(f"{value:.7g}" for value in row) for row in steps)
    return "\n".join([",".join(names), *rows]) + "\n"
