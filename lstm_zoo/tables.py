"""A user's CSV file as a pandas frame: separator, decimal comma, dates and empty cells."""

import csv
import re
import warnings
from dataclasses import dataclass
from typing import Any

from lstm_zoo import checks
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Table", "read_table"]

EMPTY = ("refuse", "previous", "0")
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
_COMMA, _POINT = re.compile(r"[+-]?\d*,\d+"), re.compile(r"[+-]?\d*\.\d+")


@dataclass(frozen=True, eq=False)
class Table:
    """A file as a frame, and how `read_table` read it.

    `frame` is a pandas DataFrame of numbers, times and text. `time` is the column of times or None.
    `said` describes in sentences how the file was read.
    """

    frame: Any
    time: str | None
    said: tuple[str, ...]


def read_table(
    path,
    *,
    sep: str | None = None,
    decimal: str | None = None,
    time: str | None = None,
    time_format: str | None = None,
    timezone: str | None = None,
    empty: str = "refuse",
    text: tuple[str, ...] = (),
    numbers: tuple[str, ...] | None = None,
) -> Table:
    """Read a CSV file whose first line names the columns.

    Args:
        path: of the file, in UTF-8.
        sep: the separator of cells; None detects a comma, semicolon, tab or bar in the first line.
        decimal: "." or ","; None takes the comma if numbers have commas and no points.
        time: the column of times; None takes the only column of dates, if there is one.
        time_format: the format of times, such as "%d.%m.%Y"; None takes ISO 8601, such as
            2020-01-31 18:00.
        timezone: the zone of times, such as "Europe/Berlin". Times with another offset are
            converted to it; times without an offset are in it.
        empty: "refuse" raises an error for an empty cell, "previous" repeats the cell above, "0"
            inserts a zero. Times and `text` are never filled.
        text: columns that stay text, such as labels and names of series.
        numbers: columns that must be numbers; other columns stay as they are. None takes all but
            the times and `text`.

    Returns:
        A `Table`. An unnamed first column, as pandas writes it, is named "index", or left out if it
        only counts the rows.

    Raises:
        ValueError: with the column and the first line that is wrong.
        FileNotFoundError: if there is no such file.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "sales.csv"
        >>> _ = path.write_text("day;sales\\n2020-01-30;1,5\\n2020-01-31;2,0\\n")
        >>> table = read_table(path)
        >>> table.time, table.frame["sales"].tolist()
        ('day', [1.5, 2.0])
    """
    checks.one_of("empty", empty, EMPTY)
    if decimal is not None:
        checks.one_of("decimal", decimal, [".", ","])
    frame, sep = _cells(path, sep)
    said = [f"{path}: {len(frame)} rows, columns {checks.listed(frame.columns)}; separator {sep!r}"]
    frame = _without_row_numbers(frame, said)
    for name in [*([time] if time else []), *text, *(numbers or ())]:
        checks.one_of("column", name, frame.columns)
    time = time or _dated(frame, {*text, *(numbers or ())})
    if numbers is None:
        numbers = tuple(name for name in frame.columns if name not in (time, *text))
    decimal = decimal or _decimal(path, frame, numbers)
    if decimal == ",":
        said.append("decimal comma")
    for name in [*text, *([time] if time else [])]:
        frame[name] = _filled(path, name, frame[name], "refuse", said)
    for name in numbers:
        frame[name] = _filled(path, name, frame[name], empty, said)
        frame[name] = _numbers(path, name, frame[name], decimal)
    if time:
        frame[time] = _times(path, time, frame[time], time_format, timezone)
        said.append(f"times in {time!r}")
    return Table(frame, time, tuple(said))


def _cells(path, sep):
    """All cells as text, and the separator."""
    import pandas

    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            first = file.readline(100_000)
        except UnicodeDecodeError:
            raise ValueError(f"{path} must be text in UTF-8") from None
    if not first.strip():
        raise ValueError(f"the first line of {path} must name the columns, got an empty line")
    if sep is None:
        try:
            sep = csv.Sniffer().sniff(first, delimiters=",;\t|").delimiter
        except csv.Error:  # one column
            sep = ","
    sep = "\t" if sep in ("tab", "\\t") else sep
    if len(sep) != 1:
        raise ValueError(f"sep must be one character, or tab, got {sep!r}")
    names = next(csv.reader([first], delimiter=sep))
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path} must have each column once, got {name!r} twice")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # cells would be cut off
            frame = pandas.read_csv(
                path,
                sep=sep,
                dtype=object,
                encoding="utf-8-sig",
                index_col=False,
                skip_blank_lines=False,
                skipinitialspace=True,
            )
    except pandas.errors.ParserWarning:
        raise ValueError(
            f"{path} must have {len(names)} cells in each line, got more; is the separator {sep!r} "
            "also in the cells? Give sep"
        ) from None
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read as CSV: {' '.join(str(error).split())}") from None
    blank = frame.isna().all(axis=1).to_numpy()
    while len(frame) and blank[len(frame) - 1]:  # empty lines at the end
        frame = frame.iloc[:-1]
    if frame.empty:
        raise ValueError(f"{path} must hold rows below its first line, got none")
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame, sep


def _without_row_numbers(frame, said):
    """The frame with an unnamed first column called index, or left out if it counts rows."""
    first = frame.columns[0]
    if not first.startswith("Unnamed: "):
        return frame
    counted = [[str(n + start) for n in range(len(frame))] for start in (0, 1)]
    if frame[first].tolist() in counted and len(frame.columns) > 1:
        said.append("left out the unnamed first column, which counts the rows")
        return frame.drop(columns=first)
    said.append("named the unnamed first column 'index'")
    return frame.rename(columns={first: "index"})


def _dated(frame, taken):
    """The only column whose first cell looks like a date."""
    dated = [
        name
        for name in frame.columns
        if name not in taken and re.match(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}", str(frame[name][0]))
    ]
    dated += [
        name
        for name in frame.columns
        if name not in taken and re.fullmatch(r"\d{4}-\d\d", str(frame[name][0]))
    ]
    if len(dated) > 1:
        raise ValueError(f"time must be one of {checks.listed(dated)}, got None")
    return dated[0] if dated else None


def _decimal(path, frame, names):
    """The decimal sign that the cells of these columns show."""
    comma = point = None
    for name in names:
        for row, cell in frame[name].dropna().items():
            if _COMMA.fullmatch(cell.strip()):
                comma = comma or (name, row, cell)
            elif _POINT.fullmatch(cell.strip()):
                point = point or (name, row, cell)
    if comma and point:
        (name, row, one), (*_, other) = comma, point
        raise ValueError(
            f"decimal must be '.' or ',' where numbers have both, got {one!r} in column {name!r}, "
            f"line {row + 2} of {path}, beside {other!r}"
        )
    return "," if comma else "."


def _filled(path, name, column, empty, said):
    """A column without empty cells."""
    gone = column.isna() | (column.astype(str).str.strip() == "")
    if not gone.any():
        return column
    line = int(gone.to_numpy().argmax()) + 2
    where = f"column {name!r} of {path} has {int(gone.sum())} empty cells, the first in line {line}"
    if empty == "refuse":
        raise ValueError(f"{where}; fill them, in numbers with empty='previous' or empty='0'")
    if empty == "previous" and gone.iloc[0]:
        raise ValueError(f"{where}, which has no cell above it; empty='0' puts in zeros")
    said.append(f"{where}, filled with {'the cell above' if empty == 'previous' else '0'}")
    column = column.mask(gone)
    return column.ffill() if empty == "previous" else column.fillna("0")


def _numbers(path, name, column, decimal):
    """A column as numbers."""
    import numpy as np
    import pandas

    cells = column.astype(str).str.strip()
    unread = cells.str.contains("_" if decimal == "." else r"[_.]")  # 1_000, and 1.000 for 1000
    if decimal == ",":
        cells = cells.str.replace(",", ".", regex=False)
    found = pandas.to_numeric(cells.mask(unread), errors="coerce")
    wrong = ~np.isfinite(found.to_numpy("float64"))
    if not wrong.any():
        return found
    line = int(wrong.argmax())
    raise ValueError(
        f"column {name!r} of {path} must hold finite numbers, got {str(column[line])[:50]!r} in "
        f"line {line + 2}"
    )


def _times(path, name, column, time_format, timezone):
    """A column as times: of a clock without zone, or in one zone."""
    import pandas

    cells = column.astype(str).str.strip()
    if time_format is None and cells.str.fullmatch(r"\d+(\.0+)?").all():
        return pandas.to_numeric(cells)  # numbered steps, or years
    zones = cells.str.extract(_ZONE)[0].where(cells.str.contains(":"))
    several = zones.nunique(dropna=False) > 1
    if several and (zones.isna().any() or timezone is None):
        odd = int((zones.fillna("") != (zones[0] if isinstance(zones[0], str) else "")).argmax())
        raise ValueError(
            f"column {name!r} of {path} must have times of one zone, got {cells[0]!r} in line 2 "
            f"and {cells[odd]!r} in line {odd + 2}"
            + ("" if zones.isna().any() else "; give timezone, such as 'Europe/Berlin' or 'UTC'")
        )
    options: Any = {"format": time_format or "ISO8601", "utc": bool(zones.notna().all())}
    found = pandas.to_datetime(cells, errors="coerce", **options)
    if found.isna().any():
        line = int(found.isna().to_numpy().argmax())
        how = time_format or "ISO 8601, such as 2020-01-31 18:00"
        raise ValueError(
            f"column {name!r} of {path} must have times as {how}, got {cells[line]!r} in line "
            f"{line + 2}; give time_format, such as '%d.%m.%Y' or '%m/%d/%Y %H:%M'"
        )
    if timezone is None:
        return found
    try:
        if found.dt.tz is not None:
            return found.dt.tz_convert(timezone)
        return found.dt.tz_localize(timezone, ambiguous="infer")
    except Exception as problem:  # an unknown zone, or hours that its clock skips or repeats
        raise ValueError(
            f"timezone {timezone!r} does not fit column {name!r} of {path}: {problem}"
        ) from None


_suggest(__name__)
