"""Bands around forecasts: their quantiles, and how wide they must be to cover what they say."""

import math

import numpy as np

from lstm_zoo import checks

ENOUGH = 30  # windows to say for each step ahead how wide a band must be


def all_quantiles(levels, quantiles) -> tuple[float, ...]:
    """The quantiles to forecast, the median among them.

    >>> all_quantiles((0.9, 0.5), None)
    (0.05, 0.25, 0.5, 0.75, 0.95)
    """
    if quantiles is not None:
        return tuple(sorted({*checks.rising_fractions("quantiles", quantiles), 0.5}))
    found = {0.5}
    for level in checks.listing("levels", levels):
        (level,) = checks.rising_fractions("levels", [level])
        found |= {round((1 - level) / 2, 6), round((1 + level) / 2, 6)}
    return tuple(sorted(found))


def widening(raw, truth, sizes, quantiles):
    """What to move each quantile by, in `sizes`, so that the pairs cover what they say.

    Bands only become wider: those windows also chose the weights, so errors on them are too small.
    Of each pair the scores of Romano et al. 2019, Conformalized quantile regression,
    https://arxiv.org/abs/1905.03222, pooled over series and targets, and over steps ahead where
    there are few windows.
    """
    by_step = len(truth) >= ENOUGH
    widen = np.zeros((truth.shape[1], 1, len(quantiles)))
    for k in range(len(quantiles) // 2):
        low, high = raw[..., k], raw[..., -1 - k]
        score = np.maximum(low - truth, truth - high) / sizes  # (windows, horizon, targets)
        score = score.transpose(1, 0, 2).reshape(len(widen) if by_step else 1, -1)
        score = np.sort(score, axis=1)
        rank = math.ceil((score.shape[1] + 1) * (quantiles[-1 - k] - quantiles[k]))
        move = np.maximum(score[:, [min(rank, score.shape[1]) - 1]], 0.0)
        widen[..., k], widen[..., -1 - k] = -move, move
    return widen
