"""Finds faults of training data that raise no error: numbers out of scale, leaks, overlap.

`lz.checkup` checks for all of them, `lz.fit` only for those that are cheap to find.
"""

from __future__ import annotations

import numpy as np

# A Glorot weight of a small layer is about 0.3. So a feature of size 10 adds 3 to the
# pre-activation of a gate, where the sigmoid is within 0.05 of 1, and a feature below 0.01 moves a
# gate by less than 0.001.
LARGE_INPUT, SMALL_INPUT = 10.0, 0.01
# Adam moves a weight by about the learning rate per step (Kingma & Ba 2015, section 2.1), so at
# 1e-3 a bias needs 10,000 steps to reach 10.
LARGE_TARGET, SMALL_TARGET = 10.0, 0.01
# At |r| = 0.999, the unexplained rest of the target has 1/22 of its standard deviation. A smooth
# series reaches this too, but then 1 - |r| is about 4 times as large at the previous step (2 times
# for a random walk). A leak must differ more from its neighbours, or explain everything.
LEAK, NOTHING_LEFT, LEAST_SAMPLES = 0.999, 1e-6, 20
# Barz & Denzler 2020 found 3 % and 10 % of two test sets in their training sets, which changed a
# ranking of models.
OVERLAP = 0.01
# Layers that bring inputs or targets to the scale of the model.
SCALE_INPUTS = {
    "RunningNormalization",
    "Normalization",
    "BatchNormalization",
    "LayerNormalization",
    "Rescaling",
    "WindowScale",
}
SCALE_TARGETS = {"TargetScale", "ScaledBack", "Rescaling"}


def evenly(count, most):
    """At most `most` of `count` samples, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def is_one_of(layer, names):
    """Whether a layer's class or a base class has one of these names."""
    return not names.isdisjoint(kind.__name__ for kind in type(layer).__mro__)


def scales_targets(layer):
    """Whether a layer may scale outputs to the targets."""
    return is_one_of(layer, SCALE_TARGETS) or getattr(layer, "invert", False)


def worst_scale(values):
    """The column whose root mean square is farthest from 1, and this root mean square.

    Columns of zeros are ignored.
    """
    sizes = np.sqrt(np.mean(np.asarray(values, "float64") ** 2, axis=0)).ravel()
    sizes = np.where(sizes == 0, 1, sizes)
    if not sizes.size:
        return 0, 1.0
    worst = int(np.argmax(np.abs(np.log(sizes))))
    return worst, float(sizes[worst])


def leak(x, y):
    """The step and feature of `x` that almost determine a column of `y`, with |r|, or None.

    Args:
        x: `(samples, timesteps, features)` or `(samples, features)`.
        y: `(samples, targets)`.
    """
    steps = x.shape[1] if x.ndim == 3 else 1
    columns = x.reshape(len(x), steps, -1)
    r = np.stack([_correlations(columns[:, t], y).max(axis=1) for t in range(steps)])
    feature = int(np.argmax(r.max(axis=0)))
    most, left = float(r[:, feature].max()), 1 - r[:, feature]
    step = int(np.flatnonzero(r[:, feature] > most - 1e-9)[-1])  # the last of several equal steps
    beside = np.delete(left[max(step - 1, 0) : step + 2], min(step, 1))
    stands_out = bool(beside.size) and beside.min() > 10 * left[step]
    if most > LEAK and (stands_out or left[step] < NOTHING_LEFT):
        return step, feature, most
    return None


def _correlations(columns, targets):
    """The correlations |r| `(columns, targets)`; 0 if one of the two is constant."""
    columns, targets = (np.asarray(a, "float64") for a in (columns, targets))
    columns, targets = (a - a.mean(axis=0) for a in (columns, targets))
    sizes = np.sqrt(np.outer(np.sum(columns**2, axis=0), np.sum(targets**2, axis=0)))
    return np.abs(np.divide(columns.T @ targets, sizes, out=np.zeros_like(sizes), where=sizes > 0))


def overlap(training, validation, most=2048):
    """The share of validation samples that occur in the training data, and a description.

    Args:
        training, validation: dicts of arrays with the same names.
        most: largest number of validation samples to check.
    """
    count = len(next(iter(validation.values())))
    chosen = evenly(count, most)
    how = "are training samples"
    places = None
    for name, array in training.items():
        rows = np.ascontiguousarray(validation[name][chosen]).reshape(len(chosen), -1)
        same = _rows_like(np.asarray(array).reshape(len(array), -1), rows)
        places = same if places is None else [a & b for a, b in zip(places, same)]
    found = np.array([bool(one) for one in places or []])
    for name, array in training.items():
        if array.ndim != 3 or array.dtype.kind != "f":
            continue
        length = max(4, array.shape[1] // 4)
        if array.shape[1] <= length:
            continue
        ends = np.ascontiguousarray(validation[name][chosen, -length:])
        shared = _ends_within(array, ends)
        if shared.sum() > found.sum():
            found = found | shared
            how = f"end in steps that also occur in training samples ({name})"
    return float(np.mean(found)), how


def _rows_like(rows, wanted):
    """The set of equal rows for each wanted row."""
    equal = {one.tobytes(): set() for one in wanted}
    # Comparing one column first excludes most rows.
    column = int(np.argmax([len(np.unique(c)) for c in wanted.T[:64]])) if wanted.size else 0
    near = np.flatnonzero(np.isin(rows[:, column], wanted[:, column])) if rows.size else []
    for n in near:
        key = np.ascontiguousarray(rows[n], wanted.dtype).tobytes()
        if key in equal:
            equal[key].add(int(n))
    return [equal[one.tobytes()] for one in wanted]


def _ends_within(array, ends):
    """Which of the ends `(samples, length, features)` occur anywhere in the rows of an array."""
    varied = np.array([len(np.unique(end)) >= 4 for end in ends])
    length = ends.shape[1]
    known = {end.tobytes() for end in ends[varied]}
    last = array[:, length - 1 :, 0]
    rows, steps = np.nonzero(np.isin(last, ends[varied][:, -1, 0]))
    hit = set()
    for row, step in zip(rows, steps):
        part = np.ascontiguousarray(array[row, step : step + length], ends.dtype).tobytes()
        if part in known:
            hit.add(part)
    return varied & np.array([end.tobytes() in hit for end in ends])
