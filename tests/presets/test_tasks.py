"""A task is one file: once registered, everything that uses tasks supports it."""

import itertools
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import presets, recipes
from lstm_zoo.presets import tasks
from lstm_zoo.presets.tasks.registry import TASKS
from lstm_zoo.registry import import_all

FILE = '''
"""The sum of three numbers."""

import keras
import numpy as np

from lstm_zoo.presets import figures, reading
from lstm_zoo.presets.tasks import Task, register


@register("sums of three")
class Sums(Task):
    """It answers a CSV file, a number a row, three rows a sample."""

    metric = "mean absolute error"
    target = "sum"
    loss = "mean_absolute_error"

    def prepare(self):
        self.x = np.random.default_rng(0).random((self.recipe.data["samples"], 3, 1), "float32")

    def training_part(self):
        return self.x, self.x.sum(axis=1)

    def build(self, cell=None):
        inputs = keras.Input((3, 1))
        pooled = keras.layers.GlobalAveragePooling1D()(inputs)
        summed = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(pooled)
        return keras.Model(inputs, summed, name=self.recipe.name)

    def scores(self, model):
        error = model.predict(self.x, verbose=0) - self.x.sum(axis=1)
        return {"mae": float(np.mean(np.abs(error)))}

    def baselines(self):
        sums = self.x.sum(axis=1)
        return {"mean": float(np.mean(np.abs(sums - sums.mean())))}

    def answer(self, model, path):
        samples = reading.sequences(path, ("number",), 3)
        for number, [value] in reading.in_batches(model, samples):
            yield {"sample": number, self.target: float(value)}
'''
PICTURE = """
    def draw(self, model, ax=None):
        truth, estimate = self.x.sum(axis=1), model.predict(self.x, verbose=0)
        return figures.estimates(truth[:, 0], estimate[:, 0], self.target, ax)
"""
NUMBER = itertools.count()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a file into a folder where tasks are looked for, and reads what is new there."""
    before = dict(TASKS)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    modules = []

    def write(content):
        name = f"sums_{next(NUMBER)}"
        (tmp_path / f"{name}.py").write_text(content)
        modules.append(f"{tasks.__name__}.{name}")
        import_all(tasks.__name__)

    yield write
    for module in modules:
        sys.modules.pop(module, None)
    TASKS.clear()
    TASKS.update(before)


@pytest.fixture
def recipe():
    training = {"epochs": 60, "batch_size": 20, "learning_rate": 0.1}
    return presets.Recipe("three", "Sums", "sums of three", {"samples": 40}, {}, training)


def test_a_new_file_is_a_task_that_trains_scores_answers_and_draws(written, recipe, tmp_path):
    with pytest.raises(ValueError, match="task must be one of .* got 'sums of three'"):
        presets.task_of(recipe)
    written(FILE + PICTURE)
    task = presets.task_of(recipe)
    assert repr(task) == "Sums('three')"
    untrained = task.build()
    untrained.set_weights([np.ones((1, 1))])  # the mean: two thirds of the sum are missing
    expected = float(np.mean(task.x.sum(axis=1) * 2 / 3))
    assert task.score(untrained) == pytest.approx(expected, rel=1e-5)
    model = lz.train_preset(recipe, verbose=0)
    assert task.score(model) < expected / 4
    [(_, baseline)] = task.baselines().items()
    assert 0 < baseline < 1.5
    path = tmp_path / "numbers.csv"
    path.write_text("sample,number\na,1\na,2\na,3\nb,0.5\nb,0.5\nb,0.5\n")
    untrained.set_weights([np.full((1, 1), 3.0)])
    assert list(task.answer(untrained, path)) == [
        {"sample": 1, "sum": pytest.approx(6)},
        {"sample": 2, "sum": pytest.approx(1.5)},
    ]
    axes = task.draw(untrained)
    assert axes.get_xlabel() == "sum, true"
    plt.close(axes.figure)


def test_a_task_without_a_figure_draws_none(written, recipe):
    written(FILE)
    task = presets.task_of(recipe)
    assert task.draw(task.build()) is None


def test_a_name_belongs_to_one_task(written):
    written(FILE)
    with pytest.raises(
        ValueError, match="name must not be taken, got 'sums of three', the name of"
    ):
        tasks.register("sums of three")(type("Other", (tasks.Task,), {}))
    with pytest.raises(ValueError, match="must be a subclass of Task, got <class 'dict'>"):
        tasks.register("a dictionary")(dict)
    with pytest.raises(ValueError, match="name must be a string"):
        tasks.register(3)


def test_a_task_without_answer_cannot_be_built(written, recipe):
    written(FILE[: FILE.index("    def answer")])
    with pytest.raises(TypeError, match="answer"):
        presets.task_of(recipe)


def test_every_preset_with_a_picture_has_a_task_that_draws():
    for name in presets.list_presets():
        task_class = tasks.class_of(presets.read_recipe(name))
        pictured = (recipes.HOME / name / "figure.png").is_file()
        assert pictured == (task_class.draw is not tasks.Task.draw), name
