"""The command train: a preset again, or a model on a user's CSV file."""

import pathlib
from typing import Any

import typer

from lstm_zoo.cli.options import (
    Cell,
    Checkpoints,
    Data,
    Decimal,
    Empty,
    Epochs,
    Future,
    Horizon,
    Id,
    Index,
    KnownFuture,
    Label,
    MaybeName,
    Out,
    Past,
    Season,
    Seed,
    Sep,
    Static,
    Target,
    Time,
    TimeFormat,
    Timezone,
    Workers,
)
from lstm_zoo.cli.terminal import Bars, console, must_be_writable, or_usage_error, say, start
from lstm_zoo.silence import quiet


def train(
    name: MaybeName = None,
    data: Data = None,
    target: Target = None,
    horizon: Horizon = None,
    past: Past = "",
    known_future: KnownFuture = "",
    static: Static = "",
    future: Future = None,
    season: Season = None,
    label: Label = None,
    id: Id = None,
    epochs: Epochs = 200,
    sep: Sep = None,
    decimal: Decimal = None,
    time: Time = None,
    time_format: TimeFormat = None,
    timezone: Timezone = None,
    empty: Empty = None,
    cell: Cell = None,
    seed: Seed = 0,
    out: Out = "out",
    checkpoints: Checkpoints = None,
    workers: Workers = None,
    index: Index = None,
):
    """Train a model on your own CSV file, or train a preset again.

    Forecast a column of a file with one row for each time:

    lstm-zoo train --data sales.csv --target sales --horizon 28

    --id names the column that tells several series of a file apart.

    Classify series, where the rows of one --id are a series:

    lstm-zoo train --data walks.csv --label kind --id walk

    Without --id, each row is a series and the other columns are its steps.

    The first line of a file names the columns. OUT/FILE.keras is the model.

    Train a preset and compare its scores with the recorded ones:

    lstm-zoo train mnist1d
    """
    reading = {
        "sep": sep,
        "decimal": decimal,
        "time": time,
        "time_format": time_format,
        "timezone": timezone,
        "empty": empty,
    }
    covariates = {
        "past": _listed(past),
        "known_future": _listed(known_future),
        "static": _listed(static),
    }
    if (name is None) == (data is None):
        raise typer.BadParameter("give a preset's name, or --data FILE")
    if data is None:
        if any([target, horizon, label, id, season, *covariates.values(), *reading.values()]):
            raise typer.BadParameter("the options of a file need --data FILE")
        _train_preset(name, seed, cell, out, checkpoints, workers, index)
        return
    if cell or workers or index is not None:
        raise typer.BadParameter("--cell, --workers and --index are for presets")
    if (target is None) == (label is None):
        raise typer.BadParameter("--data needs --target COLUMN --horizon STEPS, or --label COLUMN")
    if (target is None) != (horizon is None):
        raise typer.BadParameter("--horizon goes with --target, and --target with --horizon")
    reading["empty"] = empty or "refuse"
    of_task: dict[str, Any] = {"label": label, "epochs": epochs}
    if label is None:
        of_task = {"target": target, "horizon": horizon, "season": season, "future": future}
        of_task["covariates"] = covariates
    _train_on_file(data, reading, out, checkpoints, {**of_task, "id": id, "seed": seed})


def _listed(columns):
    return [column for column in columns.split(",") if column]


def _train_on_file(data, reading, out, checkpoints, of_task):
    """Train a forecaster or a classifier on a CSV file and write it."""
    path = pathlib.Path(out) / f"{pathlib.Path(data).stem}.keras"
    own = path.with_suffix(".checkpoints")
    must_be_writable(out)
    start()
    from lstm_zoo.cli import own_data

    train = own_data.train_classifier if "label" in of_task else own_data.train_forecaster
    checkpoints = checkpoints or str(own)
    try:
        model, kind, score = or_usage_error(
            *(train, data, reading, say), checkpoints=checkpoints, **of_task
        )
    except KeyboardInterrupt:
        _interrupted(checkpoints)
    *written, beside = own_data.write(model, kind, path)
    own_data.forget(own)
    say(score, f"wrote {', '.join(map(str, written))}, and {beside}, which names its columns")
    say(f"Next: lstm-zoo predict {written[-1]} {data}")


def _interrupted(checkpoints):
    """End the command after Ctrl-C: say what was kept, and how to go on."""
    if checkpoints and pathlib.Path(checkpoints).is_dir():
        kept = f"{checkpoints} has all finished epochs; run the same command again to go on"
    else:
        kept = "no epoch was finished; run the same command to start again"
    say(f"\nInterrupted: {kept}.")
    raise typer.Exit(130)


def _train_preset(name, seed, cell, out, checkpoints, workers, index):
    """Train a preset again, write the model and compare it with the card."""
    start(compute=workers is None)
    from lstm_zoo import presets, training
    from lstm_zoo.cli import own_data
    from lstm_zoo.recipes import OURS, recorded

    recipe = or_usage_error(presets.read_recipe, name)
    must_be_writable(out)
    strategy = or_usage_error(_strategy, workers, index)
    own = f"{out}/{name}-{cell or 'lstm'}-{seed}.checkpoints"
    checkpoints = checkpoints or (own if workers is None else None)
    try:
        with Bars() as bars:
            model = or_usage_error(
                *(presets.train_preset, name),
                seed=seed,
                cell=cell,
                callbacks=bars.callback(name, recipe.training["epochs"]),
                checkpoint_dir=checkpoints,
                strategy=strategy,
                verbose=0,
            )
    except KeyboardInterrupt:
        _interrupted(checkpoints)
    if index:
        say("Trained. Process 0 writes the model.")
        return
    say(f"wrote {training.save(model, f'{out}/{name}.keras')}")
    own_data.forget(own)
    for label, score in presets.evaluate_preset(name, model).items():
        say(f"{label}: {score:.4g}")
    scores = recorded(name)["scores"][OURS]
    say(f"{len(scores)} recorded trainings: {min(scores):.4g} to {max(scores):.4g}")


def _strategy(workers, index):
    """That of one process of several, which waits for the others; None for one alone."""
    if workers is None and index is None:
        return None
    if workers is None:
        raise ValueError("--index needs --workers, the addresses of all processes")
    from lstm_zoo.training import distribute

    with console.status("Waiting for the other processes"), quiet():
        return distribute.workers(workers, index)
