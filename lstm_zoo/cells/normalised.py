"""An LSTM with layer normalisation."""

from keras import ops

from lstm_zoo.cells.lstm import LSTMCell, named
from lstm_zoo.cells.registry import register

EPSILON = 1e-5  # added to the variance, so that equal values do not divide by zero


@register("layer_norm")
class LayerNormLSTMCell(LSTMCell):
    r"""An LSTM with layer normalisation at each step (Ba et al. 2016).

    .. math::
        (i_t, f_t, g_t, o_t) &= LN(U h_{t-1}; \alpha_1) + LN(W x_t; \alpha_2) + b \\
        c_t &= \sigma(f_t) \odot c_{t-1} + \sigma(i_t) \odot \tanh(g_t) \\
        h_t &= \sigma(o_t) \odot \tanh(LN(c_t; \alpha_3) + \beta_3) \\
        LN(a; \alpha) &= \alpha \odot (a - \text{mean}(a)) / \sqrt{\text{var}(a) + 10^{-5}}

    :math:`\alpha_1, \alpha_2` `(4 * units,)` are `recurrent_gain` and `input_gain`;
    :math:`\alpha_3, \beta_3` `(units,)` are `state_gain` and `state_shift`. The paper's shifts of
    the first two normalisations are part of :math:`b`.

    With a single input feature, :math:`LN(W x_t)` only keeps its sign: :math:`W x_t` is a fixed
    vector times a number, and the normalisation removes the size of this number. Add a second
    feature, such as a constant, or a Dense layer before the cell.

    Args:
        units, ...: as in `LSTMCell`; `recurrent_dropout` must be 0.

    Example:
        >>> cell = LayerNormLSTMCell(8)
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Ba, Kiros & Hinton 2016, Layer normalization, https://arxiv.org/abs/1607.06450.
    """

    z_weights = ("kernel",)
    elementwise = False

    def build(self, input_shape):
        super().build(input_shape)
        for name in ("recurrent_gain", "input_gain"):
            weight = self.add_weight(shape=(4 * self.units,), name=name, initializer="ones")
            setattr(self, name, weight)
        self.state_gain = self.add_weight((self.units,), "ones", name="state_gain")
        self.state_shift = self.add_weight((self.units,), "zeros", name="state_shift")

    def step(self, z, states):
        h, c = states
        u_h = ops.matmul(h, ops.cast(self.recurrent_kernel, z.dtype))
        z = layer_norm(u_h, self.recurrent_gain) + layer_norm(z, self.input_gain)
        z = z if self.bias is None else z + ops.cast(self.bias, z.dtype)
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f = self.recurrent_activation(i), self.recurrent_activation(f)
        g, o = self.activation(g), self.recurrent_activation(o)
        c = f * c + i * g
        shift = ops.cast(self.state_shift, z.dtype)
        h = o * self.activation(layer_norm(c, self.state_gain) + shift)
        return named(i, f, g, o, c, h)


def layer_norm(a, gain):
    """`a` `(..., width)` with mean 0 and variance 1 over its last axis, times a gain."""
    centred = a - ops.mean(a, axis=-1, keepdims=True)
    variance = ops.mean(centred * centred, axis=-1, keepdims=True)
    return ops.cast(gain, a.dtype) * centred * ops.rsqrt(variance + EPSILON)
