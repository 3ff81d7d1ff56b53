"""The linear forecast that a new model starts from, in closed form."""

import numpy as np

PENALTIES = 10.0 ** np.arange(-3, 3, 0.5)  # for each window


def linear_start(season: int, training, validation) -> np.ndarray:
    """A kernel `(input_steps, horizon)` for `layers.SeasonalLinear`, by ridge regression.

    What comes is regressed on how far the newest step is from the step one season before, and on
    the means of such differences over the last season and over the whole past: a pattern that
    repeats itself adds nothing, and few windows are enough. The penalty is the one with the lowest
    error on the validation windows; zeros, which leave the seasonal naive forecast, are among the
    choices.

    Args:
        season: steps after which the series repeat themselves.
        training, validation: the past `(windows, input_steps, targets)`, what comes
            `(windows, horizon, targets)`, and the size of an error `(windows, 1, targets)`.

    Example:
        >>> line = np.lib.stride_tricks.sliding_window_view(np.arange(30.0), 6)[..., None]
        >>> windows = line[:, :4], line[:, 4:], np.ones((len(line), 1, 1))
        >>> kernel = linear_start(1, windows, windows)
        >>> (line[:1, 3] + line[:1, :4, 0] @ kernel).round(2).tolist()  # after 0, 1, 2, 3
        [[4.0, 5.0]]

    Source:
        Hoerl & Kennard 1970, Ridge regression, https://doi.org/10.1080/00401706.1970.10488634.
    """
    basis = _basis(training[0].shape[1], season)
    x, y, _ = _scaled(season, *training)
    tested, truth, weight = _scaled(season, *validation)
    x, tested = x @ basis, tested @ basis
    best = np.zeros((basis.shape[1], y.shape[1]))
    lowest = np.mean(np.abs(truth) * weight)
    products, answers = x.T @ x, x.T @ y
    for penalty in PENALTIES:
        found = np.linalg.solve(products + penalty * len(x) * np.eye(len(products)), answers)
        error = np.mean(np.abs(truth - tested @ found) * weight)
        if error < lowest:
            best, lowest = found, error
    return basis @ best


def _basis(steps, season):
    """The weights `(steps, 3)` of the steps in what is regressed on."""
    basis = np.zeros((steps, 3))
    for column, count in enumerate((1, season, steps - season)):
        count = min(count, steps - season)
        for last in range(count):
            basis[-1 - last, column] += 1 / count
            basis[-1 - last - season, column] -= 1 / count
    return basis


def _scaled(season, past, ahead, size):
    """Of each window and target, scaled as `layers.WindowScale` does: the past, `(rows, steps)`;
    what comes less the seasonal naive forecast, `(rows, horizon)`; the weight of its errors."""
    mean, spread = past.mean(axis=1, keepdims=True), past.std(axis=1, keepdims=True)
    changes = spread > 1e-6 * np.abs(mean)
    spread = np.where(changes, spread, 1.0)
    repeated = [past[:, k % season - season] for k in range(ahead.shape[1])]
    x = changes * (past - mean) / spread
    y = changes * (ahead - np.stack(repeated, axis=1)) / spread
    weight = np.broadcast_to(spread / size, y.shape)
    return [part.transpose(0, 2, 1).reshape(-1, part.shape[1]) for part in (x, y, weight)]
