"""Imports weights of TensorFlow 1's cells `BasicLSTMCell`, `LSTMCell` and `LSTMBlockCell`.

One kernel holds the rows of the input, then those of the hidden state, with gates in the order i,
g, f, o. The forget bias is a constant that the cell adds at each step; the file does not contain
it.
"""

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks
from lstm_zoo.cells.peephole import PeepholeLSTMCell
from lstm_zoo.weights.placing import activations, fitted, set_all, units_of


def from_tensorflow1(
    layer: keras.layers.Layer,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike,
    *,
    forget_bias: float = 1.0,
    peepholes: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] | None = None,
) -> None:
    """Set the weights of an LSTM layer to those of a TensorFlow 1 cell.

    `tf.train.load_checkpoint(path).get_tensor("rnn/basic_lstm_cell/kernel")` reads a weight from a
    checkpoint; `tf.train.list_variables(path)` lists its contents.

    Args:
        layer: an `LSTM`, or a `PeepholeLSTM` for weights with peepholes.
        kernel: `(features + units, 4 * units)`.
        bias: `(4 * units,)`.
        forget_bias: the value of the cell's argument `forget_bias`; all three cells have the
            default 1.0. A `CudnnCompatibleLSTMCell` has 0.0.
        peepholes: `w_i_diag`, `w_f_diag`, `w_o_diag`, each `(units,)`, from a cell with
            `use_peepholes=True`.

    Raises:
        ValueError: if a shape does not fit the layer, or if the layer's gates are not sigmoids.

    Example:
        >>> import lstm_zoo as lz
        >>> layer = lz.LSTM(4)
        >>> from_tensorflow1(layer, np.ones((3 + 4, 16)), np.zeros(16))
        >>> layer.get_weights()[2][4:8]
        array([1., 1., 1., 1.], dtype=float32)
    """
    if peepholes is None:
        units = units_of(layer)
    elif type(getattr(layer, "cell", None)) is PeepholeLSTMCell:
        units = layer.cell.units
    else:
        raise ValueError(f"layer must be a PeepholeLSTM, got {type(layer).__name__}")
    activations(layer, "TensorFlow 1", recurrent_activation=["sigmoid"])
    kernel, bias = checks.finite("kernel", kernel, 2), checks.finite("bias", bias, 1)
    checks.shape("kernel", kernel.shape, ("features + units", 4 * units))
    checks.shape("bias", bias.shape, (4 * units,))
    if len(kernel) <= units:
        raise ValueError(f"kernel must have more than units={units} rows, got {len(kernel)}")
    i, g, f, o = np.split(bias, 4)
    bias = np.concatenate([i, f + checks.number("forget_bias", forget_bias), g, o])
    i, g, f, o = np.split(kernel, 4, axis=1)
    kernel = np.concatenate([i, f, g, o], axis=1)
    more = []
    if peepholes is not None:
        more = [np.stack([checks.finite("peepholes", one, 1) for one in peepholes])]
    set_all([(layer, fitted(layer, kernel[:-units], kernel[-units:], bias, more))])
