"""The command lstm-zoo. TensorFlow is imported where a command needs it, and not before."""

import csv
import os
import sys
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lstm_zoo.silence import quiet

app = typer.Typer(
    help="LSTM Zoo: LSTMs built from their equations, trained on real data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False)
Name = Annotated[str, typer.Argument(help="A preset; `lstm-zoo list` has them all.")]
Out = Annotated[str, typer.Option(help="Folder for the model and the figures.")]


def _version(wanted: bool):
    if wanted:
        import lstm_zoo

        console.print(f"lstm-zoo {lstm_zoo.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")
    ] = False,
):
    pass


@app.command("list")
def list_(pattern: Annotated[str, typer.Argument(help="Of names or tasks: '*forecast*'.")] = "*"):
    """List the trained models that come with the package."""
    _start()
    from lstm_zoo import presets
    from lstm_zoo.presets.card import OURS, recorded

    table = Table(box=None)
    for column in ("name", "task", "what it does", "score"):
        table.add_column(column)
    for name in presets.list_presets(pattern):
        recipe, found = presets.read_recipe(name), recorded(name)
        score = f"{np.mean(found['scores'][OURS]):.3g} {found['metric']}"
        table.add_row(name, recipe.task, recipe.title, score)
    console.print(table)


@app.command()
def card(name: Name):
    """Show what a preset is, what it was trained on and how good it is."""
    _start()
    from lstm_zoo import presets

    console.print(Markdown(_or_usage_error(presets.preset_card, name)))


@app.command()
def demo(
    name: Annotated[
        str | None, typer.Argument(help="A preset to train; two acts if none is named.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings to average over.")] = 1,
    out: Out = "out",
):
    """Train before your eyes, beside honest baselines."""
    _start()
    from lstm_zoo.cli import demo as demos

    if name is not None:
        name = demos.ALIASES.get(name, name)
        _or_usage_error(_recipe, name)
    _writable(out)
    if name is None:
        _watched(demos.memory, out=out)
        name = "mnist1d"
    _watched(demos.preset, name, seeds=seeds, out=out)


@app.command()
def train(
    name: Name,
    seed: Annotated[int, typer.Option(min=0, help="Of the weights and the order.")] = 0,
    cell: Annotated[str | None, typer.Option(help="In place of the recipe's: gru, ...")] = None,
    out: Out = "out",
    checkpoints: Annotated[
        str | None, typer.Option(help="Folder to go on from after an interruption.")
    ] = None,
    workers: Annotated[
        str | None, typer.Option(help="host:port,host:port of every process that takes part.")
    ] = None,
    index: Annotated[int | None, typer.Option(help="Which of them this one is, from 0.")] = None,
):
    """Train a preset again from its recipe, write the model and compare it with the card."""
    _start(compute=workers is None)
    from lstm_zoo import presets, training
    from lstm_zoo.presets.card import OURS, recorded

    recipe = _or_usage_error(presets.read_recipe, name)
    _writable(out)
    strategy = _or_usage_error(_strategy, workers, index)
    with _progress() as progress:
        watch = _Watch(progress)(name, recipe.training["epochs"])
        model = _or_usage_error(
            presets.train_preset,
            name,
            seed=seed,
            cell=cell,
            callbacks=watch,
            checkpoint_dir=checkpoints,
            strategy=strategy,
            verbose=0,
        )
    if index:
        console.print("trained; process 0 writes the model")
        return
    console.print(f"wrote {training.save(model, f'{out}/{name}.keras')}", soft_wrap=True)
    for label, score in presets.evaluate_preset(name, model).items():
        console.print(f"{label}: {score:.4g}")
    scores = recorded(name)["scores"][OURS]
    console.print(f"the card's trainings: {min(scores):.4g} to {max(scores):.4g}")


@app.command()
def evaluate(name: Name):
    """Score a preset on the test part of its data."""
    _start()
    from lstm_zoo import presets

    for label, score in _or_usage_error(presets.evaluate_preset, name).items():
        console.print(f"{label}: {score:.4g}")


@app.command()
def predict(
    name: Name,
    file: Annotated[str, typer.Argument(help="CSV: a step a row, a feature a column.")],
):
    """Write a preset's answers for your own file to standard output, as CSV."""
    _start()
    from lstm_zoo import presets

    recipe = _or_usage_error(presets.read_recipe, name)
    answers = presets.task_of(recipe).answer(presets.load_preset(name), file)
    writer = None
    try:
        for row in answers:
            if writer is None:
                writer = csv.DictWriter(sys.stdout, row)
                writer.writeheader()
            writer.writerow(row)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None


# Written out, so that the help needs no TensorFlow; a test compares it with the formats.
FORMATS = "Formats: saved_model (a folder), onnx (.onnx), litert (.tflite), c (.h)"


@app.command(epilog=FORMATS)
def export(
    model: Annotated[str, typer.Argument(help="A model's file, .keras.")],
    path: Annotated[str, typer.Argument(help="What to write; its ending says the format.")],
    format: Annotated[str | None, typer.Option(help="If the ending does not say it.")] = None,
    streaming: Annotated[bool, typer.Option(help="One step and its states at a time.")] = False,
):
    """Write a model to a file that runs without LSTM Zoo."""
    _start()
    from lstm_zoo import training
    from lstm_zoo.exporting import export

    try:
        written = export(training.load(model), path, format, streaming=streaming)
    except (ValueError, FileNotFoundError) as problem:
        console.print(str(problem), soft_wrap=True, markup=False)
        raise typer.Exit(1) from None
    console.print(f"wrote {written}", soft_wrap=True)


@app.command()
def doctor():
    """Say what LSTM Zoo sees: versions, devices, engines, data; and what is wrong."""
    _start()
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


def _start(compute=True):
    """Import TensorFlow and let it find its devices, which it does at the first operation.

    A process of several must not compute before it knows the others.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with console.status("Starting TensorFlow"), quiet():
        import matplotlib

        matplotlib.use("Agg")
        import keras

        import lstm_zoo.builders  # noqa: F401

        if compute:
            keras.ops.ones(1) + keras.ops.ones(1)


def _strategy(workers, index):
    """That of one process of several, which waits for the others; None for one alone."""
    if workers is None and index is None:
        return None
    if workers is None:
        raise ValueError("--index needs --workers, the addresses of all processes")
    from lstm_zoo.training import distribute

    with console.status("Waiting for the other processes"), quiet():
        return distribute.workers(workers, index)


def _recipe(name):
    from lstm_zoo import presets

    return presets.read_recipe(name)


def _or_usage_error(function, *arguments, **options):
    """What the function returns; a wrong argument ends the command with its one sentence."""
    try:
        return function(*arguments, **options)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _writable(folder):
    """Whether files can be written there is known before anything is trained, or made for it."""
    import pathlib
    import tempfile

    def is_there(path):
        try:
            path.lstat()
        except FileNotFoundError:
            return False
        return True

    wanted = pathlib.Path(folder).absolute()
    try:
        there = next(path for path in (wanted, *wanted.parents) if is_there(path))
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"0" * 2**20)
    except OSError as error:
        raise typer.BadParameter(f"--out {folder} cannot be written to: {error.strerror}") from None


def _watched(demonstrate, *arguments, **options):
    with _progress() as progress:
        report = demonstrate(*arguments, watch=_Watch(progress), **options)
    _show(report)


def _show(report):
    console.print(f"\n[bold]{report.title}[/]\n{report.data}\n")
    table = Table(title=report.metric, title_justify="left")
    table.add_column("model")
    table.add_column("mean", justify="right")
    table.add_column("each training")
    for name, scores in report.scores.items():
        style = "bold" if name == report.ours else None
        each = "  ".join(f"{score:.3f}" for score in scores) if len(scores) > 1 else ""
        label = f"{name} (recorded earlier)" if name in report.earlier else name
        table.add_row(label, f"{np.mean(scores):.3f}", each, style=style)
    console.print(table)
    better = report.beaten_by()
    if better:
        console.print(
            f"Better than the {report.ours} here: {', '.join(better)}. Where something simpler is "
            "enough, take it: an LSTM pays where order and long memory decide and data is plenty."
        )
    else:
        console.print(f"The {report.ours} is the best of these.")
    for file in report.files:
        console.print(f"wrote {file}", soft_wrap=True)
    console.print(f"Next: {report.then}.\n", soft_wrap=True)


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
