"""LSTM variants that Greff et al. (2017) compared.

The paper's vanilla LSTM is `PeepholeLSTMCell`, and `LSTMCell` is its variant without peepholes. The
variants with one gate fewer are in `fewer_gates`. The variants here also have peepholes, which
start at zero.
"""

from keras import ops

from lstm_zoo.cells.lstm import named
from lstm_zoo.cells.peephole import PeepholeLSTMCell
from lstm_zoo.cells.registry import register


@register("no_input_activation")
class NoInputActivationLSTMCell(PeepholeLSTMCell):
    r"""An LSTM without an activation on the candidate (Greff et al. 2017).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= W_g x_t + U_g h_{t-1} + b_g \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o) \\
        h_t &= o_t \odot \tanh(c_t)

    The paper calls it NIAF.

    Args:
        units, ...: as in `PeepholeLSTMCell`.

    Example:
        >>> h, (h, c) = NoInputActivationLSTMCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))] * 2)
        >>> tuple(c.shape)
        (2, 8)

    Source:
        Greff et al. 2017, LSTM: A search space odyssey, https://doi.org/10.1109/TNNLS.2016.2582924.
    """

    def step(self, z, states):
        _, c = states
        p_i, p_f, p_o = self._peepholes(z.dtype)
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f = self.recurrent_activation(i + p_i * c), self.recurrent_activation(f + p_f * c)
        c = f * c + i * g
        o = self.recurrent_activation(o + p_o * c)
        h = o * self.activation(c)
        return named(i, f, g, o, c, h)


@register("no_output_activation")
class NoOutputActivationLSTMCell(PeepholeLSTMCell):
    r"""An LSTM without an activation between cell state and output (Greff et al. 2017).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o) \\
        h_t &= o_t \odot c_t

    The paper calls it NOAF; it is one of the two changes that reduced accuracy there.

    Args:
        units, ...: as in `PeepholeLSTMCell`.

    Example:
        >>> h, (h, c) = NoOutputActivationLSTMCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))] * 2)
        >>> tuple(c.shape)
        (2, 8)

    Source:
        Greff et al. 2017, LSTM: A search space odyssey, https://doi.org/10.1109/TNNLS.2016.2582924.
    """

    def step(self, z, states):
        _, c = states
        p_i, p_f, p_o = self._peepholes(z.dtype)
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f = self.recurrent_activation(i + p_i * c), self.recurrent_activation(f + p_f * c)
        g = self.activation(g)
        c = f * c + i * g
        o = self.recurrent_activation(o + p_o * c)
        h = o * c
        return named(i, f, g, o, c, h)


@register("full_gate_recurrence")
class FullGateRecurrenceLSTMCell(PeepholeLSTMCell):
    r"""An LSTM whose gates see all gates of the previous step (Greff et al. 2017).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + R_i v_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + R_f v_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + R_o v_{t-1} + b_o) \\
        h_t &= o_t \odot \tanh(c_t)

    where :math:`v_t = (i_t, f_t, o_t)`. The paper calls it FGR; Hochreiter & Schmidhuber's first
    LSTM had these connections. `gate_kernel` `(3 * units, 3 * units)` holds the three :math:`R`.

    Args:
        units, ...: as in `PeepholeLSTMCell`; `recurrent_initializer` also initializes :math:`R`.

    Example:
        >>> cell = FullGateRecurrenceLSTMCell(8)
        >>> h, states = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> len(states)
        5

    Source:
        Greff et al. 2017, LSTM: A search space odyssey, https://doi.org/10.1109/TNNLS.2016.2582924.
    """

    state_names = ("hidden_state", "cell_state", "input_gate", "forget_gate", "output_gate")
    elementwise = False

    def build(self, input_shape):
        super().build(input_shape)
        self.gate_kernel = self.add_weight(
            shape=(3 * self.units, 3 * self.units),
            name="gate_kernel",
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )

    def step(self, z, states):
        _, c, *gates = states
        p_i, p_f, p_o = self._peepholes(z.dtype)
        seen = ops.matmul(ops.concatenate(gates, axis=-1), ops.cast(self.gate_kernel, z.dtype))
        r_i, r_f, r_o = ops.split(seen, 3, axis=-1)
        i, f, g, o = ops.split(z, 4, axis=-1)
        i = self.recurrent_activation(i + p_i * c + r_i)
        f = self.recurrent_activation(f + p_f * c + r_f)
        g = self.activation(g)
        c = f * c + i * g
        o = self.recurrent_activation(o + p_o * c + r_o)
        h = o * self.activation(c)
        return named(i, f, g, o, c, h)
