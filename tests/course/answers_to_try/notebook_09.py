"""Answers to try in the exercises of notebook 09: a right one, and careless ones."""

import numpy as np

DAY, WEEK = 48, 7 * 48


def windows_of(series, train, past, first=None, scaled_by=None):
    part = series[: train if scaled_by is None else scaled_by]
    scaled = (series - part.mean()) / part.std()
    begin = train if first is None else first
    return np.array([scaled[t - past : t] for t in range(begin, len(series))])


def last_week_times_the_last_day(past, horizon):
    return past[-WEEK:][:horizon] * past[-DAY:].mean() / past[-WEEK - DAY : -WEEK].mean()


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "09-1": (877, [876, 900, 976, 1000]),
    "09-2": (
        lambda series, forecasts: (
            np.abs(forecasts[1:] - series[1:]).mean() / np.abs(np.diff(series)).mean()
        ),
        [
            lambda series, forecasts: (
                np.abs(forecasts - series).mean() / np.abs(np.diff(series)).mean()
            ),
            lambda series, forecasts: (
                np.abs(np.diff(series)).mean() / np.abs(forecasts[1:] - series[1:]).mean()
            ),
            lambda series, forecasts: (
                np.abs(forecasts[1:] - series[:-1]).mean() / np.abs(np.diff(series)).mean()
            ),
        ],
    ),
    "09-3": (
        lambda series, train, past: windows_of(series, train, past),
        [
            lambda series, train, past: windows_of(series, train, past, scaled_by=len(series)),
            lambda series, train, past: windows_of(series, train, past, first=train + past),
            lambda series, train, past: windows_of(series, train, past, first=past),
            lambda series, train, past: windows_of(series, train, past)[:-1],
        ],
    ),
    "09-4": (
        last_week_times_the_last_day,
        [
            lambda past, horizon: past[-WEEK:][:horizon],
            lambda past, horizon: past[-DAY:][:horizon],
            lambda past, horizon: np.full(horizon, past[-1]),
            lambda past, horizon: last_week_times_the_last_day(past, DAY),
        ],
    ),
}
