"""The columns of a table as arrays: names of series, times, numbers; none of them missing."""

import datetime
import numbers
import re

import numpy as np

from lstm_zoo import checks

_ISO = re.compile(
    r"(\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?)?)?)"
    r"(Z|[+-]\d\d:?\d\d)?"
)
_HOW = (
    "must be numbers, dates, or text in ISO 8601 such as '2020-01-31 18:00', got {!r}; "
    "convert other text first, for example by pandas.to_datetime(text, format='%d/%m/%Y')"
)


def ids(name, column):
    """`(rows,)`, each the name of a series: all text, or all numbers."""
    return _plain(name, column)


def figures(name, column):
    """`(rows,)` of finite numbers."""
    found = _plain(name, column)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found)))
        raise ValueError(f"{name} must be finite, got {found[row]} in row {row}")
    if found.dtype.kind not in "biuf" and found.size:
        raise ValueError(f"{name} must be numbers, got {found.tolist()[0]!r:.80} in row 0")
    return checks.finite(name, found, 1)


def times(name, column):
    """`(rows,)` of numbers or `datetime64`, which sort as they follow each other.

    Text must be ISO 8601: in other ways to write a date, day and month can be taken for each other.
    What has a time zone comes out in UTC.

    >>> times("ds", ["2020-01-09", "2020-01-10"])
    array(['2020-01-09', '2020-01-10'], dtype='datetime64[D]')
    >>> times("ds", ["2020-03-01 00:00+02:00"])
    array(['2020-02-29T22:00'], dtype='datetime64[m]')
    """
    found = _plain(name, column)
    if found.dtype.kind in "UT":
        found = _from_text(name, found.tolist())
    elif found.dtype.kind == "O":
        found = _from_dates(name, found.tolist())
    if found.dtype.kind not in "iufmM":
        raise ValueError(f"{name} {_HOW.format(found.tolist()[0] if len(found) else None)}")
    return checks.finite(name, found) if found.dtype.kind == "f" else found


def _plain(name, column):
    """A column as an array: of numbers, of text, of dates, but not of several kinds."""
    found = np.asarray(checks.unmasked(name, column))
    if found.dtype.kind == "U" and not hasattr(column, "dtype"):
        found = np.asarray(column, object)  # else NumPy makes text of numbers beside text
    if found.ndim != 1:
        raise ValueError(f"{name} must have 1 axes, got shape {found.shape}")
    if found.dtype.kind == "O":
        values = found.tolist()
        gone = np.array([_is_missing(value) for value in values], bool)
    else:
        gone = found != found  # NaN and NaT
    if gone.any():
        row = int(np.argmax(gone))
        raise ValueError(
            f"{name} must not be missing, got {found[row]!s} in row {row} and "
            f"{int(gone.sum()) - 1} more"
        )
    if found.dtype.kind != "O" or not found.size:
        return found
    of_rows = [_kind(value) for value in values]
    kinds = set(of_rows)
    if len(kinds) > 1:
        row = next(k for k, kind in enumerate(of_rows) if kind != of_rows[0])
        raise ValueError(
            f"{name} must be of one kind, got {checks.listed(sorted(kinds))}: {values[row]!r:.80} "
            f"in row {row}"
        )
    return np.array(values) if kinds <= {"numbers", "text"} else found


def _is_missing(value):
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # pandas.NA is neither true nor false
        return type(value).__name__ == "NAType"


def _kind(value):
    if isinstance(value, str):
        return "text"
    if isinstance(value, (numbers.Real, np.bool_)):
        return "numbers"
    if isinstance(value, (datetime.date, np.datetime64)):
        return "dates"
    return type(value).__name__


def _from_text(name, texts):
    matches = [_ISO.fullmatch(text.strip()) for text in texts]
    if None in matches:
        raise ValueError(f"{name} {_HOW.format(texts[matches.index(None)])}")
    zones = [match[2] for match in matches]
    if None in zones and any(zones):
        odd = texts[zones.index(None)]
        raise ValueError(f"{name} must have a time zone in every row or in none, got {odd!r}")
    try:
        found = np.array([match[1] for match in matches], "datetime64")
    except ValueError:
        wrong = next(text for text in texts if not _is_date(text))
        raise ValueError(f"{name} must be dates of the calendar, got {wrong!r}") from None
    return found if None in zones else found - np.array([_offset(zone) for zone in zones], "m8[m]")


def _is_date(text):
    try:
        np.datetime64(_ISO.fullmatch(text.strip())[1])
    except ValueError:
        return False
    return True


def _offset(zone):
    """Minutes that a zone is ahead of UTC."""
    if zone == "Z":
        return 0
    sign = -1 if zone[0] == "-" else 1
    return sign * (60 * int(zone[1:3]) + int(zone[-2:]))


def _from_dates(name, values):
    zones = {getattr(value, "tzinfo", None) is not None for value in values}
    if len(zones) > 1:
        raise ValueError(f"{name} must have a time zone in every row or in none")
    if not values or _kind(values[0]) != "dates":
        raise ValueError(f"{name} {_HOW.format(values[0] if values else None)}")
    if zones == {True}:
        values = [v.astimezone(datetime.timezone.utc).replace(tzinfo=None) for v in values]
    # A Timestamp of pandas has nanoseconds, which NumPy would cut off as it does a datetime's.
    return np.array([v.to_datetime64() if hasattr(v, "to_datetime64") else v for v in values], "M8")
