"""LSTM variants with one gate fewer, from the comparison of Greff et al. (2017).

Their kernels are a quarter narrower. The paper's other variants are in `greff`.
"""

from keras import ops

from lstm_zoo.cells.lstm import LSTMCell, has_usual_activations, named
from lstm_zoo.cells.peephole import PeepholeLSTMCell
from lstm_zoo.cells.registry import derivatives_of, register


@register("coupled")
class CoupledLSTMCell(LSTMCell):
    r"""An LSTM with one coupled gate for input and forgetting (Greff et al. 2017).

    .. math::
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o) \\
        i_t &= 1 - f_t \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    The cell state is a weighted average of the candidates, between -1 and 1. The cell has a quarter
    fewer weights: `kernel` is `(features, 3 * units)`, in the order f, g, o.

    Args:
        units, ...: as in `LSTMCell`.

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


@register("no_input_gate")
class NoInputGateLSTMCell(PeepholeLSTMCell):
    r"""An LSTM without an input gate (Greff et al. 2017).

    .. math::
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o) \\
        h_t &= o_t \odot \tanh(c_t)

    The input gate is always open, :math:`i_t = 1`; the paper calls this NIG. Kernels are in the
    order f, g, o.

    Args:
        units, ...: as in `PeepholeLSTMCell`.

    Example:
        >>> h, (h, c) = NoInputGateLSTMCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))] * 2)
        >>> tuple(c.shape)
        (2, 8)

    Source:
        Greff et al. 2017, LSTM: A search space odyssey, https://doi.org/10.1109/TNNLS.2016.2582924.
    """

    gate_names = ("forget_gate", "candidate", "output_gate")
    peepholes = ("forget_gate", "output_gate")

    def step(self, z, states):
        _, c = states
        p_f, p_o = self._peepholes(z.dtype)
        f, g, o = ops.split(z, 3, axis=-1)
        f, g = self.recurrent_activation(f + p_f * c), self.activation(g)
        c = f * c + g
        o = self.recurrent_activation(o + p_o * c)
        h = o * self.activation(c)
        return {
            "forget_gate": f,
            "candidate": g,
            "output_gate": o,
            "cell_state": c,
            "hidden_state": h,
        }


@register("no_forget_gate")
class NoForgetGateLSTMCell(PeepholeLSTMCell):
    r"""An LSTM without a forget gate, as in 1997 (Greff et al. 2017).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o) \\
        h_t &= o_t \odot \tanh(c_t)

    The forget gate is always open, :math:`f_t = 1`; the paper calls this NFG. Without peepholes it
    is the LSTM of Hochreiter & Schmidhuber (1997). Kernels are in the order i, g, o.

    Args:
        units, ...: as in `PeepholeLSTMCell`.

    Example:
        >>> h, (h, c) = NoForgetGateLSTMCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))] * 2)
        >>> tuple(c.shape)
        (2, 8)

    Source:
        Greff et al. 2017, LSTM: A search space odyssey, https://doi.org/10.1109/TNNLS.2016.2582924.
    """

    gate_names = ("input_gate", "candidate", "output_gate")
    peepholes = ("input_gate", "output_gate")

    def step(self, z, states):
        _, c = states
        p_i, p_o = self._peepholes(z.dtype)
        i, g, o = ops.split(z, 3, axis=-1)
        i, g = self.recurrent_activation(i + p_i * c), self.activation(g)
        c = c + i * g
        o = self.recurrent_activation(o + p_o * c)
        h = o * self.activation(c)
        return {
            "input_gate": i,
            "candidate": g,
            "output_gate": o,
            "cell_state": c,
            "hidden_state": h,
        }


@register("no_output_gate")
class NoOutputGateLSTMCell(PeepholeLSTMCell):
    r"""An LSTM without an output gate (Greff et al. 2017).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= \tanh(c_t)

    The output gate is always open, :math:`o_t = 1`; the paper calls this NOG. Kernels are in the
    order i, f, g.

    Args:
        units, ...: as in `PeepholeLSTMCell`.

    Example:
        >>> h, (h, c) = NoOutputGateLSTMCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))] * 2)
        >>> tuple(c.shape)
        (2, 8)

    Source:
        Greff et al. 2017, LSTM: A search space odyssey, https://doi.org/10.1109/TNNLS.2016.2582924.
    """

    gate_names = ("input_gate", "forget_gate", "candidate")
    peepholes = ("input_gate", "forget_gate")

    def step(self, z, states):
        _, c = states
        p_i, p_f = self._peepholes(z.dtype)
        i, f, g = ops.split(z, 3, axis=-1)
        i, f = self.recurrent_activation(i + p_i * c), self.recurrent_activation(f + p_f * c)
        g = self.activation(g)
        c = f * c + i * g
        h = self.activation(c)
        return {
            "input_gate": i,
            "forget_gate": f,
            "candidate": g,
            "cell_state": c,
            "hidden_state": h,
        }
