"""Gated cells without a recurrent matrix product, which a parallel scan can compute."""

from keras import ops

from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.registry import register


class LinearCell(Cell):
    """A cell with :math:`h_t = a_t h_{t-1} + b_t`, where a and b depend only on the input.

    A subclass defines `coefficients(z)`. It can run as a parallel scan over time.
    """

    recurrent_names = ()
    z_weights = ("kernel", "bias")

    def coefficients(self, z) -> tuple:
        """Returns `a`, `b`, and a dict of the other quantities by name."""
        raise NotImplementedError(f"{type(self).__name__} must define coefficients(z)")

    def step(self, z, states):
        [h] = states
        a, b, values = self.coefficients(z)
        return {**values, "hidden_state": a * h + b}


@register("min_gru")
class MinGRUCell(LinearCell):
    r"""A GRU whose gates ignore the hidden state (Feng et al. 2024).

    .. math::
        z_t &= \sigma(W_z x_t + b_z)                       &&\text{update gate} \\
        g_t &= W_g x_t + b_g                               &&\text{candidate} \\
        h_t &= (1 - z_t) \odot h_{t-1} + z_t \odot g_t     &&\text{hidden state}

    `kernel` is `(features, 2 * units)`, in the order z, g; there is no recurrent kernel.

    Args:
        units, ...: as in `Cell`; `recurrent_dropout` must be 0.

    Example:
        >>> h, [h] = MinGRUCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))])
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Feng et al. 2024, Were RNNs all we needed?, https://arxiv.org/abs/2410.01201.
    """

    gate_names = ("update_gate", "candidate")

    def coefficients(self, z):
        z, g = ops.split(z, 2, axis=-1)
        z = ops.sigmoid(z)
        return 1 - z, z * g, {"update_gate": z, "candidate": g}


@register("min_lstm")
class MinLSTMCell(LinearCell):
    r"""An LSTM whose gates ignore the hidden state (Feng et al. 2024).

    .. math::
        f_t &= \sigma(W_f x_t + b_f)                       &&\text{forget gate} \\
        i_t &= \sigma(W_i x_t + b_i)                       &&\text{input gate} \\
        g_t &= W_g x_t + b_g                               &&\text{candidate} \\
        h_t &= \frac{f_t}{f_t + i_t} \odot h_{t-1} + \frac{i_t}{f_t + i_t} \odot g_t

    `kernel` is `(features, 3 * units)`, in the order i, f, g; there is no recurrent kernel.

    Args:
        units, ...: as in `Cell`; `recurrent_dropout` must be 0.

    Example:
        >>> h, [h] = MinLSTMCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))])
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Feng et al. 2024, Were RNNs all we needed?, https://arxiv.org/abs/2410.01201.
    """

    gate_names = ("input_gate", "forget_gate", "candidate")

    def coefficients(self, z):
        i, f, g = ops.split(z, 3, axis=-1)
        # f / (f + i) for two sigmoids, without a possible division by zero
        keep = ops.sigmoid(ops.log_sigmoid(f) - ops.log_sigmoid(i))
        values = {"input_gate": ops.sigmoid(i), "forget_gate": ops.sigmoid(f), "candidate": g}
        return keep, (1 - keep) * g, values
