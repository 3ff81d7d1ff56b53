"""How the times of series go on after their end."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_zoo.sequences.gaps import DAY, Clock
from lstm_zoo.sequences.table import Panel


@dataclass(frozen=True)
class Calendar:
    """How the times of series go on, and what their column is called.

    `name` is that of the column of times, None where rows are only counted; `id_name` that of the
    column of ids, None of a single series. `zone` is the time zone. `wall` says whether times are
    those of a clock in that zone, as for days, or UTC, as for hours.
    """

    name: str | None
    id_name: str | None
    zone: Any = None
    wall: bool = False

    def ahead(self, panel: Panel, steps: int) -> list[np.ndarray]:
        """The times `(steps,)` after the end of each series.

        Days go on on the weekdays that the series have.
        """
        clock = Clock(np.concatenate(panel.times))
        step, open_days = step_of(panel, clock), weekdays(panel)
        found = []
        for times in panel.times:
            if open_days is not None:
                day = times[-1].astype("M8[D]")
                days = np.busday_offset(day, np.arange(1, steps + 1), weekmask=open_days)
                found.append((days + (times[-1] - day)).astype(times.dtype))
                continue
            [last] = clock.numbers(times[-1:])
            found.append(clock.times(last + step * np.arange(1, steps + 1)))
        return found

    def said(self, time) -> str:
        """A time as a sentence has it."""
        if self.zone is not None or time.dtype.kind != "M":
            [time] = self.shown(np.array([time]))
        return re.sub(r"[T ]00:00:00$", "", re.sub(r"\.0+$", "", str(time)))

    def shown(self, times):
        """Times `(steps,)` as pandas has them, in the zone in which they came."""
        if times.dtype.kind != "M" or self.zone is None:
            return times
        import pandas

        index = pandas.DatetimeIndex(times)
        if self.wall:
            return index.tz_localize(self.zone, nonexistent="shift_forward", ambiguous=False)
        return index.tz_localize("UTC").tz_convert(self.zone)


def step_of(panel: Panel, clock: Clock):
    """The shortest time between two rows of a series, as the clock counts; 1 if all have one."""
    between = [np.diff(clock.numbers(times)) for times in panel.times]
    return min((one.min() for one in between if len(one)), default=1)


def weekdays(panel: Panel) -> np.ndarray | None:
    """Which weekdays `(7,)` the series have, from Monday: of days with gaps where some weekdays
    never occur in two weeks or more, as business days; else None.

    >>> from lstm_zoo.sequences.frames import read
    >>> fridays_off = np.busday_offset("2024-01-01", np.arange(9), weekmask="1111000")
    >>> panel, _ = read({"day": fridays_off, "sales": np.arange(9.0)}, gaps="join")
    >>> weekdays(panel).tolist()
    [True, True, True, True, False, False, False]
    """
    if panel.times[0].dtype.kind != "M":
        return None
    clock = Clock(np.concatenate(panel.times))
    steps = np.concatenate([np.diff(times) for times in panel.times])
    span = max(times[-1] - times[0] for times in panel.times)
    if clock.within is not None or not len(steps) or steps.min() != DAY or span < 13 * DAY:
        return None
    days = np.concatenate(panel.times).astype("M8[D]").astype("int64")
    found = np.isin(np.arange(7), (days + 3) % 7)  # 1 January 1970 was a Thursday
    return None if found.all() else found
