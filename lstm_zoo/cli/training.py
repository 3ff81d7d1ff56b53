"""Commands that train: demo and train, with a bar for each training."""

import pathlib
import tempfile
from typing import Annotated

import numpy as np
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lstm_zoo.cli.terminal import Name, console, or_usage_error, start
from lstm_zoo.silence import quiet

Out = Annotated[str, typer.Option(help="Folder for the model and the figures.")]


def demo(
    name: Annotated[
        str | None, typer.Argument(help="A preset to train; two acts if none is named.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings to average over.")] = 1,
    out: Out = "out",
):
    """Train live, beside honest baselines."""
    start()
    from lstm_zoo.cli import demo as demos

    if name is not None:
        name = demos.ALIASES.get(name, name)
        or_usage_error(_recipe, name)
    _writable(out)
    if name is None:
        _demonstrated(demos.memory, out=out)
        name = "mnist1d"
    _demonstrated(demos.preset, name, seeds=seeds, out=out)


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
    start(compute=workers is None)
    from lstm_zoo import presets, training
    from lstm_zoo.presets.card import OURS, recorded

    recipe = or_usage_error(presets.read_recipe, name)
    _writable(out)
    strategy = or_usage_error(_strategy, workers, index)
    with _progress() as progress:
        bar = _Bars(progress)(name, recipe.training["epochs"])
        model = or_usage_error(
            presets.train_preset,
            name,
            seed=seed,
            cell=cell,
            callbacks=bar,
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


def _writable(folder):
    """End the command if files can't be written to a folder, before anything is trained or made."""

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


def _demonstrated(demonstrate, *arguments, **options):
    with _progress() as progress:
        report = demonstrate(*arguments, watch=_Bars(progress), **options)
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


class _Bars:
    """Shows a bar for each training: called with its label and epochs, returns a Keras callback."""

    def __init__(self, progress):
        self.progress = progress

    def __call__(self, label, epochs):
        import keras

        bar = self.progress.add_task(label, total=epochs, loss="")

        def advance(epoch, logs):
            self.progress.update(bar, completed=epoch + 1, loss=f"loss {logs['loss']:.4f}")

        return keras.callbacks.LambdaCallback(on_epoch_end=advance)
