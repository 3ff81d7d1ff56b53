"""Commands about the trained models: list, card, evaluate, predict.

`list` and `card` read stored files and answer without TensorFlow.
"""

import csv
import sys
import textwrap
from typing import Annotated

import typer
from rich.table import Table

from lstm_zoo import recipes
from lstm_zoo.cli.options import (
    Decimal,
    Empty,
    Future,
    Name,
    Sep,
    Time,
    TimeFormat,
    Timezone,
)
from lstm_zoo.cli.terminal import console, or_usage_error, say, start


def list_(
    pattern: Annotated[str, typer.Argument(help="Part of the names or tasks: '*forecast*'.")] = "*",
):
    """List the trained models that come with the package."""
    table = Table(box=None, pad_edge=False)
    table.add_column("preset", min_width=11)
    table.add_column("what it does")
    table.add_column("LSTM", min_width=7, justify="right")
    table.add_column("simpler", min_width=7, justify="right")
    room = max(20, console.width - 32)  # beside the other columns
    names = recipes.list_presets(pattern)
    for name in names:
        ours, _, best, won = recipes.compared(recipes.recorded(name))
        cells = [f"{ours:.3g}", f"{best:.3g}"]
        cells[0 if won else 1] = f"[bold]{cells[0 if won else 1]}[/]"
        title = textwrap.shorten(recipes.read_recipe(name).title, room, placeholder=" ...")
        table.add_row(name, title, *cells)
    if not names:
        say(f"No preset has a name or task like {pattern!r}; `lstm-zoo list` shows all.")
        return
    console.print(table)
    say(
        "",
        "Mean test scores over several trainings, beside the best simpler model; bold is better.",
        "Next: lstm-zoo card PRESET says what is scored, and shows a file that it reads.",
    )


def card(
    name: Name,
    example: Annotated[bool, typer.Option(help="Write a file that the preset reads.")] = False,
):
    """Show what a preset is, what it was trained on and how good it is."""
    if example:
        sys.stdout.write(or_usage_error(recipes.example_file, name))
        return
    from rich.markdown import Markdown

    lines = or_usage_error(recipes.stored_card, name).splitlines()
    shown = [line for line in lines if not line.startswith("![")]  # a terminal shows no figure
    console.print(Markdown("\n".join(shown)))


def evaluate(name: Name):
    """Score a preset on the test part of its data."""
    or_usage_error(recipes.read_recipe, name)
    start()
    from lstm_zoo import presets

    for label, score in presets.evaluate_preset(name).items():
        say(f"{label}: {score:.4g}")


def predict(
    model: Annotated[str, typer.Argument(help="A preset, or a model file of `train --data`.")],
    file: Annotated[str, typer.Argument(help="CSV: one row for each step.")],
    future: Future = None,
    sep: Sep = None,
    decimal: Decimal = None,
    time: Time = None,
    time_format: TimeFormat = None,
    timezone: Timezone = None,
    empty: Empty = None,
):
    """Predict from your own file; the result goes to standard output as CSV.

    `lstm-zoo card PRESET --example` writes a file that a preset reads.

    The options are for your own models. Without them a file is read like the training file.
    """
    reading = {
        "sep": sep,
        "decimal": decimal,
        "time": time,
        "time_format": time_format,
        "timezone": timezone,
        "empty": empty,
    }
    if model.endswith((".keras", ".npz")):
        if model.endswith(".keras"):
            start()
        from lstm_zoo.cli import own_data

        def on_stderr(*lines):
            print(*lines, sep="\n", file=sys.stderr)

        frame = or_usage_error(own_data.answers, model, file, future, reading, on_stderr)
        frame.to_csv(sys.stdout, index=False, float_format="%.7g")
        return
    if future or any(reading.values()):
        raise typer.BadParameter("a preset reads comma-separated files; give no options")
    recipe = or_usage_error(recipes.read_recipe, model)
    start()
    from lstm_zoo import presets

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
