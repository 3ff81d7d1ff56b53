"""The arguments and options of the commands, with what --help says of each."""

from typing import Annotated

from typer import Argument, Option


def _panel(title):
    """An option in a box of its own in --help."""
    return lambda help, **settings: Option(help=help, rich_help_panel=title, **settings)


_file, _reading, _preset = map(_panel, ("Your own file", "Reading the file", "Presets"))

Name = Annotated[str, Argument(metavar="PRESET", help="A preset; `lstm-zoo list` shows all.")]
MaybeName = Annotated[
    str | None, Argument(metavar="PRESET", help="A preset; `lstm-zoo list` shows all.")
]
Out = Annotated[str, Option(help="Folder for models and figures.")]
Seed = Annotated[int, Option(min=0, help="Sets the first weights and the order of the samples.")]
Checkpoints = Annotated[str | None, Option(help="Folder to resume from; default: in OUT.")]

Cell = Annotated[str | None, _preset("Train another cell, such as gru.")]
Workers = Annotated[str | None, _preset("Addresses of all processes: host:port,host:port.")]
Index = Annotated[int | None, _preset("Number of this process, from 0.")]

Data = Annotated[str | None, _file("Train on this CSV file instead of a preset.")]
Target = Annotated[str | None, _file("Column to forecast.")]
Horizon = Annotated[int | None, _file("Number of steps to forecast.")]
Past = Annotated[str, _file("More columns to forecast from: a,b.")]
KnownFuture = Annotated[str, _file("Columns that are known ahead, such as holidays: a,b.")]
Static = Annotated[str, _file("Columns that stay the same in a series: a,b.")]
Future = Annotated[str | None, _file("CSV file of the --known-future columns, steps ahead.")]
Season = Annotated[int | None, _file("Steps in a season; default: from the times.")]
Label = Annotated[str | None, _file("Column with the class of each series.")]
Id = Annotated[str | None, _file("Column that names the series of each row.")]
Epochs = Annotated[int, _file("Most epochs, with --label.", min=1)]

Sep = Annotated[str | None, _reading("Separator; default: detected.")]
Decimal = Annotated[str | None, _reading("'.' or ','; default: detected.")]
Time = Annotated[str | None, _reading("Column of times; default: detected.")]
TimeFormat = Annotated[str | None, _reading("Such as '%d.%m.%Y'; default: ISO 8601.")]
Timezone = Annotated[str | None, _reading("Zone of the times, such as Europe/Berlin.")]
Empty = Annotated[str | None, _reading("Empty cells: refuse (default), previous or 0.")]
