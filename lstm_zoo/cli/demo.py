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
from lstm_zoo.cli import posters
from lstm_zoo.files import replacing
from lstm_zoo.presets.train import run
from lstm_zoo.recipes import OURS, recorded

TIMESTEPS = 100
SHOWN = 3  # a test sequence whose two numbers, rounded to two digits, have a sum that is right


@dataclass
class Report:
    """What a demonstration found: scores by model, one a training, and the files it wrote.

    `ours` names the row of `scores` that the demonstration is about; `earlier` are rows that were
    not trained now but come from the recorded run of the preset. `picture` is the file to share.
    """

    title: str
    data: str
    metric: str
    ours: str = OURS
    higher_is_better: bool = False
    scores: dict[str, list[float]] = field(default_factory=dict)
    earlier: tuple[str, ...] = ()
    files: list[pathlib.Path] = field(default_factory=list)
    picture: pathlib.Path | None = None

    def ordered(self):
        """The rows by their mean score, best first."""
        sign = -1 if self.higher_is_better else 1
        return sorted(self.scores.items(), key=lambda row: sign * np.mean(row[1]))

    def beaten_by(self):
        """The rows whose mean score is better than ours, best first."""
        names = [name for name, _ in self.ordered()]
        return names[: names.index(self.ours)]


def memory(out="out", watch=None):
    """Train an LSTM and a simple RNN on a task that needs memory: adding two marked numbers.

    Args:
        out: folder for `adding.keras` and three figures.
        watch: called as `watch(label, epochs)` before each training; returns a Keras callback.

    Returns:
        A `Report` of mean squared errors on 1000 new sequences.
    """
    x, y = tasks.adding(4000, TIMESTEPS, seed=0)
    x_test, y_test = tasks.adding(1000, TIMESTEPS, seed=1)
    report = Report(
        title=f"A task that needs memory: add the two marked numbers among {TIMESTEPS}",
        data="4000 sequences to train on, 1000 to test; Hochreiter & Schmidhuber 1997",
        metric="test mean squared error",
    )

    def error(estimate):
        return float(np.mean((np.reshape(estimate, (-1, 1)) - y_test) ** 2))

    ridge = RidgeCV(np.logspace(-3, 6, 10)).fit(x.reshape(len(x), -1), y[:, 0])
    sums = {}
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
        sums[label] = model.predict(x_test, verbose=0)[:, 0]
        report.scores[label] = [error(sums[label])]
    look = inspection.trace(model, x_test[SHOWN : SHOWN + 1])
    _keep(
        report,
        out,
        "adding",
        model,
        gates=plots.plot_trace(look),
        learning_curve=plots.plot_history(history),
        memory=posters.memory(x_test[SHOWN], look, y_test[:, 0], sums),
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
        data=_origin(task.data),
        metric=task.metric,
        higher_is_better=task.higher_is_better,
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
    _keep(report, out, name, model, learning_curve=curve, **pictures)
    return report


def _origin(data):
    """The source of the data and the number of samples."""
    if data is None:
        return "Generated"
    kind = "steps" if data.x_train.ndim < 3 else "sequences"
    return f"{len(data.x_train)} {kind} to train on, {len(data.x_test)} to test; {data.source}"


def _keep(report, out, name, model, **figures):
    """Write the model and the figures, and note where; the last figure is the one to share."""
    out = pathlib.Path(out)
    report.files.append(training.save(model, out / f"{name}.keras"))
    for title, axes in figures.items():
        path = out / f"{name}_{title}.png"
        with replacing(path) as temporary:
            np.ravel(axes)[0].figure.savefig(temporary, dpi=150)
        report.files.append(path)
        report.picture = path
