"""The gated recurrent unit."""

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.base import Cell, product
from lstm_zoo.cells.registry import register


@register("gru")
class GRUCell(Cell):
    r"""One step of a gated recurrent unit (Cho et al. 2014).

    .. math::
        z_t &= \sigma(W_z x_t + U_z h_{t-1} + b_z)                &&\text{update gate} \\
        r_t &= \sigma(W_r x_t + U_r h_{t-1} + b_r)                &&\text{reset gate} \\
        g_t &= \tanh (W_g x_t + b_g + r_t \odot (U_g h_{t-1} + b'_g))  &&\text{candidate} \\
        h_t &= z_t \odot h_{t-1} + (1 - z_t) \odot g_t            &&\text{hidden state}

    This is the form of cuDNN and PyTorch. With `reset_after=False`, the cell has the form of the
    paper: :math:`g_t = \tanh(W_g x_t + U_g (r_t \odot h_{t-1}) + b_g)`.

    `kernel` `(features, 3 * units)` holds the three :math:`W`, `recurrent_kernel`
    `(units, 3 * units)` the three :math:`U`, in the order z, r, g. `bias` is `(2, 3 * units)`: the
    bias beside :math:`W x` and the bias beside :math:`U h`. With `reset_after=False`, it is
    `(3 * units,)`. Weights move between `keras.layers.GRUCell` and this cell unchanged.

    Args:
        units: size of the hidden state, a positive integer.
        activation: activation of the candidate; `tanh` in the equations.
        recurrent_activation: activation of the two gates; :math:`\sigma` in the equations.
        use_bias, ..., implementation: as in `lstm_zoo.cells.Cell`.
        reset_after: whether the reset gate multiplies the matrix product or its input.
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
        >>> h, [h] = GRUCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))])
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Cho et al. 2014, Learning phrase representations using RNN encoder-decoder,
        https://arxiv.org/abs/1406.1078.
    """

    gate_names = ("update_gate", "reset_gate", "candidate")
    z_weights = ("kernel",)
    elementwise = False
    drops_in_step = True

    def __init__(
        self,
        units: int,
        activation="tanh",
        recurrent_activation="sigmoid",
        *args,
        reset_after: bool = True,
        **kwargs,
    ):
        super().__init__(units, *args, **kwargs)
        self.activation = checks.of_keras("activation", activation)
        self.recurrent_activation = checks.of_keras("recurrent_activation", recurrent_activation)
        self.reset_after = bool(reset_after)

    def build(self, input_shape):
        width = 3 * self.units
        self.kernel = self._add("kernel", (input_shape[-1], width))
        self.recurrent_kernel = self._add("recurrent", (self.units, width))
        by_gate = hasattr(self.bias_initializer, "for_gates")  # it refuses unsuitable gates
        self.bias = None
        if self.use_bias:
            shape = (2, width) if self.reset_after else (width,)
            self.bias = self._add("bias", shape, self._initial_bias if by_gate else None)
        self.built = True

    def _biases(self, dtype):
        """The bias beside `W x`, and the bias beside `U h`."""
        if self.bias is None:
            return 0, 0
        bias = ops.cast(self.bias, dtype)
        return (bias[0], bias[1]) if self.reset_after else (bias, 0)

    def step(self, z, states, recurrent_mask=None):
        [h] = states
        U = ops.cast(self.recurrent_kernel, z.dtype)
        b, b_h = self._biases(z.dtype)
        x_z, x_r, x_g = ops.split(z + b, 3, axis=-1)
        if self.reset_after:
            h_z, h_r, h_g = ops.split(product(h, U, recurrent_mask) + b_h, 3, axis=-1)
        else:
            U, U_g = ops.split(U, [2 * self.units], axis=1)
            m, m_g = (None, None) if recurrent_mask is None else _first_two(recurrent_mask)
            h_z, h_r = ops.split(product(h, U, m), 2, axis=-1)
        z, r = self.recurrent_activation(x_z + h_z), self.recurrent_activation(x_r + h_r)
        g = self.activation(x_g + (r * h_g if self.reset_after else product(r * h, U_g, m_g)))
        h = z * h + (1 - z) * g
        return {"update_gate": z, "reset_gate": r, "candidate": g, "hidden_state": h}

    def get_config(self):
        config = {
            "activation": keras.activations.serialize(self.activation),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "reset_after": self.reset_after,
        }
        return {**super().get_config(), **config}


def _first_two(masks):
    """The dropout masks of the two gates, and that of the candidate."""
    return masks[:2], masks[2]
