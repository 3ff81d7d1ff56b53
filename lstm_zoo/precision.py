"""Refuses numbers whose changes float32 would round away."""

import numpy as np

_LOOK = 2**20  # numbers to check at a time
_PARTS = 64  # parts of _LOOK numbers to check of a larger array, spread evenly
_LOST = 0.1  # largest loss, as a fraction of the changes from step to step (root mean squares)
_ROUNDING = 1e-14  # changes below this fraction of the largest number are float64 rounding error
_HOW = "subtract a constant first, such as the mean, then scale"
_EXACT = 2**53  # float64 rounds larger whole numbers too


def single(argument, value):
    """Convert an array to float32; raises a `ValueError` if this rounds its changes away.

    >>> single("x", np.array([0.5, 1.5])).dtype
    dtype('float32')
    >>> single("x", 1e9 + np.arange(3.0))
    Traceback (most recent call last):
    ValueError: x must fit in float32, which has 7 digits: numbers up to 1e+09 change by about 1 \
from step to step, and float32 rounds these changes away; subtract a constant first, such as the \
mean, then scale
    """
    check_single(argument, [value])
    return value.astype("float32", copy=False)


def check_single(argument, arrays):
    """Refuse arrays whose changes from step to step float32 would round away.

    Each feature (the last axis, if there are two or more axes) is checked separately, over all
    arrays. Values that are not finite are ignored. Of an array with more than 64 million numbers,
    only parts are checked.

    Args:
        argument: the name of the arrays in an error message.
        arrays: numeric arrays of shape `(timesteps,)`, `(timesteps, features)` or
            `(samples, timesteps, features)`.

    Raises:
        ValueError: if a number is too large for float32, or if float32 loses a tenth or more of the
            changes.
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
            f"change by about {moved[k]:.2g} from step to step, and float32 rounds these changes "
            f"away; {_HOW}"
        )


def _parts(array):
    """The parts of an array to check; none if float32 represents it exactly.

    The axis before the last is time.
    """
    if array.dtype.kind not in "iuf" or array.dtype.itemsize < 4 or array.dtype == "float32":
        return
    if array.ndim < 2:
        array = array.reshape(-1, 1)
    if array.ndim == 3 and array.shape[1] == 1:  # a single step: compare samples instead
        array = array[:, 0]
    rows = max(2, _LOOK // max(1, array[:1].size))
    starts = range(0, max(1, len(array) - 1), rows)
    if len(starts) > _PARTS:
        starts = np.linspace(0, len(array) - rows, _PARTS).astype("int64")
    for start in starts:
        yield array[start : start + rows + 1]


def _changes(argument, part):
    """For each feature: the number of changes, the sums of squares of the changes and of what
    float32 loses of them, and the largest number."""
    whole = part.dtype.kind in "iu"
    x = part.astype("float64")
    x[~np.isfinite(x)] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        lost = x - x.astype("float32")
    over = np.isinf(lost)
    if over.any() or (whole and np.abs(x).max(initial=0) > _EXACT):
        most = np.abs(x[over] if over.any() else x).max()
        raise ValueError(
            f"{argument} must fit in float32, which has 7 digits and a maximum of 3.4e+38, got "
            f"{most:.4g}; {_HOW}"
        )
    steps = tuple(range(x.ndim - 1))
    moved, lost = (np.diff(a, axis=-2) ** 2 for a in (x, lost))
    largest = np.fmax.reduce(np.abs(x), axis=steps, initial=0)
    sums = (np.nansum(a, axis=steps) for a in (moved, lost))
    return moved.size // max(1, moved.shape[-1]), *sums, largest
