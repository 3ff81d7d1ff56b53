"""Commands that train: demo and train, with a bar for each training."""

import pathlib
import tempfile
from typing import Annotated

import numpy as np
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lstm_zoo.cli.terminal import (
    Decimal,
    Empty,
    Sep,
    Time,
    TimeFormat,
    Timezone,
    console,
    or_usage_error,
    start,
)
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
    name: Annotated[
        str | None, typer.Argument(help="A preset; `lstm-zoo list` has them all.")
    ] = None,
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
    data: Annotated[str | None, typer.Option(help="Your CSV file, in place of a preset.")] = None,
    target: Annotated[str | None, typer.Option(help="Column to forecast.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast.")] = None,
    past: Annotated[str, typer.Option(help="Further columns to forecast from: a,b")] = "",
    season: Annotated[
        int | None, typer.Option(help="Steps of a season; else by the times.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column with the class of each series.")] = None,
    id: Annotated[
        str | None, typer.Option(help="Column that says which series a row is of.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="At most, with --label.")] = 200,
    sep: Sep = None,
    decimal: Decimal = None,
    time: Time = None,
    time_format: TimeFormat = None,
    timezone: Timezone = None,
    empty: Empty = None,
):
    """Train a preset again from its recipe, or a model on your own CSV file.

    A preset is compared with its card. With --data FILE, the first line of the file names the
    columns, and OUT/FILE.keras is written.

    --target COLUMN --horizon 24 forecasts the column: a time a row; with --id, several series.

    --label COLUMN tells the class of a series: with --id, the rows of one id are a series and the
    other columns its features; without, each row is a series and the other columns its steps.
    """
    if (name is None) == (data is None):
        raise typer.BadParameter("give a preset's name, or --data FILE")
    reading = {
        "sep": sep,
        "decimal": decimal,
        "time": time,
        "time_format": time_format,
        "timezone": timezone,
        "empty": empty or "refuse",
    }
    if data is None:
        given = [target, horizon, label, id, season, past, *list(reading.values())[:-1], empty]
        if any(given):
            raise typer.BadParameter("the options of a file need --data FILE")
        _train_preset(name, seed, cell, out, checkpoints, workers, index)
        return
    if (target is None) == (label is None):
        raise typer.BadParameter("--data needs --target COLUMN --horizon STEPS, or --label COLUMN")
    if (target is None) != (horizon is None):
        raise typer.BadParameter("--horizon goes with --target, and --target with --horizon")
    path = pathlib.Path(out) / f"{pathlib.Path(data).stem}.keras"
    checkpoints = checkpoints or str(path.with_suffix(".checkpoints"))
    _writable(out)
    start()
    from lstm_zoo.cli import own_data

    def say(*lines):
        console.print(*lines, sep="\n", markup=False, soft_wrap=True)

    try:
        if label is None:
            model, kind, score = own_data.train_forecaster(
                *(data, reading, say),
                target=target,
                horizon=horizon,
                past=[column for column in past.split(",") if column],
                id=id,
                season=season,
                seed=seed,
                verbose=int(console.is_terminal),
            )
        else:
            with _progress() as progress:
                model, kind, score = own_data.train_classifier(
                    *(data, reading, say),
                    label=label,
                    id=id,
                    seed=seed,
                    epochs=epochs,
                    checkpoints=checkpoints,
                    callbacks=[_Bars(progress)(label, epochs)],
                )
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    except KeyboardInterrupt:
        _interrupted(checkpoints)
    written, columns = own_data.write(model, kind, path)
    own_data.forget(path.with_suffix(".checkpoints"))
    say(score, f"wrote {written}, and {columns}, which names its columns")
    say(f"Next: lstm-zoo predict {written} {data}")


def _interrupted(checkpoints):
    """End the command after Ctrl-C: say what was kept, and how to go on."""
    if pathlib.Path(checkpoints).is_dir():
        kept = f"{checkpoints} holds the epochs that ended; the same command goes on from there"
    else:
        kept = "nothing was kept; the same command starts again"
    console.print(f"\nInterrupted: {kept}.", soft_wrap=True, markup=False)
    raise typer.Exit(130)


def _train_preset(name, seed, cell, out, checkpoints, workers, index):
    """Train a preset again, write the model and compare it with the card."""
    start(compute=workers is None)
    from lstm_zoo import presets, training
    from lstm_zoo.cli import own_data
    from lstm_zoo.presets.card import OURS, recorded

    recipe = or_usage_error(presets.read_recipe, name)
    _writable(out)
    strategy = or_usage_error(_strategy, workers, index)
    own = f"{out}/{name}-{cell or 'lstm'}-{seed}.checkpoints"
    checkpoints = checkpoints or (own if workers is None else None)
    with _progress() as progress:
        bar = _Bars(progress)(name, recipe.training["epochs"])
        try:
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
        except KeyboardInterrupt:
            progress.stop()
            _interrupted(checkpoints or "")
    if index:
        console.print("trained; process 0 writes the model")
        return
    console.print(f"wrote {training.save(model, f'{out}/{name}.keras')}", soft_wrap=True)
    own_data.forget(own)
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
