"""What all commands share: the console, TensorFlow started in silence, and errors of usage."""

import os
from typing import Annotated

import typer
from rich.console import Console

from lstm_zoo.silence import quiet

console = Console(highlight=False)
Name = Annotated[str, typer.Argument(help="A preset; `lstm-zoo list` has them all.")]

# How a user's CSV file is read.
Sep = Annotated[str | None, typer.Option(help="Between cells; found if not given.")]
Decimal = Annotated[str | None, typer.Option(help="'.' or ','; found if not given.")]
Time = Annotated[str | None, typer.Option(help="Column of times; found if there is one.")]
TimeFormat = Annotated[str | None, typer.Option(help="'%d.%m.%Y', ...; else ISO 8601.")]
Timezone = Annotated[str | None, typer.Option(help="Of the times: 'Europe/Berlin', ...")]
Empty = Annotated[str | None, typer.Option(help="Empty cells: refuse, previous or 0.")]


def start(compute=True):
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


def or_usage_error(function, *arguments, **options):
    """What the function returns; a wrong argument ends the command with its one sentence."""
    try:
        return function(*arguments, **options)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
