"""Answers to try in the exercises of notebook 09: a right one, and careless ones."""

import numpy as np

# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "09-1": (877, [876, 900, 976, 1000]),
    "09-2": (
        lambda truth, forecast, q: np.mean(
            np.maximum(q * (truth - forecast), (q - 1) * (truth - forecast))
        ),
        [
            lambda truth, forecast, q: np.mean(
                np.maximum((1 - q) * (truth - forecast), -q * (truth - forecast))
            ),
            lambda truth, forecast, q: q * np.mean(np.abs(truth - forecast)),
            lambda truth, forecast, q: np.mean(np.abs(truth - forecast)),
        ],
    ),
    "09-3": (
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
}
