"""Answers to try in the exercises of notebook 09b: a right one, and careless ones."""

import numpy as np


def mean_loss(truth, forecasts, quantiles):
    error = truth[:, None] - forecasts
    return np.mean(np.maximum(quantiles * error, (quantiles - 1) * error))


def interval(errors, forecast, axis=0, share=0.8):
    low, high = np.quantile(errors, [(1 - share) / 2, (1 + share) / 2], axis=axis)
    return forecast + low, forecast + high


def normal(errors, forecast):
    centre, spread = errors.mean(axis=0), 1.28 * errors.std(axis=0)
    return forecast + centre - spread, forecast + centre + spread


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "09b-1": (0.8, [0.75, 0.2, 0.25, 4]),
    "09b-2": (
        mean_loss,
        [
            lambda truth, forecasts, quantiles: mean_loss(truth, forecasts, 1 - quantiles),
            lambda truth, forecasts, quantiles: mean_loss(-truth, -forecasts, quantiles),
            lambda truth, forecasts, quantiles: np.mean(np.abs(truth[:, None] - forecasts)),
            lambda truth, forecasts, quantiles: mean_loss(truth, forecasts, quantiles) * 3,
        ],
    ),
    "09b-3": (
        lambda length, horizon, first, stride: [*range(first, length - horizon + 1, stride)],
        [
            lambda length, horizon, first, stride: [*range(first, length - horizon, stride)],
            lambda length, horizon, first, stride: [*range(first, length, stride)],
            lambda length, horizon, first, stride: [*range(first, length - horizon + 1, horizon)],
        ],
    ),
    "09b-4": (
        lambda errors, forecast: interval(errors, forecast),
        [
            lambda errors, forecast: interval(errors, forecast, axis=None),
            lambda errors, forecast: interval(errors, forecast, share=0.4),
            lambda errors, forecast: (forecast + errors.min(axis=0), forecast + errors.max(axis=0)),
            lambda errors, forecast: interval(-errors, forecast),
            lambda errors, forecast: interval(errors, forecast)[::-1],
            normal,
        ],
    ),
}
