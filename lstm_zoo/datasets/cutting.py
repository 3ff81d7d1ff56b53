"""Cuts one series into windows, as arrays; `lz.windows` cuts many series lazily."""

import numpy as np

from lstm_zoo import checks, precision


def windows(
    series, input_steps: int, horizon: int, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a series into inputs and targets for a forecaster.

    Args:
        series: (timesteps, features), or (timesteps,) for a single feature.
        input_steps: number of steps that the model reads.
        horizon: number of following steps that the model forecasts.
        stride: steps from the start of one window to the start of the next.

    Returns:
        x: (n, input_steps, features) float32.
        y: (n, horizon) float32, the first feature at the steps right after x.
        n is ``(timesteps - input_steps - horizon) // stride + 1``.

    Raises:
        ValueError: if a count is below 1, if the series is too short, of another rank or not
            finite, or if float32 rounds its changes away.

    >>> x, y = windows([0, 1, 2, 3, 4, 5], input_steps=3, horizon=2)
    >>> x[..., 0].tolist(), y.tolist()
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[3.0, 4.0], [4.0, 5.0]])

    The first forecast of a test part may read the end of the training part:

    >>> from lstm_zoo import datasets
    >>> data = datasets.load("electricity")
    >>> x, y = windows(np.concatenate([data.x_train[-336:], data.x_test]), 336, 48, stride=48)
    >>> x.shape, y.shape
    ((21, 336, 1), (21, 48))
    """
    series = _checked(series)
    input_steps = checks.count("input_steps", input_steps)
    horizon, stride = checks.count("horizon", horizon), checks.count("stride", stride)
    if len(series) < input_steps + horizon:
        raise ValueError(
            f"series must have at least input_steps + horizon = {input_steps + horizon} "
            f"timesteps, got {len(series)}"
        )
    steps = np.lib.stride_tricks.sliding_window_view(series, input_steps + horizon, axis=0)
    steps = steps[::stride].swapaxes(1, 2)
    return steps[:, :input_steps].copy(), steps[:, input_steps:, 0].copy()


def _checked(series):
    """Check a series; returns finite float32 numbers `(timesteps, features)`."""
    checks.unmasked("series", series)
    try:
        series = np.asarray(series)
        series = series if series.dtype.kind in "biuf" else series.astype("float64")
    except (TypeError, ValueError):
        raise ValueError(
            f"series must hold numbers in rows of equal length, got {series!r:.80}"
        ) from None
    if series.ndim == 1:
        series = series[:, None]
    if series.ndim != 2 or series.shape[1] == 0:
        raise ValueError(
            f"series must have shape (timesteps, features) or (timesteps,), got {series.shape}"
        )
    if not np.isfinite(series).all():
        raise ValueError("series must be finite, got NaN or infinity")
    return precision.single("series", series)
