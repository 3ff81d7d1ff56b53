"""The command lstm-zoo."""

import importlib.metadata
import os
import platform
from enum import Enum
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

app = typer.Typer(
    help="LSTM Zoo: LSTMs built from their equations, trained on real data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False)


class Task(str, Enum):
    classification = "classification"
    regression = "regression"
    forecast = "forecast"


@app.command()
def demo(
    task: Annotated[Task, typer.Argument(help="What to demonstrate.")] = Task.classification,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings to average over.")] = 3,
    out: Annotated[str, typer.Option(help="Folder for the model and the figures.")] = "out",
):
    """Train on real data and report how well it does beside honest baselines."""
    with console.status("Starting TensorFlow"):
        import matplotlib

        matplotlib.use("Agg")
        from lstm_zoo import demos
    with _progress() as progress:
        report = getattr(demos, task.value)(seeds=seeds, out=out, watch=_Watch(progress))
    _show(report)


@app.command()
def doctor():
    """Say what LSTM Zoo sees: versions, devices, XLA, data; and what is wrong."""
    with console.status("Starting TensorFlow"):
        import keras
        import tensorflow as tf

        import lstm_zoo
        from lstm_zoo import datasets, recurrence
    table = Table(show_header=False, box=None)
    problems = []
    table.add_row("lstm_zoo", f"{lstm_zoo.__version__}, from {os.path.dirname(lstm_zoo.__file__)}")
    table.add_row("Python", f"{platform.python_version()} on {platform.platform()}")
    for package in ("tensorflow", "keras", "numpy", "matplotlib", "jupyterlab", "ipywidgets"):
        table.add_row(package, _version(package))
    table.add_row("Keras backend", keras.backend.backend())
    if keras.backend.backend() != "tensorflow":
        problems.append(
            f"Keras runs on {keras.backend.backend()}: cells, layers and builders work, but fit() "
            "needs TensorFlow; set KERAS_BACKEND=tensorflow"
        )
    devices = [d.device_type for d in tf.config.list_physical_devices()]
    table.add_row("devices", ", ".join(devices) + f"; {os.cpu_count()} cores")
    table.add_row("dtype policy", keras.config.dtype_policy().name)
    try:
        compiled = tf.function(lambda x: x + 1.0, jit_compile=True)
        table.add_row("XLA", "works" if float(compiled(1.0)) == 2.0 else "gives wrong results")
    except Exception as error:
        table.add_row("XLA", "does not work")
        problems.append(f"XLA cannot compile here: {error}")
    reason = recurrence.why_not_fast(lstm_zoo.LSTM(1))
    table.add_row("fast recurrence", "serves LSTM layers" if reason is None else f"off: {reason}")
    for name in datasets.names():
        try:
            table.add_row(f"data: {name}", repr(datasets.load(name)))
        except (OSError, ValueError) as error:
            table.add_row(f"data: {name}", "not usable")
            problems.append(str(error))
    console.print(table)
    for problem in problems:
        console.print(f"[bold]Wrong:[/] {problem}", soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    console.print("Nothing is wrong.")


def _show(report):
    console.print(f"\n[bold]{report.title}[/]\n{report.data}\n")
    table = Table(title=report.metric, title_justify="left")
    table.add_column("model")
    table.add_column("mean", justify="right")
    table.add_column("each seed")
    for name, scores in report.scores.items():
        style = "bold" if name == report.ours else None
        each = "  ".join(f"{score:.3f}" for score in scores) if len(scores) > 1 else ""
        table.add_row(name, f"{np.mean(scores):.3f}", each, style=style)
    console.print(table)
    better = report.beaten_by()
    if better:
        console.print(f"The {report.ours} loses to: {', '.join(better)}.")
    else:
        console.print(f"The {report.ours} is the best of these.")
    if report.confusion is not None:
        console.print(_confusion_table(report.confusion))
    for file in report.files:
        console.print(f"wrote {file}", soft_wrap=True)


def _confusion_table(counts):
    table = Table(title="\ntrue class (row) taken for (column), last seed", title_justify="left")
    table.add_column("")
    for number in range(len(counts)):
        table.add_column(str(number + 1), justify="right")
    for number, row in enumerate(counts):
        cells = [
            f"[bold]{n}[/]" if column == number else (str(n) if n else "·")
            for column, n in enumerate(row)
        ]
        table.add_row(str(number + 1), *cells)
    return table


def _progress():
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs  {task.fields[loss]}"),
        TimeRemainingColumn(),
        console=console,
    )


class _Watch:
    """Shows a bar for each training: called with its label and epochs, gives a Keras callback."""

    def __init__(self, progress):
        self.progress = progress

    def __call__(self, label, epochs):
        import keras

        bar = self.progress.add_task(label, total=epochs, loss="")

        def advance(epoch, logs):
            self.progress.update(bar, completed=epoch + 1, loss=f"loss {logs['loss']:.4f}")

        return keras.callbacks.LambdaCallback(on_epoch_end=advance)


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    app()
