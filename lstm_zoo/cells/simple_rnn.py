"""The simple recurrent cell, without gates."""

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.registry import derivatives_of, register


@register("simple_rnn")
class SimpleRNNCell(Cell):
    r"""One step of a recurrent network without gates (Elman 1990).

    .. math::
        h_t = \tanh(W x_t + U h_{t-1} + b)

    `kernel` is `(features, units)`, `recurrent_kernel` `(units, units)` and `bias` `(units,)`.
    Weights move between `keras.layers.SimpleRNNCell` and this cell unchanged.

    Args:
        units: size of the hidden state, a positive integer.
        activation: `tanh` in the equation.
        use_bias, ..., seed: as in `lstm_zoo.cells.Cell`.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: `(batch, features)`.
        states: `[h]`, `(batch, units)`.
        training: whether dropout is on.

    Returns:
        `h_t`, and the new states `[h_t]`, each `(batch, units)`.

    Raises:
        ValueError: if `units` is not a positive integer, or a dropout rate is not from 0 to 1.

    Example:
        >>> h, [h] = SimpleRNNCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))])
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Elman 1990, Finding structure in time, https://doi.org/10.1207/s15516709cog1402_1.
    """

    gate_names = ("hidden_state",)

    def __init__(self, units: int, activation="tanh", *args, **kwargs):
        super().__init__(units, *args, **kwargs)
        self.activation = checks.of_keras("activation", activation)

    def step(self, z, states):
        return {"hidden_state": self.activation(z)}

    def get_config(self):
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation}


@derivatives_of(SimpleRNNCell, when=lambda cell: cell.activation is keras.activations.tanh)
def _(cell, z, states):
    h = ops.tanh(z)
    return {("hidden_state", "hidden_state"): 1 - h * h}
