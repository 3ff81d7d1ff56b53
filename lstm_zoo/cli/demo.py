"""Demonstrations: a model trained live, beside honest baselines.

Each returns a `Report` and writes the trained model and its figures into a folder. The command
`lstm-zoo demo` prints them.
"""

import pathlib
from dataclasses import dataclass, field

import keras
import numpy as np
from sklearn.linear_model import RidgeCV

from lstm_zoo import builders, checks, inspection, plots, presets, tasks, training
from lstm_zoo.files import replacing
from lstm_zoo.presets.card import OURS, recorded
from lstm_zoo.presets.figures import estimates
from lstm_zoo.presets.train import run

ALIASES = {"classification": "speakers", "regression": "fat", "forecast": "electricity"}
TIMESTEPS = 100


@dataclass
class Report:
    """What a demonstration found: scores by model, one a training, and the files it wrote.

    `ours` names the row of `scores` that the demonstration is about; `earlier` are rows that were
    not trained now but come from the recorded run of the preset.
    """

    title: str
    data: str
    metric: str
    ours: str = OURS
    higher_is_better: bool = False
    scores: dict[str, list[float]] = field(default_factory=dict)
    earlier: tuple[str, ...] = ()
    files: list[pathlib.Path] = field(default_factory=list)
    then: str = ""

    def beaten_by(self):
        """The rows whose mean score is better than ours, best first."""
        sign = -1 if self.higher_is_better else 1
        means = {name: sign * np.mean(values) for name, values in self.scores.items()}
        better = [name for name in means if means[name] < means[self.ours]]
        return sorted(better, key=means.get)


def memory(out="out", watch=None):
    """What only a memory can do: the sum of two marked numbers in a hundred, an LSTM beside an RNN.

    Args:
        out: folder for `adding.keras` and two figures.
        watch: called as `watch(label, epochs)` before each training; returns a Keras callback.

    Returns:
        A `Report` of mean squared errors on 1000 new sequences.
    """
    x, y = tasks.adding(4000, TIMESTEPS, seed=0)
    x_test, y_test = tasks.adding(1000, TIMESTEPS, seed=1)
    report = Report(
        title=f"What only a memory can do: {TIMESTEPS} numbers, two of them marked; give their sum",
        data="Generated (Hochreiter & Schmidhuber 1997): x (4000, 100, 2), test (1000, 100, 2)",
        metric="test mean squared error",
        then="notebook 07 tells why",
    )

    def error(estimate):
        return float(np.mean((np.reshape(estimate, (-1, 1)) - y_test) ** 2))

    ridge = RidgeCV(np.logspace(-3, 6, 10)).fit(x.reshape(len(x), -1), y[:, 0])
    report.scores["always 1, the mean"] = [error(np.ones(len(y_test)))]
    report.scores["linear model (ridge)"] = [error(ridge.predict(x_test.reshape(1000, -1)))]
    epochs = 25
    for label, cell in (("SimpleRNN", "simple_rnn"), (OURS, "lstm")):
        keras.utils.set_random_seed(0)
        model = builders.build_regressor(
            (TIMESTEPS, 2),
            lstm_units=32,
            dense_units=(),
            cell=cell,
            normalise=None,
            scale_targets=False,
            learning_rate=1e-2,
        )
        history = training.fit(
            model,
            x,
            y,
            epochs=epochs,
            batch_size=50,
            seed=0,
            callbacks=[watch(label, epochs)] if watch else [],
            verbose=0,
        )
        report.scores[label] = [error(model.predict(x_test, verbose=0))]
    look = inspection.trace(model, x_test[:1])
    _keep(
        report,
        out,
        "adding",
        model,
        gates=plots.plot_trace(look),
        sums=estimates(y_test[:, 0], model.predict(x_test, verbose=0)[:, 0], "sum"),
        learning_curve=plots.plot_history(history),
    )
    return report


def preset(name, seeds=1, out="out", watch=None):
    """A preset trained from its recipe.

    Args:
        name: one of `lstm_zoo.list_presets()`.
        seeds: how many trainings to average over.
        out, watch: as in `memory`; writes NAME.keras and two figures.

    Returns:
        A `Report` of the preset's scores.

    Raises:
        ValueError: an unknown name, or `seeds` is not a positive whole number.
    """
    seeds = checks.count("seeds", seeds)
    recipe = presets.read_recipe(name)
    task = presets.task_of(recipe)
    report = Report(
        title=recipe.title,
        data=f"{task.data!r}: {task.data.source}" if task.data else "Generated",
        metric=task.metric,
        higher_is_better=task.higher_is_better,
        then=f"`lstm-zoo card {name}` says what the model is and what it cannot do",
    )
    report.scores |= {label: [score] for label, score in task.baselines().items()}
    for label, scores in recorded(name)["scores"].items():
        if label != OURS:
            report.scores[label] = scores
            report.earlier += (label,)
    report.scores[OURS] = []
    epochs = recipe.training["epochs"]
    for seed in range(seeds):
        label = f"{name}, {seed + 1} of {seeds}" if seeds > 1 else name
        callbacks = [watch(label, epochs)] if watch else []
        model, history = run(task, seed, callbacks=callbacks)
        report.scores[OURS].append(task.score(model))
    curve = plots.plot_history(history)
    picture = task.draw(model)
    pictures = {} if picture is None else {"test": picture}
    _keep(report, out, name, model, **pictures, learning_curve=curve)
    return report


def _keep(report, out, name, model, **figures):
    """Write the model and the figures, and note where."""
    out = pathlib.Path(out)
    report.files.append(training.save(model, out / f"{name}.keras"))
    for title, axes in figures.items():
        path = out / f"{name}_{title}.png"
        with replacing(path) as temporary:
            np.ravel(axes)[0].figure.savefig(temporary, dpi=150)
        report.files.append(path)
