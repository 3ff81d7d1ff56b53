"""Variants of the LSTM that Greff et al. (2017) compared."""

from keras import ops

from lstm_zoo.cells.lstm import LSTMCell, has_usual_activations, named
from lstm_zoo.cells.registry import derivatives_of, register


@register("coupled")
class CoupledLSTMCell(LSTMCell):
    r"""An LSTM that takes in as much as it forgets, with one gate for both (Greff et al. 2017).

    .. math::
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o) \\
        i_t &= 1 - f_t \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    The cell state is then an average of the candidates, between -1 and 1, and the cell has a
    quarter fewer weights: `kernel` is `(features, 3 * units)`, in the order f, g, o.

    Args:
        units, ...: those of `LSTMCell`.

    Example:
        >>> cell = CoupledLSTMCell(8)
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(cell.kernel.shape)
        (3, 24)

    Source:
        Greff et al. 2017, LSTM: A search space odyssey, https://doi.org/10.1109/TNNLS.2016.2582924.
    """

    gate_names = ("forget_gate", "candidate", "output_gate")

    def step(self, z, states):
        _, c = states
        f, g, o = ops.split(z, 3, axis=-1)
        f, g = self.recurrent_activation(f), self.activation(g)
        o = self.recurrent_activation(o)
        i = 1 - f
        c = f * c + i * g
        h = o * self.activation(c)
        return named(i, f, g, o, c, h)


@derivatives_of(CoupledLSTMCell, when=has_usual_activations)
def _(cell, z, states):
    _, c_before = states
    i, f, g, o, c, _ = cell.step(z, states).values()
    tanh_c = ops.tanh(c)
    return {
        ("hidden_state", "cell_state"): o * (1 - tanh_c * tanh_c),
        ("hidden_state", "output_gate"): tanh_c * o * (1 - o),
        ("cell_state", "forget_gate"): (c_before - g) * f * i,
        ("cell_state", "candidate"): i * (1 - g * g),
        ("cell_state", "previous_cell_state"): f,
    }
