"""The LSTM whose gates see the cell state."""

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.lstm import LSTMCell, has_usual_activations, named
from lstm_zoo.cells.registry import derivatives_of, register


@register("peephole")
class PeepholeLSTMCell(LSTMCell):
    r"""An LSTM whose gates see the cell state through peepholes (Gers & Schmidhuber 2000).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o) \\
        h_t &= o_t \odot \tanh(c_t)

    Without peepholes, a closed output gate hides the cell state from all gates. With them, a cell
    can measure its own memory, which helps with counting and timing.

    Args:
        units, ...: as in `LSTMCell`.
        peephole_initializer: initializer of `peephole_kernel` `(3, units)`, whose rows are
            :math:`p_i`, :math:`p_f`, :math:`p_o`. With the default, zeros, the cell starts as a
            plain LSTM.

    Example:
        >>> cell = PeepholeLSTMCell(8, peephole_initializer="glorot_uniform")
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(cell.peephole_kernel.shape)
        (3, 8)

    Source:
        Gers & Schmidhuber 2000, Recurrent nets that time and count,
        https://doi.org/10.1109/IJCNN.2000.861302.
    """

    peepholes: tuple[str, ...] = ("input_gate", "forget_gate", "output_gate")
    """The gates with peepholes, in the order of the rows of `peephole_kernel`."""

    def __init__(self, units, *args, peephole_initializer="zeros", **kwargs):
        super().__init__(units, *args, **kwargs)
        self.peephole_initializer = checks.of_keras("peephole_initializer", peephole_initializer)

    def build(self, input_shape):
        super().build(input_shape)
        self.peephole_kernel = self.add_weight(
            shape=(len(self.peepholes), self.units),
            name="peephole_kernel",
            initializer=self.peephole_initializer,
        )

    def step(self, z, states):
        _, c = states
        p_i, p_f, p_o = self._peepholes(z.dtype)
        i, f, g, o = ops.split(z, 4, axis=-1)
        i = self.recurrent_activation(i + p_i * c)
        f = self.recurrent_activation(f + p_f * c)
        g = self.activation(g)
        c = f * c + i * g
        o = self.recurrent_activation(o + p_o * c)
        h = o * self.activation(c)
        return named(i, f, g, o, c, h)

    def _peepholes(self, dtype):
        return ops.unstack(ops.cast(self.peephole_kernel, dtype), len(self.peepholes))

    def get_config(self):
        initializer = keras.initializers.serialize(self.peephole_initializer)
        return {**super().get_config(), "peephole_initializer": initializer}


@derivatives_of(PeepholeLSTMCell, when=has_usual_activations)
def _(cell, z, states):
    _, c_before = states
    p_i, p_f, p_o = cell._peepholes(z.dtype)
    i, f, g, o, c, _ = cell.step(z, states).values()
    tanh_c = ops.tanh(c)
    c_by_i, c_by_f, h_by_o = g * i * (1 - i), c_before * f * (1 - f), tanh_c * o * (1 - o)
    return {
        ("hidden_state", "cell_state"): o * (1 - tanh_c * tanh_c) + p_o * h_by_o,
        ("hidden_state", "output_gate"): h_by_o,
        ("cell_state", "input_gate"): c_by_i,
        ("cell_state", "forget_gate"): c_by_f,
        ("cell_state", "candidate"): i * (1 - g * g),
        ("cell_state", "previous_cell_state"): f + p_i * c_by_i + p_f * c_by_f,
    }
