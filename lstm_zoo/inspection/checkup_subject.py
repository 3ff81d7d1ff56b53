"""The inputs of all checks of `checkup`: the data, the predictions and the inside of a model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from lstm_zoo.data_faults import SCALE_INPUTS, evenly, is_one_of
from lstm_zoo.inspection.finding import directions, layers_by_name
from lstm_zoo.inspection.gradients import gradient_flow
from lstm_zoo.inspection.recording import mapped_outputs, unchanged
from lstm_zoo.inspection.traces import trace
from lstm_zoo.layer_tree import every_layer

MOST_SAMPLES, MOST_GRADIENTS = 256, 32


@dataclass(frozen=True)
class Finding:
    """One thing that `checkup` found.

    Args:
        name: the name of the check, such as "unmasked padding".
        number: the measured number.
        threshold: the limit that the number exceeds.
        meaning: a sentence that explains the finding.
        remedy: what to do, as a call.
        source: the paper or page that the check is based on.
    """

    name: str
    number: float
    threshold: float
    meaning: str
    remedy: str
    source: str


CHECKS: list[Callable[[Subject], Iterator[Finding]]] = []


def check(function):
    """Register a check: it takes a `Subject` and yields findings."""
    CHECKS.append(function)
    return function


def deviation(values):
    """The standard deviation over samples, as a root mean square over everything else."""
    return float(np.sqrt(np.mean(np.var(np.asarray(values, "float64"), axis=0))))


class Subject:
    """A model with data; results that several checks need are computed once.

    Args:
        x: an array, or a list or a dict of arrays, with all samples.
        y: an array with all samples.
        validation: `(x, y)` or None.
        mask_value: the value that marks padding; None uses that of the model's `Masking` layer.
    """

    def __init__(self, model, x, y, validation=None, mask_value=None):
        self.model, self.all_x, self.all_y, self.validation = model, x, y, validation
        self.layers = list(every_layer(model))
        self.mask_value = self._masks_by() if mask_value is None else mask_value
        self.has_mask = self._masks_by() is not None
        self.takes_mask = any(np.asarray(one).dtype == bool for one in keras.tree.flatten(x))
        chosen = evenly(len(y), MOST_SAMPLES)
        self.x = keras.tree.map_structure(lambda one: one[chosen], x)
        self.y = y[chosen]
        self.skipped: list[str] = []

    def _masks_by(self):
        for layer in self.layers:
            if isinstance(layer, keras.layers.Masking):
                return float(layer.mask_value)
            if isinstance(layer, keras.layers.Embedding) and layer.mask_zero:
                return 0.0
        return None

    def inputs(self) -> dict[str, np.ndarray]:
        """The chosen samples of each input, by name."""
        return named(self.x)

    def is_tokens(self, array):
        """Whether an input holds indices for an `Embedding`."""
        embeds = any(isinstance(layer, keras.layers.Embedding) for layer in self.layers)
        return embeds and array.ndim <= 2 and bool(np.all(array == np.round(array)))

    def counts(self, array):
        """`(samples, timesteps)` of booleans, False at masked steps."""
        if self.mask_value is None:
            return self.unmasked(array.shape[:2])
        wrong = array != np.asarray(self.mask_value, array.dtype)
        return wrong if array.ndim == 2 else wrong.any(axis=tuple(range(2, array.ndim)))

    def unmasked(self, shape):
        """Booleans `(samples, timesteps)`, False where the mask of a recurrent layer is False."""
        masks = [seen.mask for seen in self.traces.values()]
        masks = [mask for mask in masks if mask is not None and mask.shape == shape]
        return np.all([np.ones(shape, bool), *masks], axis=0)

    def layer_of(self, names):
        """The first layer whose class or base class has one of these names, or None."""
        for layer in self.layers:
            if is_one_of(layer, names):
                return layer
        return None

    def scaled(self, array):
        """An input after the first scaling layer, or as the first recurrent layer reads it.

        None if this is unknown, or if training has not set the scale yet.
        """
        layer, seen = self.layer_of(SCALE_INPUTS), []
        if layer is None:
            return array

        def note(_, read, output):
            seen.append((np.asarray(read), np.asarray(keras.tree.flatten(output)[0])))
            return output

        with unchanged(self.recurrent.values()), mapped_outputs([layer], note):
            self.model(self.x, training=False)
        if not seen or seen[0][0].shape != array.shape:
            reads = next(iter(self.traces.values()), None)
            return None if reads is None else reads.inputs
        before, after = seen[0]
        return None if np.array_equal(before, after) else after

    @functools.cached_property
    def recurrent(self) -> dict[str, Any]:
        """The recurrent layers by name; empty if the model has none."""
        recurrent = (keras.layers.RNN, keras.layers.Bidirectional)
        if not any(isinstance(layer, recurrent) for layer in self.layers):
            return {}
        return layers_by_name(self.model)

    @functools.cached_property
    def prediction(self) -> np.ndarray:
        """The model's predictions for the chosen samples."""
        with unchanged(self.recurrent.values()):
            output = self.model(self.x, training=False)
        return np.asarray(keras.ops.cast(keras.tree.flatten(output)[0], "float32"))

    @functools.cached_property
    def traces(self) -> dict[str, Any]:
        """A `Trace` of each direction of each recurrent layer, by name."""
        found: dict[str, Any] = {}
        for name, layer in self.recurrent.items():
            try:
                seen = trace(self.model, self.x, layer)
            except ValueError as problem:
                self.skipped.append(f"gates and states of {name}: {problem}")
                continue
            each = list(seen) if isinstance(seen, tuple) else [seen]
            endings = directions(layer)
            found |= {name + ending: one for ending, one in zip(endings, each)}
        return found

    @functools.cached_property
    def flow(self):
        """The `GradientFlow` of a few samples, or None if it cannot be computed."""
        if not self.recurrent:
            return None
        few = evenly(len(self.y), MOST_GRADIENTS)
        x = keras.tree.map_structure(lambda one: one[few], self.x)
        try:
            return gradient_flow(self.model, x, self.y[few])
        except ValueError as problem:
            self.skipped.append(f"gradients: {problem}")
            return None

    @functools.cached_property
    def labels(self) -> np.ndarray | None:
        """The class of each sample or unmasked step, flattened; None without classes."""
        y, output = self.y, self.prediction
        loss = getattr(self.model, "loss", None)
        if not isinstance(loss, str):
            loss = getattr(loss, "name", getattr(loss, "__name__", type(loss).__name__))
        whole = bool(np.all(y == np.round(y)))
        if not whole or not (self._gives_classes() or "crossentropy" in str(loss).lower()):
            return None
        if output.shape[-1] > 1 and y.shape == output.shape:
            if not np.all(np.sum(y, axis=-1) == 1):
                return None  # several labels per sample
            y = np.argmax(y, axis=-1)
        elif y.ndim > 1 and y.shape[-1] == 1:
            y = y[..., 0]
        return y[self._steps_of(y)].ravel().astype(int)

    def _gives_classes(self):
        last = [layer for layer in self.layers if hasattr(layer, "activation")]
        return any(getattr(one.activation, "__name__", "") == "softmax" for one in last)

    def _steps_of(self, y):
        for array in self.inputs().values():
            if array.ndim >= 2 and y.ndim == 2 and array.shape[:2] == y.shape:
                return self.counts(array)
        return np.ones(y.shape, bool)

    @functools.cached_property
    def forecast(self) -> np.ndarray | None:
        """The prediction in the shape of y (the middle quantile), or None if shapes differ."""
        output = self.prediction
        if output.ndim == self.y.ndim + 1 and output.shape[:-1] == self.y.shape:
            return output[..., output.shape[-1] // 2]
        return output.reshape(self.y.shape) if output.size == self.y.size else None


def named(x) -> dict[str, np.ndarray]:
    """The arrays of x by name."""
    if isinstance(x, dict):
        return {f"x[{key!r}]": x[key] for key in sorted(x)}
    if isinstance(x, (list, tuple)):
        return {f"x[{n}]": one for n, one in enumerate(x)}
    return {"x": x}
