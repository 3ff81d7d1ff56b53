"""Answers to the exercises of notebook 09, forecasting."""

import numpy as np

from lstm_zoo import datasets
from lstm_zoo.course.exercises import exercise, near, same_function

DAY, WEEK = 48, 7 * 48  # steps of the series "electricity"


@exercise(
    "09-1",
    "How long is one window together with what it forecasts?",
    "The last window must end with the series: at which step does it begin? Count from 0.",
    "Windows begin at 0, 1, ..., 1000 - 124. Count both ends.",
)
def _(answer):
    return near(answer, 877, 0)


@exercise(
    "09-2",
    "What does repeating the last value forecast for series[t]?",
    "Repeating forecasts series[t - 1] for series[t]; both errors start at t = 1.",
    "Divide the mean of |forecasts[1:] - series[1:]| by the mean of |series[:-1] - series[1:]|.",
)
def _(answer):
    def ratio(series, forecasts):
        return np.abs(forecasts[1:] - series[1:]).mean() / np.abs(np.diff(series)).mean()

    rng = np.random.default_rng(0)
    return same_function(answer, ratio, [tuple(rng.normal(size=(2, n))) for n in (4, 7, 12)])


@exercise(
    "09-3",
    "Which steps do mean and standard deviation come from? Where does the first window begin?",
    "The first window ends just before step `train`, the last one step before the series ends.",
    "Scale by series[:train]; stack scaled[t - past : t] for t from train to len(series) - 1.",
)
def _(answer):
    def windows_of(series, train, past):
        scaled = (series - series[:train].mean()) / series[:train].std()
        return np.array([scaled[t - past : t] for t in range(train, len(series))])

    rng = np.random.default_rng(0)
    sizes = (20, 12, 5), (20, 15, 4), (31, 12, 5), (24, 16, 8)
    return same_function(answer, windows_of, [(rng.normal(size=n), *rest) for n, *rest in sizes])


@exercise(
    "09-4",
    "By which factor does the demand of the last day differ from that of a week before it?",
    "If the last day was 3 % above the same day a week ago, tomorrow may be, too.",
    "Multiply past[-WEEK:][:horizon] by past[-DAY:].mean() / past[-WEEK - DAY : -WEEK].mean().",
)
def _(answer):
    data = datasets.load("electricity")
    demand = np.concatenate([data.x_train, data.x_test])[:, 0].astype("float64")
    errors: dict[bool, list] = {True: [], False: []}
    for day, known in enumerate(range(15 * DAY, len(demand) - DAY + 1, DAY)):
        past, horizon = demand[:known].copy(), DAY if day % 7 else DAY // 2
        forecast = np.asarray(answer(past, horizon), float)
        if forecast.shape != (horizon,) or not np.array_equal(past, demand[:known]):
            return False
        truth = demand[known : known + horizon]
        errors[known < len(data.x_train)].append(np.mean(np.abs(forecast - truth) / truth))
    return all(np.mean(several) < 0.015 for several in errors.values())
