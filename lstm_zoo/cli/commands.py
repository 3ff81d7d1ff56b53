"""The command lstm-zoo and its subcommands, in the order in which --help lists them.

TensorFlow is imported where a command needs it, so that --help answers at once.
"""

from typing import Annotated

import typer
from rich.table import Table

from lstm_zoo.cli import demonstrating, presets, training
from lstm_zoo.cli.terminal import console, say, start

app = typer.Typer(
    help="LSTM Zoo: LSTMs built from their equations, trained on real data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("list")(presets.list_)
app.command()(presets.card)
app.command()(demonstrating.demo)
app.command()(training.train)
app.command()(presets.evaluate)
app.command()(presets.predict)
# Written out, so that the help needs no TensorFlow; a test compares it with the formats.
FORMATS = "Formats: saved_model (a folder), onnx (.onnx), litert (.tflite), c (.h)"


def _version(wanted: bool):
    if wanted:
        import lstm_zoo

        console.print(f"lstm-zoo {lstm_zoo.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
):
    pass


@app.command(epilog=FORMATS)
def export(
    model: Annotated[str, typer.Argument(help="A .keras file.")],
    path: Annotated[str, typer.Argument(help="File to write; its ending sets the format.")],
    format: Annotated[str | None, typer.Option(help="Format, if the ending does not tell.")] = None,
    streaming: Annotated[bool, typer.Option(help="Let it read one step at a time.")] = False,
):
    """Write a model to a file that runs without LSTM Zoo."""
    start()
    from lstm_zoo import training
    from lstm_zoo.exporting import export

    try:
        written = export(training.load(model), path, format, streaming=streaming)
    except (ValueError, FileNotFoundError) as problem:
        say(str(problem))
        raise typer.Exit(1) from None
    say(f"wrote {written}")


@app.command()
def doctor():
    """Check the installation: versions, devices, engines and data."""
    start()
    from lstm_zoo.cli import doctor

    table = Table(show_header=False, box=None)
    for name, found in doctor.findings():
        table.add_row(name, found)
    console.print(table)
    problems = doctor.problems()
    for problem in problems:
        console.print(f"[bold]Problem:[/] {problem}", soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    console.print("No problems found.")
