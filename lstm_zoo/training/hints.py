"""One-line warnings of `fit` about data that a model will hardly learn from."""

import keras
import numpy as np

from lstm_zoo import data_faults, layer_tree
from lstm_zoo.training import losses

_MOST_ROWS, _MOST_VALIDATION = 256, 64
_MOST_NUMBERS = 2**24  # largest size of inputs to search for validation samples


def hints(model, sets) -> list[str]:
    """Up to three warnings about training arrays: on inputs, targets and validation data.

    Data that comes in batches is not checked.

    Args:
        model: a built, compiled `keras.Model`.
        sets: the training and validation data.
    """
    if sets.y is None:
        return []
    layers = list(layer_tree.every_layer(model))
    inputs = _inputs(model, sets.x)
    found = [_of_inputs(layers, inputs), _of_targets(model, layers, inputs, sets.y)]
    return [line for line in (*found, _of_validation(model, inputs, sets)) if line]


def _inputs(model, x):
    """A dict of the inputs that hold numbers, without tokens."""
    arrays = keras.tree.flatten(x)
    tensors = losses.tensors_of(model, "inputs") or []
    names = [one.name for one in tensors] if len(tensors) == len(arrays) > 1 else ["x"]
    if len(names) != len(arrays):
        names = [f"x[{n}]" for n in range(len(arrays))]
    return {n: a for n, a in zip(names, arrays) if a.ndim > 1 and a.dtype.kind == "f"}


def _of_inputs(layers, inputs):
    cells = [getattr(layer, "cell", None) for layer in layers]
    if any(data_faults.is_one_of(layer, data_faults.SCALE_INPUTS) for layer in layers) or any(
        getattr(cell, "reads_times", False) for cell in cells
    ):
        return None
    masked = {float(a.mask_value) for a in layers if isinstance(a, keras.layers.Masking)}
    for name, array in inputs.items():
        values = array[data_faults.evenly(len(array), _MOST_ROWS)]
        values = values.reshape(-1, values.shape[-1])
        values = values[~np.isin(values, list(masked)).all(axis=1)]
        feature, size = data_faults.worst_scale(values) if len(values) else (0, 1.0)
        if not data_faults.SMALL_INPUT <= size <= data_faults.LARGE_INPUT:
            return (
                f"feature {feature} of {name} has a root mean square of {size:.3g}, but initial "
                'weights suit inputs of about 1: build the model with normalise="running", or put '
                "keras.layers.Normalization() first"
            )
    return None


def _of_targets(model, layers, inputs, y):
    of_outputs = losses.outputs_of(model, y)
    of_each = losses.losses_of(model, [output for _, _, output in of_outputs])
    scaled = any(map(data_faults.scales_targets, layers))
    for (_, target, _), loss in zip(of_outputs, of_each):
        rows = data_faults.evenly(len(target), _MOST_ROWS)
        values = np.asarray(target)[rows].reshape(len(rows), -1).astype("float64")
        if not np.isfinite(values).all():
            continue
        column, size = data_faults.worst_scale(values)
        small_or_large = not data_faults.SMALL_TARGET <= size <= data_faults.LARGE_TARGET
        if small_or_large and not scaled and losses.name_of(loss) in losses.NUMBERS:
            return (
                f"target {column} has a root mean square of {size:.3g}, but untrained predictions "
                "are near 0: build the model with lz.build_regressor or lz.build_forecaster, which "
                "scale their targets, or train on (y - y.mean(0)) / y.std(0)"
            )
        if len(rows) < data_faults.LEAST_SAMPLES:
            continue
        for name, array in inputs.items():
            if array.shape == np.shape(target):
                continue  # an autoencoder's target is its input
            # In a memory task the target may appear at any step, but never at the last one.
            leak = data_faults.leak(array[rows], values)
            if leak and (array.ndim == 2 or leak[0] == array.shape[1] - 1):
                return (
                    f"feature {leak[1]} of {name} almost gives away the target (|r| = "
                    f"{leak[2]:.5f}): if it is unknown at prediction time, remove it with "
                    f"np.delete({name}, {leak[1]}, axis=-1)"
                )
    return None


def _of_validation(model, inputs, sets):
    if not isinstance(sets.validation, tuple):
        return None
    theirs = _inputs(model, sets.validation[0])
    if not inputs or inputs.keys() != theirs.keys():
        return None
    if sum(array.size for array in inputs.values()) > _MOST_NUMBERS:
        return None
    share, how = data_faults.overlap(inputs, theirs, _MOST_VALIDATION)
    if share <= data_faults.OVERLAP:
        return None
    return (
        f"{share:.0%} of the validation samples {how}, so the validation score is too good: "
        "split the data first, by time or by group, then cut windows from each part"
    )
