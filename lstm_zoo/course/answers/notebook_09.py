"""Answers to the exercises of notebook 09, regression and forecasting."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


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
    "A forecast too low and one too high cost different amounts. Which costs more if q is 0.9?",
    "With e = truth - forecast: q * e if e is positive, (q - 1) * e if not.",
    "np.maximum(q * e, (q - 1) * e) does both; return the mean.",
)
def _(answer):
    def quantile_loss(truth, forecast, q):
        error = truth - forecast
        return np.mean(np.maximum(q * error, (q - 1) * error))

    rng = np.random.default_rng(0)
    cases = [(*rng.normal(size=(2, n)), q) for n, q in ((4, 0.9), (7, 0.5), (9, 0.1), (5, 0.9))]
    return same_function(answer, quantile_loss, cases)


@exercise(
    "09-3",
    "What does repeating the last value forecast for series[t]?",
    "Repeating forecasts series[t - 1] for series[t]; both errors start at t = 1.",
    "Divide the mean of |forecasts[1:] - series[1:]| by the mean of |series[:-1] - series[1:]|.",
)
def _(answer):
    def ratio(series, forecasts):
        return np.abs(forecasts[1:] - series[1:]).mean() / np.abs(np.diff(series)).mean()

    rng = np.random.default_rng(0)
    return same_function(answer, ratio, [tuple(rng.normal(size=(2, n))) for n in (4, 7, 12)])
