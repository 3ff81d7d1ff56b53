"""Sets the weights of layers after checking their shapes."""

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.cells.lstm import LSTMCell

PLAIN = (LSTMCell, keras.layers.LSTMCell)


def units_of(layer):
    """The units of a plain LSTM layer of LSTM Zoo or Keras; refuses other layers."""
    cell = getattr(layer, "cell", None)
    if type(cell) not in PLAIN:
        raise ValueError(
            "layers must be LSTM layers with the plain cell, or Bidirectional of them, "
            f"got {type(layer).__name__}"
        )
    return cell.units


def activations(layer, of, **wanted):
    """Refuse a layer whose activations differ from the cell that the weights come from.

    Each keyword in `wanted` is an argument of the layer with a list of allowed names.
    """
    for argument, names in wanted.items():
        got = getattr(layer.cell, argument)
        if got not in [keras.activations.get(name) for name in names]:
            raise ValueError(
                f"{layer.name}'s {argument} must be {' or '.join(map(repr, names))}, as in {of}, "
                f"got {getattr(got, '__name__', got)!r}"
            )


def fitted(layer, kernel, recurrent_kernel, bias, more=(), gates=4):
    """The weights of a layer's cell in Keras's order, for `set_all`; a missing bias becomes zeros.

    Builds the layer if necessary. `more` are the cell's weights after the bias.
    """
    for name, weight in (("kernel", kernel), ("recurrent kernel", recurrent_kernel)):
        checks.finite(name, weight, 2)
    width = gates * layer.cell.units
    checks.shape("recurrent kernel", recurrent_kernel.shape, (layer.cell.output_size, width))
    checks.shape("kernel", kernel.shape, ("features", width))
    if not layer.built:
        layer.build((None, None, kernel.shape[0]))
    cell = layer.cell
    weights = [kernel, recurrent_kernel]
    if cell.use_bias:
        weights.append(np.zeros(cell.bias.shape, "float32") if bias is None else bias)
    elif bias is not None and np.any(bias):
        raise ValueError(
            f"{layer.name} must have a bias, because the weights have one; build it with "
            "use_bias=True"
        )
    weights += more
    for weight, value in zip(cell.weights, weights, strict=True):
        checks.shape(f"{layer.name}'s {weight.name}", value.shape, tuple(weight.shape))
        checks.finite(weight.name, value)
        in_range(weight, value)
    return weights


def in_range(weight, value):
    """Refuse finite numbers that the dtype of `weight` turns into infinity."""
    value = np.asarray(value)
    with np.errstate(over="ignore"):
        lost = np.isinf(value.astype(weight.dtype)) & np.isfinite(value)
    if lost.any():
        raise ValueError(
            f"{weight.name} must fit in {weight.dtype}, got numbers up to {np.abs(value).max():.3g}"
        )


def set_all(weights):
    """Set the weights of several `(layer, weights)` pairs, after all have been checked."""
    for layer, values in weights:
        layer.cell.set_weights(values)


def as_list(one_or_more):
    """A list, from a single object, a list or a tuple."""
    return list(one_or_more) if isinstance(one_or_more, (list, tuple)) else [one_or_more]
