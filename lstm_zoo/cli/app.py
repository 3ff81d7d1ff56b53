"""The command lstm-zoo."""

import os
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
        from lstm_zoo.cli import demo as demos
    with _progress() as progress:
        report = getattr(demos, task.value)(seeds=seeds, out=out, watch=_Watch(progress))
    _show(report)


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="A model's file, .keras.")],
    path: Annotated[str, typer.Argument(help="What to write: .onnx, .tflite, or a folder.")],
    format: Annotated[str | None, typer.Option(help="If the ending does not say it.")] = None,
    streaming: Annotated[bool, typer.Option(help="One step and its states at a time.")] = False,
):
    """Write a model to a file that runs without LSTM Zoo: SavedModel, ONNX, LiteRT."""
    with console.status("Starting TensorFlow"):
        import keras

        from lstm_zoo.exporting import export
    try:
        written = export(keras.models.load_model(model), path, format, streaming=streaming)
    except ValueError as problem:
        console.print(str(problem), soft_wrap=True, markup=False)
        raise typer.Exit(1) from None
    console.print(f"wrote {written}", soft_wrap=True)


@app.command()
def doctor():
    """Say what LSTM Zoo sees: versions, devices, engines, data; and what is wrong."""
    with console.status("Starting TensorFlow"):
        from lstm_zoo.cli import doctor
    table = Table(show_header=False, box=None)
    for name, found in doctor.findings():
        table.add_row(name, found)
    console.print(table)
    problems = doctor.problems()
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
