"""`checkup` finds out why a model does not learn."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks, display
from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.inspection import checkup_data, checkup_model  # noqa: F401 - they register checks
from lstm_zoo.inspection.checkup_subject import CHECKS, Finding, Subject, named
from lstm_zoo.inspection.finding import Inputs, checked_x


@dataclass(frozen=True, repr=False)
class Checkup:
    """The findings of `checkup`; empty and false if it found nothing.

    Args:
        findings: a tuple of `Finding`, each with name, number, threshold, meaning, remedy, source.
        skipped: the checks that could not run, and why.
    """

    findings: tuple[Finding, ...]
    skipped: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        lines = [self._title()]
        for one in self.findings:
            number, threshold = display.number(one.number), display.number(one.threshold)
            lines.append(f"- {one.name}: {number} (threshold {threshold})")
            for text in (one.meaning, f"Do: {one.remedy}", f"Source: {one.source}"):
                lines.append(textwrap.fill(text, 96, initial_indent="  ", subsequent_indent="  "))
        lines += [f"Not checked: {what}" for what in self.skipped]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (
                one.name,
                display.number(one.number),
                display.number(one.threshold),
                one.meaning,
                one.remedy,
                one.source,
            )
            for one in self.findings
        ]
        rows += [("not checked", "", "", what, "", "") for what in self.skipped]
        head = ("finding", "number", "threshold", "what it means", "what to do", "source")
        return display.table(self._title(), head, rows)

    def _title(self):
        count = len(self.findings)
        return f"Checkup: {count or 'no'} finding{'s' * (count != 1)}"


@needs_tensorflow
def checkup(
    model: keras.Model,
    x: Inputs,
    y: npt.ArrayLike,
    *,
    validation_data: tuple[Any, Any] | None = None,
    mask_value: float | None = None,
) -> Checkup:
    """Find out why a model does not learn or forecasts badly, and suggest what to do.

    It checks the scale of inputs and targets, padding and masks, classes, targets that leak into
    the inputs, overlap with the validation data, gates, dead units, memory, gradients and
    predictions. It reads at most 256 samples, evenly spread (all of x for the overlap), so it only
    takes seconds. It does not change the model.

    Args:
        model: a built `keras.Model` with one output; the check of gradients needs a compiled model.
        x: the model's input: an array, or a list or dict of arrays.
        y: targets, one for each sample.
        validation_data: `(x, y)`, as for `fit`.
        mask_value: the value that marks padding; None uses the model's own mask.

    Returns:
        A `Checkup` of findings.

    Raises:
        ValueError: if x or y is empty, has the wrong shape or length, or does not hold numbers, or
            if Keras's backend is not TensorFlow.

    Example:
        >>> model = keras.Sequential([keras.Input((20, 1)), keras.layers.LSTM(4)])
        >>> found = checkup(model, np.full((8, 20, 1), 500.0), np.zeros((8, 4)))
        >>> found.findings[0].name, found.findings[0].number
        ('inputs out of scale', 500.0)
    """
    checks.model("model", model)
    x, y = _arrays("x", "y", x, y)
    if mask_value is not None:
        mask_value = checks.number("mask_value", mask_value)
    validation = None
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise ValueError(
                f"validation_data must be (x, y), got {type(validation_data).__name__}"
            )
        validation = _arrays("validation x", "validation y", *validation_data[:2])
        if named(validation[0]).keys() != named(x).keys():
            raise ValueError("validation_data must have the same inputs as x")
    loss = getattr(model, "loss", None)
    broken = list(_not_finite(x, y, may_miss=getattr(loss, "leaves_out_missing", False)))
    if broken:
        return Checkup(tuple(broken), ("everything else, until all numbers are finite",))
    x = checked_x(model, x)
    known = np.isfinite(y).reshape(len(y), -1).all(axis=1)
    if not known.any():
        raise ValueError("y must have at least one row without NaN, got none")
    if not known.all():
        x, y = keras.tree.map_structure(lambda one: one[known], (x, y))
    subject = Subject(model, x, y, validation, mask_value)
    if not known.all():
        subject.skipped.append(f"{int(np.sum(~known))} samples with NaN in y")
    _check_targets(subject)
    found = tuple(finding for check in CHECKS for finding in check(subject))
    return Checkup(found, tuple(subject.skipped))


def _check_targets(subject):
    """Refuse targets that do not fit the predictions, or labels outside the model's classes."""
    shape, labels = subject.prediction.shape, subject.labels
    if labels is not None and shape[-1] > 1 and not 0 <= labels.min() <= labels.max() < shape[-1]:
        raise ValueError(
            f"y must hold classes from 0 to {shape[-1] - 1}, got {labels.min()} to {labels.max()}"
        )
    a_class_each = labels is not None and subject.y.size * shape[-1] == np.prod(shape)
    if subject.forecast is None and not a_class_each:
        raise ValueError(f"y must fit predictions of shape {shape}, got shape {subject.y.shape}")


def _arrays(x_name, y_name, x, y):
    several = isinstance(x, dict) or (isinstance(x, (list, tuple)) and x and hasattr(x[0], "shape"))
    if several:
        x = keras.tree.map_structure(lambda part: checks.array(x_name, part), x)
    else:
        x = checks.array(x_name, x)
    y = checks.array(y_name, y)
    lengths = {len(np.atleast_1d(part)) for part in keras.tree.flatten((x, y))}
    if len(lengths) > 1:
        raise ValueError(
            f"{x_name} and {y_name} must have the same number of samples, "
            f"got {checks.listed(sorted(lengths))}"
        )
    return x, y


def _not_finite(x, y, may_miss):
    for name, array in {**named(x), "y": y}.items():
        wrong = ~np.isfinite(array)
        if name == "y" and may_miss:
            wrong = np.isinf(array)
        count = int(np.count_nonzero(wrong))
        if count:
            row = int(np.argmax(wrong.reshape(len(array), -1).any(axis=1)))
            yield Finding(
                "not finite",
                count,
                0,
                f"{name} has {count} NaN or infinite values, the first in row {row}. A single one "
                "makes all weights NaN.",
                "build the model with loss=lz.builders.ObservedLoss(...), which ignores NaN targets"
                if name == "y"
                else "fill missing steps with a mask value: x = np.nan_to_num(x, nan=-999.0) and "
                "mask_value=-999.0",
                "https://www.tensorflow.org/api_docs/python/tf/debugging/check_numerics",
            )
