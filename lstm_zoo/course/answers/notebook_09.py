"""Answers to the exercises of notebook 09, regression and forecasting."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("09-1", "The last window must end with the series: where does it begin? Count from 0.")
def _(answer):
    return near(answer, 877, 0)


@exercise("09-2", "With e = truth - forecast: q * e if positive, (q - 1) * e if not; the mean.")
def _(answer):
    truth, forecast = np.array([3.0, 1.0, 2.0, 5.0]), np.array([1.0, 2.0, 2.0, 4.0])
    return near(answer(truth, forecast, 0.9), (0.9 * 3 + 0.1 * 1) / 4, 1e-9)


@exercise("09-3", "The last value repeated forecasts series[t - 1] for series[t].")
def _(answer):
    series, forecasts = np.array([1.0, 3.0, 2.0, 6.0]), np.array([9.0, 2.0, 2.5, 5.0])
    return near(answer(series, forecasts), 2.5 / 7, 1e-9)
