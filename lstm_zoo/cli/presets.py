"""Commands about the trained models: list, card, evaluate, predict."""

import csv
import sys
from typing import Annotated

import numpy as np
import typer
from rich.markdown import Markdown
from rich.table import Table

from lstm_zoo.cli.terminal import (
    Decimal,
    Empty,
    Name,
    Sep,
    Time,
    TimeFormat,
    Timezone,
    console,
    or_usage_error,
    start,
)


def list_(pattern: Annotated[str, typer.Argument(help="Of names or tasks: '*forecast*'.")] = "*"):
    """List the trained models that come with the package."""
    start()
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


def card(name: Name):
    """Show what a preset is, what it was trained on and how good it is."""
    start()
    from lstm_zoo import presets

    console.print(Markdown(or_usage_error(presets.preset_card, name)))


def evaluate(name: Name):
    """Score a preset on the test part of its data."""
    start()
    from lstm_zoo import presets

    for label, score in or_usage_error(presets.evaluate_preset, name).items():
        console.print(f"{label}: {score:.4g}")


def predict(
    model: Annotated[str, typer.Argument(help="A preset, or a file of `train --data`, .keras.")],
    file: Annotated[str, typer.Argument(help="CSV: a step a row, a feature a column.")],
    sep: Sep = None,
    decimal: Decimal = None,
    time: Time = None,
    time_format: TimeFormat = None,
    timezone: Timezone = None,
    empty: Empty = None,
):
    """Write a model's answers for your own file to standard output, as CSV.

    The options are for a model of `lstm-zoo train --data`; without them a file is read as the
    training file was.
    """
    reading = {
        "sep": sep,
        "decimal": decimal,
        "time": time,
        "time_format": time_format,
        "timezone": timezone,
        "empty": empty,
    }
    start()
    if model.endswith(".keras"):
        from lstm_zoo.cli import own_data

        def say(*lines):
            for line in lines:
                print(line, file=sys.stderr)

        try:
            frame = own_data.answers(model, file, reading, say)
        except (ValueError, OSError) as error:
            raise typer.BadParameter(str(error)) from None
        frame.to_csv(sys.stdout, index=False)
        return
    if any(reading.values()):
        raise typer.BadParameter("a preset reads comma-separated files; give no options")
    from lstm_zoo import presets

    recipe = or_usage_error(presets.read_recipe, model)
    answers = presets.task_of(recipe).answer(presets.load_preset(model), file)
    writer = None
    try:
        for row in answers:
            if writer is None:
                writer = csv.DictWriter(sys.stdout, row)
                writer.writeheader()
            writer.writerow(row)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
