"""Weights put into a layer, after a look at their shapes."""

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.cells.lstm import LSTMCell


def units_of(layer):
    """The units of a plain LSTM layer, ours or Keras's; a ValueError if it is another layer."""
    cell = getattr(layer, "cell", None)
    plain = type(cell) in (LSTMCell, keras.layers.LSTMCell)
    if not plain:
        raise ValueError(
            "layers must be LSTM layers with the plain cell, or Bidirectional of them, "
            f"got {type(layer).__name__}"
        )
    return cell.units


def assign(layer, kernel, recurrent_kernel, bias, peepholes=None):
    """Set the weights of an LSTM layer, in Keras's shapes; a missing bias is zeros."""
    units = units_of(layer) if peepholes is None else layer.cell.units
    for name, weight in (("kernel", kernel), ("recurrent kernel", recurrent_kernel)):
        checks.finite(name, weight, 2)
    checks.shape("recurrent kernel", recurrent_kernel.shape, (units, 4 * units))
    checks.shape("kernel", kernel.shape, ("features", 4 * units))
    if not layer.built:
        layer.build((None, None, kernel.shape[0]))
    weights = [kernel, recurrent_kernel]
    if layer.cell.use_bias:
        weights.append(np.zeros(4 * units, "float32") if bias is None else bias)
    elif bias is not None and np.any(bias):
        raise ValueError(f"{layer.name} has no bias, and the weights have one; pass use_bias=True")
    if peepholes is not None:
        weights.append(np.stack(peepholes))
    for weight, value in zip(layer.weights, weights, strict=True):
        checks.shape(weight.name, value.shape, tuple(weight.shape))
    layer.set_weights(weights)
