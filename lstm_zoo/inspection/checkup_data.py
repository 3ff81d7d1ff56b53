"""Checks of the data that a model gets: scale, padding, leaks, classes."""

from __future__ import annotations

import numpy as np

from lstm_zoo.inspection.checkup_subject import SCALE_TARGETS, Finding, check, evenly, named

# A glorot weight of a small layer is about 0.3: a feature of size 10 adds 3 to what a gate sees,
# where the sigmoid is within 0.05 of 1. A feature below 0.01 moves a gate by less than 0.001.
LARGE_INPUT, SMALL_INPUT = 10.0, 0.01
# Adam moves a weight by about its learning rate a step (Kingma & Ba 2015, section 2.1): at 1e-3 a
# bias needs 10,000 steps to reach 10.
LARGE_TARGET, SMALL_TARGET = 10.0, 0.01
# Fewer rows that end alike, or shorter runs, are also seen in data without padding.
PADDED_ROWS, PADDED_STEPS = 0.2, 3
# From this share on, a model that always says the same class is right nine times in ten.
MAJORITY = 0.9
# Beside |r| = 0.999 what is left of the target has 1/22 of its deviation. A series that goes on
# smoothly reaches that too, at many steps alike: so a step must stand out, or leave nothing.
LEAK, NOTHING_LEFT, LEAST_SAMPLES = 0.999, 1e-6, 20
# Barz & Denzler 2020 found 3 % and 10 % of two test sets in their training sets, and a ranking of
# models changed by it.
OVERLAP = 0.01

LECUN = "LeCun et al. 1998, Efficient BackProp, https://doi.org/10.1007/3-540-49430-8_2"
MASKING = "https://keras.io/guides/understanding_masking_and_padding/"
KAUFMAN = "Kaufman et al. 2012, Leakage in data mining, https://doi.org/10.1145/2382577.2382579"


@check
def inputs_out_of_scale(subject):
    cells = [getattr(layer, "cell", None) for layer in subject.layers]
    if any(getattr(cell, "reads_times", False) for cell in cells):
        return
    for name, array in subject.inputs().items():
        if array.ndim < 2 or subject.is_tokens(array):
            continue
        values = subject.scaled(array)
        if values is None:
            continue
        counts = subject.counts(array) if array.ndim > 2 else np.ones(len(array), bool)
        sizes = np.sqrt(np.mean(values[counts].astype("float64") ** 2, axis=0)).ravel()
        sizes = np.where(sizes == 0, 1, sizes)  # a feature that is always 0 does no harm
        worst = int(np.argmax(np.abs(np.log(sizes)))) if sizes.size else 0
        size = float(sizes[worst]) if sizes.size else 1.0
        if SMALL_INPUT <= size <= LARGE_INPUT:
            continue
        yield Finding(
            "inputs out of scale",
            size,
            LARGE_INPUT if size > LARGE_INPUT else SMALL_INPUT,
            f"Feature {worst} of {name} has a root mean square of {size:.3g}; layers start out for "
            "inputs near 1.",
            'build the model with normalise="running", or put keras.layers.Normalization() first',
            LECUN,
        )


@check
def targets_out_of_scale(subject):
    if subject.labels is not None or subject.layer_of(SCALE_TARGETS) is not None:
        return
    y = subject.y.astype("float64").reshape(len(subject.y), -1)
    sizes = np.sqrt(np.mean(y**2, axis=0))
    sizes = np.where(sizes == 0, 1, sizes)
    worst = int(np.argmax(np.abs(np.log(sizes))))
    size = float(sizes[worst])
    if not SMALL_TARGET <= size <= LARGE_TARGET:
        yield Finding(
            "targets out of scale",
            size,
            LARGE_TARGET if size > LARGE_TARGET else SMALL_TARGET,
            f"Target {worst} has a root mean square of {size:.3g}; the last layer starts near 0 "
            "and takes long to get there.",
            "train on (y - y.mean(0)) / y.std(0), and scale predictions back",
            "Kingma & Ba 2015, section 2.1, https://arxiv.org/abs/1412.6980",
        )


def _run(rows):
    """Of each row, how many of its last steps equal the very last one."""
    same = (rows == rows[:, -1:]).all(axis=2)[:, ::-1]
    return np.where(same.all(axis=1), same.shape[1], np.argmin(same, axis=1))


@check
def unmasked_padding(subject):
    if subject.has_mask:
        return
    for name, array in subject.inputs().items():
        if not (array.ndim == 3 or subject.is_tokens(array)) or array.shape[1] <= PADDED_STEPS:
            continue
        rows = array if array.ndim == 3 else array[..., None]
        for side, turned in (("end", rows), ("start", rows[:, ::-1])):
            last = turned[:, -1]
            run = np.where((last == last[:, :1]).all(axis=1), _run(turned), 0)
            long = run >= PADDED_STEPS
            if not long.any():
                continue
            values, times = np.unique(last[long, 0], return_counts=True)
            value = values[np.argmax(times)]
            padded = long & (last[:, 0] == value)
            share = float(np.mean(padded))
            lengths = np.where(last[:, 0] == value, run, 0)
            if share >= PADDED_ROWS and len(np.unique(lengths)) > 1:
                yield Finding(
                    "unmasked padding",
                    share,
                    PADDED_ROWS,
                    f"{share:.0%} of the rows of {name} repeat {value:g} at their {side}, and the "
                    "model has no mask: it reads the padding as data.",
                    f"build the model with mask_value={value:g}",
                    MASKING,
                )


@check
def mask_value_in_data(subject):
    if subject.mask_value is None:
        return
    for name, array in subject.inputs().items():
        if not (array.ndim == 3 or subject.is_tokens(array)) or array.ndim < 2:
            continue
        counts = subject.counts(array)
        before = np.logical_or.accumulate(counts, axis=1)
        after = np.logical_or.accumulate(counts[:, ::-1], axis=1)[:, ::-1]
        share = float(np.mean((~counts & before & after).any(axis=1)))
        if share > 0:
            yield Finding(
                "mask value in data",
                share,
                0.0,
                f"{share:.0%} of the rows of {name} have steps full of {subject.mask_value:g} in "
                "their middle, which the model skips. That is right only for missing steps.",
                "choose a value that no step has: lz.pad(sequences, value=-999.0) and "
                "mask_value=-999.0",
                MASKING,
            )


@check
def too_few_classes(subject):
    labels = subject.labels
    if labels is None or len(labels) < 2:
        return
    classes, times = np.unique(labels, return_counts=True)
    share = float(times.max() / len(labels))
    if share > MAJORITY:
        only = "All" if len(classes) == 1 else f"{share:.1%} of"
        yield Finding(
            "one class" if len(classes) == 1 else "class imbalance",
            share,
            MAJORITY,
            f"{only} labels are class {classes[np.argmax(times)]}: always guessing it is right in "
            f"{share:.1%}.",
            "give lz.fit class_weight={label: 1 / count, ...} and judge by keras.metrics.F1Score",
            "He & Garcia 2009, Learning from imbalanced data, https://doi.org/10.1109/TKDE.2008.239",
        )


def _correlations(columns, targets):
    """`(columns, targets)` of |r|; 0 where one of the two is constant."""
    columns, targets = (a - a.mean(axis=0) for a in (columns, targets))
    sizes = np.sqrt(np.outer(np.sum(columns**2, axis=0), np.sum(targets**2, axis=0)))
    return np.abs(np.divide(columns.T @ targets, sizes, out=np.zeros_like(sizes), where=sizes > 0))


@check
def target_in_inputs(subject):
    y = subject.y.astype("float64").reshape(len(subject.y), -1)
    if len(y) < LEAST_SAMPLES:
        return
    for name, array in subject.inputs().items():
        if subject.is_tokens(array) or array.ndim not in (2, 3):
            continue
        if array.shape == subject.y.shape:
            continue  # an autoencoder's target is its input
        steps = array.shape[1] if array.ndim == 3 else 1
        columns = array.astype("float64").reshape(len(array), -1)
        r = _correlations(columns, y).max(axis=1).reshape(steps, -1)
        step, feature = np.unravel_index(np.argmax(r), r.shape)
        most, left = float(r[step, feature]), 1 - r[:, feature]
        stands_out = np.median(left) > 10 * left[step]
        if most > LEAK and (stands_out or left[step] < NOTHING_LEFT):
            yield Finding(
                "target in inputs",
                most,
                LEAK,
                f"Feature {feature} of {name} at step {step} correlates with the target by "
                f"{most:.5f}: it almost determines what the model is to find out.",
                f"leave it out if it is not known at the time of the forecast: "
                f"np.delete({name}, {feature}, axis=-1)",
                KAUFMAN,
            )


@check
def validation_overlaps(subject):
    if subject.validation is None:
        return
    mine, theirs = named(subject.all_x), named(subject.validation[0])
    rows = [{k: np.ascontiguousarray(v) for k, v in one.items()} for one in (mine, theirs)]
    whole = {_bytes(rows[0], n) for n in range(len(subject.all_y))}
    chosen = evenly(len(subject.validation[1]), 2048)
    found = np.array([_bytes(rows[1], n) in whole for n in chosen])
    what = "are training samples"
    for name, array in rows[0].items():
        length = max(4, array.shape[1] // 4) if array.ndim == 3 else 0
        if not length or array.shape[1] <= length or array.dtype.kind != "f":
            continue
        ends = rows[1][name][chosen, -length:]
        varied = np.array([len(np.unique(end)) >= 4 for end in ends])
        known = {end.tobytes() for end in ends[varied]}
        hit = set()
        for row in array:
            parts = (row[k : k + length].tobytes() for k in range(len(row) - length + 1))
            hit |= known.intersection(parts)
        shared = varied & np.array([end.tobytes() in hit for end in ends])
        if shared.sum() > found.sum():
            found, what = found | shared, f"end in steps that training samples hold too ({name})"
    share = float(np.mean(found))
    if share > OVERLAP:
        yield Finding(
            "validation overlaps training",
            share,
            OVERLAP,
            f"{share:.1%} of the validation samples {what}: the validation score is too good.",
            "split by time first: lz.windows(series[:n], ...) and lz.windows(series[n:], ...)",
            "Barz & Denzler 2020, https://doi.org/10.3390/jimaging6060041",
        )


def _bytes(arrays, n):
    return b"".join(arrays[name][n].tobytes() for name in sorted(arrays))
