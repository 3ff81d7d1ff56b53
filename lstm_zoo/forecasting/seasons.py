"""The season of series, from the step of their times."""

import numpy as np

from lstm_zoo import checks
from lstm_zoo.sequences.calendars import step_of, weekdays
from lstm_zoo.sequences.gaps import DAY, Clock
from lstm_zoo.sequences.table import Panel

MONTHS = {1: (12, "monthly"), 3: (4, "quarterly"), 6: (2, "half-yearly"), 12: (1, "yearly")}
SHORTEST = 288  # steps a day: every 5 minutes


def season_of(panel: Panel, season: int | None, dated: bool) -> tuple[int, str]:
    """Steps after which the series repeat themselves, and how often a step comes.

    Args:
        panel: the series.
        season: what the user says; None takes it from the step of the times.
        dated: whether the times are more than numbers of rows.

    Raises:
        ValueError: if `season` is None and the times do not tell it.

    Example:
        >>> from lstm_zoo.sequences.frames import read
        >>> panel, _ = read({"day": ["2020-01-30", "2020-01-31"], "sales": [1.0, 2.0]})
        >>> season_of(panel, None, dated=True)
        (7, 'daily')
    """
    found, said = _by_step(panel) if dated else (None, "")
    if season is not None:
        return checks.count("season", season), said
    if found is None:
        raise ValueError(
            "season must be given where the times do not tell it: the number of steps after which "
            "the series repeats itself, such as 24 for hours, or 1 for none"
        )
    return found, said


def _by_step(panel):
    if panel.times[0].dtype.kind != "M":
        return None, ""
    clock = Clock(np.concatenate(panel.times))
    step = step_of(panel, clock)
    if clock.within is not None:
        return MONTHS.get(int(step), (None, ""))
    unit, count = np.datetime_data(clock.dtype)
    length = np.timedelta64(int(step) * count, unit)
    if length == DAY:
        open_days = weekdays(panel)
        return (7, "daily") if open_days is None else (int(open_days.sum()), "business days")
    if length == 7 * DAY:
        return 52, "weekly"
    a_day = DAY / length
    if a_day == round(a_day) and 1 < a_day <= SHORTEST:
        said = "hourly" if a_day == 24 else "half-hourly" if a_day == 48 else f"{a_day:g} a day"
        return round(a_day), said
    return None, ""
