"""The base class of all tasks: data, model, scores, baselines, predictions and a figure."""

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
        metric: the name of the first of `scores`, with its unit.
        target: the name of the model's numeric output, with its unit.
        higher_is_better: whether a higher score is better.
        data: the `Dataset`, if there is one.
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
        """Load further data for `training_part`, `build` and `scores`."""

    @abc.abstractmethod
    def training_part(self) -> tuple[np.ndarray, np.ndarray]:
        """The training data x and y."""

    @abc.abstractmethod
    def build(self, cell: str | None = None) -> keras.Model:
        """Build the untrained, uncompiled model; `cell` replaces the recipe's cell."""

    def score(self, model: keras.Model) -> float:
        """The first of `scores`, which the table of the card shows."""
        return next(iter(self.scores(model).values()))

    @abc.abstractmethod
    def scores(self, model: keras.Model) -> dict[str, float]:
        """Scores on the test part; the main score comes first."""

    @abc.abstractmethod
    def baselines(self) -> dict[str, float]:
        """The main score of models simpler than any neural network, by name."""

    @abc.abstractmethod
    def answer(self, model: keras.Model, path: str | pathlib.Path) -> Iterator[dict]:
        """Predict for a user's file, which is read line by line in bounded memory.

        Args:
            model: a model from `load_preset(name)`.
            path: the file; its form depends on the task. `lstm_zoo.presets.reading` reads common
                forms.

        Returns:
            An iterator of rows, each a dict from column to value, with the same columns in each.
            The file is opened when the first row is requested.

        Raises:
            ValueError: if a line is invalid; the message names it and says what is expected.
            FileNotFoundError: if the file does not exist.
        """

    def example(self) -> str:
        """A whole file that `answer` reads: here the first sample of the test part, as CSV."""
        data: Any = self.data
        length = None if data.lengths_test is None else data.lengths_test[0]
        return as_csv(data.feature_names, data.x_test[0][:length])

    def draw(self, model: keras.Model, ax=None):
        """Draw the model's results on the test part; returns the Axes, or None without a plot."""
        return

    def compile(self, model: keras.Model, learning_rate=1e-3):
        """Compile the model for `fit` and `evaluate`."""
        model.compile(keras.optimizers.Adam(learning_rate), loss=self.loss, metrics=self.metrics)

    def arguments(self, cell=None):
        """The recipe's arguments for its builder."""
        return self.recipe.model | ({"cell": cell} if cell else {})


def flat(x):
    """The same numbers with one row per sample."""
    return x.reshape(len(x), -1)


def as_csv(names, steps):
    """Steps as a user's file has them: the names of the columns, then a row for each step."""
    rows = (",".join(f"{value:.7g}" for value in row) for row in steps)
    return "\n".join([",".join(names), *rows]) + "\n"
