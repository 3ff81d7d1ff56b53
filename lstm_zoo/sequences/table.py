"""Several series from one long table, a row for each series and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_zoo import checks
from lstm_zoo.sequences import columns, cutting
from lstm_zoo.sequences.gaps import filler, no_true_step, with_every_step


@dataclass(frozen=True, eq=False, repr=False)
class Panel:
    """Several series of one table; `lz.panel` makes it.

    `series` has a float64 array `(timesteps, features)` for each of `ids`, the target first;
    `times` the times of their steps; `static` is `(series, numbers)` or None; `known_future` are
    the positions in `feature_names` of what is known ahead; `mask_value` fills the steps that are
    missing, None where none is masked; `num_targets` counts the targets.
    """

    ids: tuple
    times: list[np.ndarray]
    series: list[np.ndarray]
    feature_names: tuple[str, ...]
    known_future: tuple[int, ...]
    static: np.ndarray | None
    mask_value: float | None = None
    num_targets: int = 1

    def __repr__(self) -> str:
        steps = checks.span(len(one) for one in self.series)
        static = 0 if self.static is None else self.static.shape[1]
        return (
            f"Panel({len(self.ids)} series of {steps} steps, {len(self.feature_names)} features: "
            f"{checks.listed(self.feature_names):.80}; {len(self.known_future)} known ahead, "
            f"{static} static)"
        )

    def windows(
        self, input_steps: int, horizon: int, stride: int = 1, **options
    ) -> cutting.Windows:
        """`lz.windows` of these series, with their known future and static numbers."""
        own = {name: getattr(self, name) for name in ("known_future", "static", "mask_value")}
        return cutting.windows(self.series, input_steps, horizon, stride, **{**own, **options})


def panel(
    table: Mapping[str, npt.ArrayLike] | Any,
    *,
    unique_id: str | None = "unique_id",
    ds: str | None = "ds",
    y: str = "y",
    past: Sequence[str] = (),
    known_future: Sequence[str] = (),
    static: Sequence[str] = (),
    gaps: str = "refuse",
    mask_value: float | None = None,
) -> Panel:
    """Several series from one long table, a row for each series and time.

    Args:
        table: a pandas or polars frame, or a dict of columns.
        unique_id, ds, y: the columns that say which series, when, and how much. `ds` holds numbers,
            dates, or text in ISO 8601, such as "2020-01-31 18:00"; times with a zone come out in
            UTC. None for `unique_id` makes one series; None for `ds` takes an index of dates or the
            only column of dates.
        past: further columns, known up to now; `known_future`: those known ahead too; `static`:
            those that stay the same within a series. Numbers, all of them.
        gaps: what to do where a series lacks steps. A step is the shortest time between two rows;
            of dates at one place of their months, so many months. "refuse" raises an error that
            names the first gap. "fill" repeats the row before it. "mask" puts in steps that hold
            `mask_value`, which the builders' `mask_value` leaves out; no window has such a step in
            what is to be forecast. "join" takes each row as one step, as for business days.
        mask_value: a number that no step is full of, such as -999.0, where `gaps` is "mask".

    Returns:
        A `Panel`; the rows of each series are put in the order of time.

    Raises:
        ValueError: a column that is not there, is missing a value, is no number, is not finite or
            not as long as the others; ids or times of several kinds; text that is no ISO 8601; a
            time that occurs twice in a series; a series with gaps; a static column that changes.

    Example:
        >>> table = {"unique_id": ["b", "a", "a"], "ds": [1, 2, 1], "y": [5.0, 7.0, 6.0]}
        >>> many = panel(table)
        >>> many.ids, [one[:, 0].tolist() for one in many.series]
        (('a', 'b'), [[6.0, 7.0], [5.0]])
        >>> hours = {"unique_id": ["a"] * 3, "ds": ["2020-01-01 00", "2020-01-01 01",
        ...     "2020-01-01 03"], "y": [1.0, 2.0, 4.0]}
        >>> panel(hours, gaps="fill").series[0][:, 0].tolist()
        [1.0, 2.0, 2.0, 4.0]
    """
    static, past = checks.listing("static", static), checks.listing("past", past)
    known_future = checks.listing("known_future", known_future)
    _check_gaps(gaps, mask_value)
    if unique_id is None or ds is None:
        from lstm_zoo.sequences.frames import read  # which stands on this module

        columns_of = {"past": past, "known_future": known_future, "static": static}
        options = {"time": ds, "id": unique_id, "gaps": gaps, "mask_value": mask_value}
        return read(table, target=y, **columns_of, **options)[0]
    _check_names(table, [unique_id, ds, y, *known_future, *past, *static])
    _check_rows(table, [unique_id, ds, y, *known_future, *past, *static])
    who, when = columns.ids(unique_id, table[unique_id]), columns.times(ds, table[ds])
    return assembled(
        *(table, who, when, ds),
        *([y], known_future, past, static),
        *(gaps, mask_value),
    )


def assembled(
    table, who, when, ds, targets, known_future, past, static, gaps="refuse", mask_value=None
):
    """The `Panel` of columns of a table whose ids and times are read.

    Args:
        table: the columns by name.
        who, when: `(rows,)`, the id and the time of each row; `ds` is the name of the times.
        targets, known_future, past, static: names of columns.
        gaps, mask_value: as `panel` takes them.
    """
    names = [*targets, *known_future, *past]
    numbers = [columns.figures(name, table[name]) for name in names]
    fixed = [columns.figures(name, table[name]) for name in static]
    for name, column in zip((ds, *names, *static), (when, *numbers, *fixed)):
        checks.shape(name, column.shape, who.shape)
    ids, number = np.unique(who, return_inverse=True)
    order = np.lexsort((when, number))
    rows = np.split(order, np.flatnonzero(np.diff(number[order])) + 1)  # of each series
    _check_series(ids.tolist(), rows, ds, when, dict(zip(static, fixed)))
    constants = [[column[index[0]] for column in fixed] for index in rows]
    values = np.stack(numbers, axis=1).astype("float64")
    if mask_value is not None:
        no_true_step("mask_value", mask_value, values)
    times, series = [when[index] for index in rows], [values[index] for index in rows]
    times, series = with_every_step(ds, ids.tolist(), times, series, gaps, mask_value)
    return Panel(
        tuple(ids.tolist()),
        times,
        series,
        tuple(names),
        tuple(range(len(targets), len(targets) + len(known_future))),
        np.array(constants, "float64") if static else None,
        mask_value,
        len(targets),
    )


def _check_series(ids, rows, ds, when, static):
    """Refuse a time that occurs twice in the rows of a series, and a static column that changes."""
    for name, index in zip(ids, rows):
        twice = when[index][1:] == when[index][:-1]
        if twice.any():
            first = index[1:][twice].min()
            raise ValueError(
                f"{ds} must not occur twice in a series, as it does in {name!r}: {when[first]} in "
                f"row {first}"
            )
        for label, column in static.items():
            changed = column[index] != column[index[0]]
            if changed.any():
                raise ValueError(
                    f"{label} must stay the same within a series, not so in {name!r}: "
                    f"{column[index[changed].min()]:g} in row {index[changed].min()}"
                )


def _check_gaps(gaps, mask_value):
    checks.one_of("gaps", gaps, ["refuse", "fill", "mask", "join"])
    if gaps == "mask":
        filler("mask_value", mask_value)
    elif mask_value is not None:
        raise ValueError(f"mask_value must be None unless gaps is 'mask', got {mask_value!r}")


def _check_rows(table, names):
    """Refuse columns of pandas whose rows have other labels: they would be joined by position."""
    labels = {name: getattr(table[name], "index", None) for name in names}
    labelled = [(name, label) for name, label in labels.items() if hasattr(label, "equals")]
    for name, label in labelled[1:]:
        if not label.equals(labelled[0][1]):
            raise ValueError(
                f"{name} must have the rows of {labelled[0][0]}, got another index; "
                "pandas.DataFrame(table) brings rows of one label together"
            )


def _check_names(table, wanted):
    if not hasattr(table, "columns") and not isinstance(table, Mapping):
        raise ValueError(f"table must be a dict of columns or a data frame, got {table!r:.80}")
    known = checks.listing("table", getattr(table, "columns", table))
    for name in wanted:
        checks.one_of("column", name, known)
        if wanted.count(name) > 1:
            raise ValueError(f"column must be named once, got {name!r} twice")
