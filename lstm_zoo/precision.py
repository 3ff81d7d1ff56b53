"""Refuses numbers that float32 can't tell apart, before they are made float32."""

import numpy as np

_LOOK = 2**20  # numbers looked at together
_PARTS = 64  # of an array that is larger than so many looks, spread evenly over it
_LOST = 0.1  # of the changes from step to step, as root mean squares
_ROUNDING = 1e-14  # of the largest number: changes below are rounding of float64
_HOW = "subtract a level first, such as the mean, and scale what is left"
_EXACT = 2**53  # whole numbers from here on are rounded by float64 too


def single(argument, value):
    """An array as float32, or a `ValueError` if that rounds away how it changes.

    >>> single("x", np.array([0.5, 1.5])).dtype
    dtype('float32')
    >>> single("x", 1e9 + np.arange(3.0))
    Traceback (most recent call last):
    ValueError: x must fit in float32, which has 7 digits: numbers up to 1e+09 change by about 1 \
from step to step, which it rounds away; subtract a level first, such as the mean, and scale what \
is left
    """
    check_single(argument, [value])
    return value.astype("float32", copy=False)


def check_single(argument, arrays):
    """Refuse arrays of which float32 rounds away how they change from step to step.

    Each feature (the last axis, where there are two or more) is looked at by itself, over all of
    the arrays. What is not finite is left out. Of an array that is larger than 64 million numbers,
    parts are looked at.

    Args:
        argument: what the message calls them.
        arrays: each `(timesteps,)`, `(timesteps, features)` or `(samples, timesteps, features)`,
            of numbers.

    Raises:
        ValueError: numbers beyond float32, or changes of which it loses a tenth or more.
    """
    changes = [_changes(argument, part) for array in arrays for part in _parts(array)]
    if not changes:
        return
    count, moved, lost, largest = (np.array(column) for column in zip(*changes))
    if not count.any():
        return
    largest = largest.max(axis=0)
    moved, lost = (np.sqrt(total.sum(axis=0) / count.sum()) for total in (moved, lost))
    wrong = (moved > _ROUNDING * largest) & (lost > _LOST * moved)
    wrong |= (largest > 0) & (largest < np.finfo("float32").tiny)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise ValueError(
            f"{argument} must fit in float32, which has 7 digits: numbers up to {largest[k]:.4g} "
            f"change by about {moved[k]:.2g} from step to step, which it rounds away; {_HOW}"
        )


def _parts(array):
    """Pieces of an array that is not exact in float32 as it is, each with steps before the last
    axis."""
    if array.dtype.kind not in "iuf" or array.dtype.itemsize < 4 or array.dtype == "float32":
        return
    if array.ndim < 2:
        array = array.reshape(-1, 1)
    if array.ndim == 3 and array.shape[1] == 1:  # no steps: from sample to sample
        array = array[:, 0]
    rows = max(2, _LOOK // max(1, array[:1].size))
    starts = range(0, max(1, len(array) - 1), rows)
    if len(starts) > _PARTS:
        starts = np.linspace(0, len(array) - rows, _PARTS).astype("int64")
    for start in starts:
        yield array[start : start + rows + 1]


def _changes(argument, part):
    """How many changes there are; their squares and those of what float32 loses; the largest
    number: of each feature."""
    whole = part.dtype.kind in "iu"
    x = part.astype("float64")
    x[~np.isfinite(x)] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        lost = x - x.astype("float32")
    over = np.isinf(lost)
    if over.any() or (whole and np.abs(x).max(initial=0) > _EXACT):
        most = np.abs(x[over] if over.any() else x).max()
        raise ValueError(
            f"{argument} must fit in float32, which has 7 digits and ends at 3.4e+38, got "
            f"{most:.4g}; {_HOW}"
        )
    steps = tuple(range(x.ndim - 1))
    moved, lost = (np.diff(a, axis=-2) ** 2 for a in (x, lost))
    largest = np.fmax.reduce(np.abs(x), axis=steps, initial=0)
    sums = (np.nansum(a, axis=steps) for a in (moved, lost))
    return moved.size // max(1, moved.shape[-1]), *sums, largest
