"""How good each kind of model is on real data, beside simple baselines, over several seeds.

    python benchmarks/real_data.py                       all data sets, the quick ones first
    python benchmarks/real_data.py motions fat           some
    python benchmarks/real_data.py --models LSTM LSTM-FCN
    python benchmarks/real_data.py --draw                only the tables and the figure

Every score is on the test part, after one training with the settings below. The settings are the
same for all models of a data set, and none was chosen on the test part. Each training adds a row to
results/DATE-real-data.csv when it ends. After an interruption the script continues in the newest
such file (`--new` starts another). At the end it writes the tables in docs/leaderboard.md and the
figure beside the rows.
"""

import argparse
import datetime
import os
import textwrap
import time
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import rows

from lstm_zoo.presets import Recipe, task_of
from lstm_zoo.presets.train import run

BOTH = "LSTM-FCN on differences too"
VOTES = {label: f"ensemble of five {label}" for label in ("LSTM-FCN", BOTH)}  # the mean probability


class Task(NamedTuple):
    """A data set and how every model of it is trained."""

    title: str
    task: str
    data: dict
    model: dict
    epochs: int
    batch_size: int
    seeds: int = 5
    marks: dict = {}  # published, or wanted


CLASSIFIER = {
    "lstm_units": [64],
    "dense_units": [],
    "dropout": 0.3,
    "pooling": "max",
    "normalise_summary": False,
}
TASKS = {
    "motions": Task(
        "BasicMotions, which of four movements",
        "classification",
        {"name": "basic_motions"},
        CLASSIFIER,
        60,
        8,
        marks={"InceptionTime, published": 1.0},
    ),
    "italy_power": Task(
        "ItalyPowerDemand, winter or summer",
        "classification",
        {"name": "italy_power_demand"},
        CLASSIFIER,
        60,
        8,
        marks={"InceptionTime, published": 0.968, "HIVE-COTE 2, published": 0.970},
    ),
    "speakers": Task(
        "Japanese Vowels, which of nine speakers",
        "classification",
        {"name": "japanese_vowels"},
        CLASSIFIER,
        40,
        16,
        marks={"InceptionTime, published": 0.9919},
    ),
    "electricity": Task(
        "electricity, half-hourly demand of the next day",
        "forecasting a day",
        {"name": "electricity", "season": 336, "input_steps": 672, "horizon": 48, "stride": 48},
        {"quantiles": [0.05, 0.5, 0.95], "lstm_units": [32], "dense_units": [], "dropout": 0.3},
        15,
        64,
    ),
    "fat": Task(
        "Tecator, fat in meat by its spectrum",
        "regression",
        {"name": "tecator"},
        {"lstm_units": [64], "dense_units": [16]},
        200,
        16,
    ),
    "digits": Task(
        "digits, read row by row", "classification", {"name": "digits"}, CLASSIFIER, 30, 32
    ),
    "sunspots": Task(
        "sunspots, monthly numbers of the next year",
        "forecasting",
        {"name": "sunspots", "season": 132, "input_steps": 264, "horizon": 12, "stride": 1},
        {"quantiles": [0.1, 0.5, 0.9], "lstm_units": [32], "dense_units": [], "dropout": 0.2},
        10,
        64,
        seeds=3,
    ),
    "mnist1d": Task(
        "MNIST-1D, ten digits wherever they stand",
        "classification",
        {"name": "mnist1d"},
        CLASSIFIER,
        15,
        64,
        seeds=3,
        marks={"GRU, published": 0.91, "CNN, published": 0.94},
    ),
}
MODELS = {  # what differs from a task's own settings; a SimpleRNN needs smaller steps
    "LSTM": {},
    "LSTM, two layers": {"layers": 2},
    "bidirectional LSTM": {"bidirectional": True},
    "bidirectional layer-normalised LSTM": {"bidirectional": True, "cell": "layer_norm"},
    "bidirectional GRU": {"bidirectional": True, "cell": "gru"},
    "bidirectional SimpleRNN": {"bidirectional": True, "cell": "simple_rnn"},
}
RATES = {"bidirectional SimpleRNN": 0.001, "LSTM-FCN": 0.001, BOTH: 0.001}  # 0.003 for all others
FCN = {"builder": "lstm_fcn", "lstm_units": [8], "filters": [64, 128, 64], "dropout": 0.8}


LABELS = [*MODELS, *VOTES]


class Vote:
    """The mean prediction of several models."""

    def __init__(self, models):
        self.models = models

    def predict(self, x, verbose=0):
        return np.mean([model.predict(x, verbose=verbose) for model in self.models], axis=0)

    def count_params(self):
        return sum(model.count_params() for model in self.models)


def task_with(name, model, label):
    """The task with a model's settings."""
    task = TASKS[name]
    training = {
        "epochs": task.epochs,
        "batch_size": task.batch_size,
        "learning_rate": RATES.get(label, 0.003),
    }
    return task_of(Recipe(name, task.title, task.task, task.data, model, training))


def models(name):
    """The label and the settings of each model of a task."""
    own = TASKS[name].model
    for label, changes in MODELS.items():
        changes = dict(changes)
        units = own["lstm_units"] * changes.pop("layers", 1)
        yield label, own | {"lstm_units": units} | changes
    if TASKS[name].task == "classification":
        yield "LSTM-FCN", FCN
        if name != "speakers":  # whose sequences differ in length
            yield BOTH, FCN | {"differences": True}


def measure(table, name, wanted):
    task = TASKS[name]
    simple = task_with(name, task.model, "LSTM")
    if not table.find(task=name, seed=""):
        for label, score in simple.baselines().items():
            table.add(row(simple, name, label, "", score, "", ""))
    for label, settings in models(name):
        if label not in wanted:
            continue
        trained = task_with(name, settings, label)
        missing = [s for s in range(task.seeds) if not table.find(task=name, model=label, seed=s)]
        voting = label in VOTES and task.seeds == 5
        voting = voting and not table.find(task=name, model=VOTES[label])
        kept, spent = [], 0.0
        for seed in range(task.seeds) if voting else missing:
            keras.backend.clear_session()
            start = time.process_time()
            model, _ = run(trained, seed)
            seconds = time.process_time() - start
            spent += seconds
            if seed in missing:
                table.add(row(trained, name, label, seed, trained.score(model), model, seconds))
            if voting:
                kept.append(model)
        if voting:
            vote = Vote(kept)
            table.add(row(trained, name, VOTES[label], "0 to 4", trained.score(vote), vote, spent))


def row(of, name, label, seed, score, model, seconds):
    return {
        "task": name,
        "model": label,
        "seed": seed,
        "metric": of.metric,
        "more_is_better": int(of.higher_is_better),
        "score": f"{score:.5g}",
        "parameters": model.count_params() if model else "",
        "cpu_seconds": f"{seconds:.1f}" if model else "",
        "date": datetime.date.today().isoformat(),
    }


# What came out


class Result(NamedTuple):
    """A model on a data set, over its seeds."""

    label: str
    scores: list
    parameters: str
    seconds: float


def results(table, name):
    """The results of a task, the best mean first."""
    found = {}
    for one in table.find(task=name):
        found.setdefault(one["model"], []).append(one)
    made = [
        Result(
            label,
            [float(one["score"]) for one in of],
            f"{int(of[0]['parameters']):,}" if of[0]["parameters"] else "",
            float(np.median([float(one["cpu_seconds"] or 0) for one in of])),
        )
        for label, of in found.items()
    ]
    sign = -1 if more_is_better(table, name) else 1
    return sorted(made, key=lambda result: sign * np.mean(result.scores))


def more_is_better(table, name):
    return table.find(task=name)[0]["more_is_better"] == "1"


def tables(table):
    """One table per data set, in Markdown."""
    lines = []
    for name in measured(table):
        task = TASKS[name]
        direction = "higher" if more_is_better(table, name) else "lower"
        metric = table.find(task=name)[0]["metric"]
        lines += [
            f"## {task.title[0].upper()}{task.title[1:]}",
            "",
            f"{metric[0].upper()}{metric[1:]}; {direction} is better. {task.epochs} epochs in "
            f"batches of {task.batch_size}.",
            "",
            "| model | mean | range | trainings | weights | CPU seconds |",
            "|---|---|---|---|---|---|",
        ]
        for label, scores, parameters, seconds in results(table, name):
            several = len(scores) > 1
            spread = f"{figure(min(scores))} to {figure(max(scores))}" if several else ""
            trainings = len(scores) if parameters else ""
            took = f"{seconds:.0f}" if parameters else ""
            lines.append(
                f"| {label} | {figure(np.mean(scores))} | {spread} | {trainings} | {parameters} "
                f"| {took} |"
            )
        if task.marks:
            marks = (f"{label} {figure(score)}" for label, score in task.marks.items())
            lines += ["", f"For comparison: {'; '.join(marks)}."]
        lines.append("")
    return "\n".join(lines)


def measured(table):
    return [name for name in TASKS if table.find(task=name)]


def figure(value):
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def draw(table):
    """Draw a panel per data set: a dot per training, a line for the mean, the baseline dashed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from lstm_zoo.plots.style import CYCLE

    names = measured(table)
    lines = -(-len(names) // 2)
    drawn, axes = plt.subplots(lines, 2, figsize=(13, 3.6 * lines), layout="constrained")
    for ax in axes.flat[len(names) :]:
        ax.remove()
    for ax, name in zip(axes.flat, names):
        found = results(table, name)[::-1]
        simple = [result for result in found if not result.parameters]
        shown = [result for result in found if result.parameters or result is simple[-1]]
        for at, result in enumerate(shown):
            mean = np.mean(result.scores)
            ax.plot([mean, mean], [at - 0.3, at + 0.3], color=CYCLE[0])
            if result.parameters:
                ax.plot(result.scores, [at] * len(result.scores), "o", color=CYCLE[1], markersize=4)
            else:
                ax.axvline(mean, color=CYCLE[2], linestyle="--")
        ax.set_yticks(range(len(shown)), [result.label for result in shown])
        metric = textwrap.fill(table.find(task=name)[0]["metric"], 30)
        ax.set_title(TASKS[name].title, x=1, ha="right")
        ax.set_xlabel(metric)
        ax.grid(axis="x", alpha=0.3)
    drawn.savefig(table.path.with_suffix(".png"), dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tasks", nargs="*", choices=[*TASKS, []], help="all if none is named")
    parser.add_argument("--new", action="store_true", help="start another file")
    parser.add_argument("--draw", action="store_true", help="write tables and figure only")
    parser.add_argument("--models", nargs="*", choices=LABELS, default=LABELS, metavar="MODEL")
    options = parser.parse_args()
    table = rows.Table(rows.newest("real-data", options.new))
    if not options.draw:
        for name in options.tasks or TASKS:
            measure(table, name, options.models)
    rows.write_tables("leaderboard.md", tables(table))
    draw(table)


if __name__ == "__main__":
    main()
