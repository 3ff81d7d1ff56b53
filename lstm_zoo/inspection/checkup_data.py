"""Checks of a model's data: scale, padding, leaks, classes."""

from __future__ import annotations

import numpy as np

from lstm_zoo import data_faults
from lstm_zoo.data_faults import (
    LARGE_INPUT,
    LARGE_TARGET,
    LEAK,
    LEAST_SAMPLES,
    OVERLAP,
    SMALL_INPUT,
    SMALL_TARGET,
)
from lstm_zoo.inspection.checkup_subject import Finding, check, deviation, named

# Data without padding may also have fewer such rows, or shorter runs.
PADDED_ROWS, PADDED_STEPS = 0.2, 3
# Above this share, a model that always predicts the same class is right nine times in ten.
MAJORITY = 0.9

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
        counts = ~np.isnan(values).any(axis=-1)  # a trace has NaN where a step is masked
        if array.ndim > 2 and values.shape[:2] == array.shape[:2]:
            counts &= subject.counts(array)
        worst, size = data_faults.worst_scale(values[counts])
        if SMALL_INPUT <= size <= LARGE_INPUT:
            continue
        yield Finding(
            "inputs out of scale",
            size,
            LARGE_INPUT if size > LARGE_INPUT else SMALL_INPUT,
            f"Feature {worst} of {name} has a root mean square of {size:.3g}, but initial weights "
            "suit inputs of about 1.",
            'build the model with normalise="running", or put keras.layers.Normalization() first',
            LECUN,
        )


@check
def targets_out_of_scale(subject):
    if subject.labels is not None or any(map(data_faults.scales_targets, subject.layers)):
        return
    forecast = subject.forecast
    if forecast is not None and deviation(subject.y - forecast) <= deviation(subject.y):
        bias = np.abs(np.mean(subject.y - forecast))
        if bias <= deviation(subject.y):
            return  # the predictions have the scale of the targets already
    worst, size = data_faults.worst_scale(subject.y.reshape(len(subject.y), -1))
    if not SMALL_TARGET <= size <= LARGE_TARGET:
        yield Finding(
            "targets out of scale",
            size,
            LARGE_TARGET if size > LARGE_TARGET else SMALL_TARGET,
            f"Target {worst} has a root mean square of {size:.3g}, but untrained predictions are "
            "near 0, so training needs many steps to reach it.",
            "train on (y - y.mean(0)) / y.std(0), and scale predictions back",
            "Kingma & Ba 2015, section 2.1, https://arxiv.org/abs/1412.6980",
        )


def _run(rows):
    """For each row, how many of its last steps equal the very last step."""
    same = (rows == rows[:, -1:]).all(axis=2)[:, ::-1]
    return np.where(same.all(axis=1), same.shape[1], np.argmin(same, axis=1))


@check
def unmasked_padding(subject):
    if subject.has_mask or (subject.takes_mask and not subject.traces):
        return
    for name, array in subject.inputs().items():
        if not (array.ndim == 3 or subject.is_tokens(array)) or array.shape[1] <= PADDED_STEPS:
            continue
        rows = array if array.ndim == 3 else array[..., None]
        read = subject.unmasked(rows.shape[:2])
        for side, step in (("end", -1), ("start", 0)):
            last, turned = rows[:, step], rows if step else rows[:, ::-1]
            run = np.where((last == last[:, :1]).all(axis=1), _run(turned), 0)
            long = run >= PADDED_STEPS
            if not long.any():
                continue
            values, times = np.unique(last[long, 0], return_counts=True)
            value = values[np.argmax(times)]
            padded = long & (last[:, 0] == value) & read[:, step]
            share = float(np.mean(padded))
            lengths = np.where(last[:, 0] == value, run, 0)
            if share >= PADDED_ROWS and len(np.unique(lengths)) > 1:
                yield Finding(
                    "unmasked padding",
                    share,
                    PADDED_ROWS,
                    f"{share:.0%} of the rows of {name} repeat {value:g} at their {side}, but the "
                    "model does not mask these steps, so it reads this padding as data.",
                    f"build the model with mask_value={value:g}"
                    + (", or pass a mask that is False there" if subject.takes_mask else ""),
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
                f"In {share:.0%} of the rows of {name}, steps in the middle equal the mask value "
                f"{subject.mask_value:g}. The model skips these steps, which is right only if they "
                "are missing.",
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
        only = "All" if len(classes) == 1 else f"{share:.1%} of the"
        yield Finding(
            "one class" if len(classes) == 1 else "class imbalance",
            share,
            MAJORITY,
            f"{only} labels are class {classes[np.argmax(times)]}. A model that always predicts "
            f"this class has an accuracy of {share:.1%}.",
            'pass class_weight="balanced" to lz.fit, and judge by keras.metrics.F1Score',
            "He & Garcia 2009, Learning from imbalanced data, https://doi.org/10.1109/TKDE.2008.239",
        )


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
        leak = data_faults.leak(array, y)
        if leak is not None:
            step, feature, most = leak
            yield Finding(
                "target in inputs",
                most,
                LEAK,
                f"Feature {feature} of {name} at step {step} has a correlation of {most:.5f} with "
                "the target: it almost gives away the answer.",
                f"remove the feature if it is unknown at prediction time: "
                f"np.delete({name}, {feature}, axis=-1)",
                KAUFMAN,
            )


@check
def validation_overlaps(subject):
    if subject.validation is None:
        return
    share, how = data_faults.overlap(named(subject.all_x), named(subject.validation[0]))
    if share > OVERLAP:
        yield Finding(
            "validation overlaps training",
            share,
            OVERLAP,
            f"{share:.1%} of the validation samples {how}, so the validation score is too good.",
            "split by time first: lz.windows(series[:n], ...) and lz.windows(series[n:], ...)",
            "Barz & Denzler 2020, https://doi.org/10.3390/jimaging6060041",
        )
