"""Series in any form that users have them: arrays, pandas objects, other frames, dicts of columns.

pandas is imported only if the user did, or to give a frame back.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_zoo import checks
from lstm_zoo.sequences import columns
from lstm_zoo.sequences.calendars import Calendar
from lstm_zoo.sequences.table import Panel, assembled

_ID, _TIME, _STEP = "unique_id", "ds", "step"


def read(
    data,
    *,
    target=None,
    past=(),
    known_future=(),
    static=(),
    time=None,
    id=None,
    gaps="refuse",
    mask_value=None,
) -> tuple[Panel, Calendar]:
    """The series of `data` and how their times go on.

    Args:
        data: `(timesteps,)` or `(timesteps, features)`; a pandas Series; a frame or a dict of
            columns, with a row for each time, or for each series and time.
        target: the column to forecast, or a list of several; None takes the only one that is left.
        past, known_future, static: further columns, as `lz.panel` takes them.
        time: the column or the index that says when; None takes an index of dates, a column called
            "ds", or the only column of dates. Without one, each row is a step.
        id: the column that says which series; None takes one called "unique_id", or is one series.
        gaps, mask_value: as `lz.panel` takes them.

    Returns:
        A `Panel`, the targets first, and a `Calendar`.

    Raises:
        ValueError: as `lz.panel` does; or if a column is not there or can't be told.

    Example:
        >>> series, calendar = read({"day": ["2020-01-30", "2020-01-31"], "sales": [1.0, 2.0]})
        >>> series.feature_names, calendar.name, calendar.ahead(series, 2)[0].astype(str).tolist()
        (('sales',), 'day', ['2020-02-01', '2020-02-02'])
    """
    table = _table(data, _name("time", time), _name("id", id))
    past, known_future = _names("past", past), _names("known_future", known_future)
    static = _names("static", static)
    for argument, names in (("past", past), ("known_future", known_future), ("static", static)):
        for name in names:
            _column(argument, name, table)
    id = _column("id", id, table) if id is not None else (_ID if _ID in table else None)
    named = [] if target is None else _names("target", target)
    taken = {id, *past, *known_future, *static, *named}
    time = _time(table, time, taken)
    targets = _targets(table, target, {id, time, *past, *known_future, *static})
    used = [
        name for name in (time, id, *targets, *known_future, *past, *static) if name is not None
    ]
    for name in used:
        if used.count(name) > 1:
            raise ValueError(f"column must be named once, got {name!r} twice")
    rows = len(np.asarray(table[targets[0]]))
    who = np.full(rows, str(targets[0])) if id is None else columns.ids(str(id), table[id])
    calendar = Calendar(None, None if id is None else str(id))
    if time is None:
        when = _counted(who)
    else:
        when, zone, wall = _times(str(time), table[time])
        calendar = replace(calendar, name=str(time), zone=zone, wall=wall)
    named = {str(name): table[name] for name in used}
    names = (list(map(str, some)) for some in (targets, known_future, past, static))
    targets, known_future, past, static = names
    panel = assembled(
        *(named, who, when, calendar.name or _STEP),
        *(targets, known_future, past, static),
        gaps=gaps,
        mask_value=mask_value,
    )
    return panel, calendar


def numbered(frame, targets, known_future):
    """A frame of one series as `(timesteps, features)`, and the numbers of columns that are named.

    All columns but the times become features, the targets first.

    >>> frame = {"ds": ["2020-01-02", "2020-01-01"], "rain": [1.0, 2.0], "sales": [3.0, 4.0]}
    >>> values, targets, known = numbered(frame, "sales", ["rain"])
    >>> values.tolist(), targets, known
    ([[4.0, 2.0], [3.0, 1.0]], 0, [1])
    """
    table = _table(frame, None, None)
    named, known = _names("targets", targets), _names("known_future", known_future)
    taken = {_time(table, None, {*named, *known}), *named, *known}
    past = [name for name in table if name not in taken]
    panel, _ = read(frame, target=named, known_future=known, past=past)
    if len(panel.ids) > 1:
        raise ValueError("series must be one series, got several; lz.panel takes a frame of many")
    numbers = list(range(len(named)))
    [values] = panel.series
    return values, (0 if isinstance(targets, str) else numbers), list(panel.known_future)


def _table(data, time, id):
    """The columns of any form of data, by name."""
    pandas: Any = sys.modules.get("pandas")
    if pandas and isinstance(data, pandas.Series):
        data = data.to_frame("value" if data.name is None else data.name)
    if pandas and isinstance(data, pandas.DataFrame):
        return _pandas_table(pandas, data, time, id)
    if hasattr(data, "columns") or isinstance(data, Mapping):
        names = checks.listing("data", getattr(data, "columns", data))
        return {name: data[name] for name in names}
    values = checks.array("data", data, 1, 2)
    if values.ndim == 1:
        return {"value": values}
    return dict(enumerate(values.T))


def _pandas_table(pandas, frame, time, id):
    """The columns of a frame, and its index where it says when or which."""
    index = frame.index
    dated = isinstance(index, (pandas.DatetimeIndex, pandas.PeriodIndex))
    asked = {name for name in (time, id, _ID, _TIME) if name is not None}
    if dated and index.name is None:
        frame = frame.rename_axis("time")
    if dated or isinstance(index, pandas.MultiIndex) or asked & set(index.names):
        frame = frame.reset_index()
    names = list(frame.columns)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"data must have each column once, got {name!r} twice")
    return {name: frame[name] for name in names}


def _names(argument, value):
    """A list of names, of one or several."""
    names = [value] if isinstance(value, (str, int)) else checks.listing(argument, value)
    return [_name(argument, name) for name in names]


def _name(argument, value):
    """What may name a column: anything that a dict can hold."""
    try:
        hash(value)
    except TypeError:
        raise ValueError(f"{argument} must name a column, got {value!r:.80}") from None
    return value


def _column(argument, name, table):
    """A name of the table's columns; a wrong one is answered with the nearest that is right."""
    if name not in table:
        raise ValueError(
            f"{argument} must be one of {checks.listed(table)}, got {name!r}"
            f"{checks.near(name, table)}"
        )
    return name


def _time(table, time, taken):
    """The column of times: the one that is named, called "ds", or the only one with dates."""
    if time is not None:
        return _column("time", time, table)
    if _TIME in table and _TIME not in taken:
        return _TIME
    dated = [name for name, column in table.items() if name not in taken and _is_dated(column)]
    if len(dated) > 1:
        raise ValueError(f"time must be one of {checks.listed(dated)}, got None")
    return dated[0] if dated else None


def _is_dated(column):
    """Whether a column holds dates, or text that starts with one."""
    if str(getattr(column, "dtype", "")).startswith(("datetime64", "period")):
        return True
    values = np.asarray(column)
    if values.dtype.kind == "M":
        return True
    if values.dtype.kind not in "OUT" or not values.size:
        return False
    try:
        return columns.times("time", values[:1]).dtype.kind == "M"
    except ValueError:
        return False


def _targets(table, target, taken):
    """The columns to forecast."""
    if target is not None:
        return [_column("target", name, table) for name in _names("target", target)]
    left = [name for name in table if name not in taken]
    if "y" in left:
        return ["y"]
    if len(left) != 1:
        raise ValueError(
            f"target must name the column to forecast, one of {checks.listed(left)}, got None"
        )
    return left


def _counted(who):
    """The number of each row within its series."""
    order = np.argsort(who, kind="stable")
    _, first, counts = np.unique(who[order], return_index=True, return_counts=True)
    when = np.empty(len(who), "int64")
    when[order] = np.arange(len(who)) - np.repeat(first, counts)
    return when


def _times(name, column):
    """Times as `columns.times` reads them, the zone of a pandas column, and whether they are those
    of a clock there: of days and longer steps, which are not all of 24 hours."""
    dtype = getattr(column, "dtype", None)
    if str(dtype).startswith("period"):
        column = column.dt.to_timestamp()
    zone = getattr(dtype, "tz", None)
    if zone is None:
        return columns.times(name, column), None, False
    if column.isna().any():
        return columns.times(name, column), None, False  # says which row
    local = column.dt.tz_localize(None).to_numpy()
    if len(np.unique(local - local.astype("M8[D]"))) == 1:
        return local, zone, True
    return column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(), zone, False
