"""An LSTM whose recurrent weights depend on the input."""

from keras import ops

from lstm_zoo.cells.lstm import LSTMCell, named
from lstm_zoo.cells.registry import register


@register("multiplicative")
class MultiplicativeLSTMCell(LSTMCell):
    r"""An LSTM with input-dependent recurrent weights (Krause et al. 2016), mLSTM.

    .. math::
        m_t &= (W_m x_t + b_m) \odot (U_m h_{t-1})         &&\text{intermediate state} \\
        i_t &= \sigma(W_i x_t + U_i m_t + b_i) \\
        f_t &= \sigma(W_f x_t + U_f m_t + b_f) \\
        g_t &= \tanh (W_g x_t + U_g m_t + b_g) \\
        o_t &= \sigma(W_o x_t + U_o m_t + b_o) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    Each input thus has its own recurrent weights. Kernels are in the order i, f, g, o, m:
    `(features, 5 * units)` and `(units, 5 * units)`. The paper has no :math:`b`.

    Args:
        units, ...: as in `LSTMCell`; `recurrent_dropout` must be 0.

    Example:
        >>> cell = MultiplicativeLSTMCell(8)
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(cell.recurrent_kernel.shape)
        (8, 40)

    Source:
        Krause et al. 2016, Multiplicative LSTM for sequence modelling,
        https://arxiv.org/abs/1609.07959.
    """

    gate_names = (*LSTMCell.gate_names, "intermediate_state")
    z_weights = ("kernel", "bias")
    elementwise = False

    def step(self, z, states):
        h, c = states
        U, U_m = ops.split(ops.cast(self.recurrent_kernel, z.dtype), [4 * self.units], axis=1)
        z, m = ops.split(z, [4 * self.units], axis=-1)
        m = m * ops.matmul(h, U_m)
        i, f, g, o = ops.split(z + ops.matmul(m, U), 4, axis=-1)
        i, f = self.recurrent_activation(i), self.recurrent_activation(f)
        g, o = self.activation(g), self.recurrent_activation(o)
        c = f * c + i * g
        h = o * self.activation(c)
        return {**named(i, f, g, o, c, h), "intermediate_state": m}
