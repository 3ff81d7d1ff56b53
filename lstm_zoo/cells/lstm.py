"""The long short-term memory, and its derivatives."""

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.registry import derivatives_of, register


@register("lstm")
class LSTMCell(Cell):
    r"""One step of a long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + b_i)        &&\text{input gate} \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + b_f)        &&\text{forget gate} \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g)        &&\text{candidate} \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o)        &&\text{output gate} \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t          &&\text{cell state} \\
        h_t &= o_t \odot \tanh(c_t)                       &&\text{hidden state}

    `kernel` `(features, 4 * units)` holds the four :math:`W`, `recurrent_kernel`
    `(units, 4 * units)` the four :math:`U`, and `bias` `(4 * units,)` the four :math:`b`, all in
    the order i, f, g, o. This is Keras's order, so weights move between `keras.layers.LSTMCell` and
    this cell unchanged.

    Args:
        units: size of the hidden state and of the cell state, a positive integer.
        activation: activation of the candidate, and of the cell state before the output gate;
            `tanh` in the equations.
        recurrent_activation: activation of the three gates; :math:`\sigma` in the equations.
        use_bias: whether to add the bias :math:`b`.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights.
        unit_forget_bias: whether the forget gate's bias starts at `forget_bias` instead of using
            `bias_initializer`. A gate that starts open lets gradients through (Gers et al. 2000;
            Jozefowicz et al. 2015).
        kernel_regularizer, ..., implementation: as in `lstm_zoo.cells.Cell`.
        forget_bias: initial bias of the forget gate; 1.0 as in Keras.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: `(batch, features)`.
        states: `[h, c]`, each `(batch, units)`.
        training: whether dropout is on.

    Returns:
        `h_t`, and the new states `[h_t, c_t]`, each `(batch, units)`.

    Raises:
        ValueError: if `units` is not a positive integer, or a dropout rate is not from 0 to 1.

    Example:
        >>> cell = LSTMCell(8)
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(h.shape)
        (2, 8)

    Sources:
        Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735;
        Gers, Schmidhuber & Cummins 2000 (forget gate), https://doi.org/10.1162/089976600300015015;
        Jozefowicz, Zaremba & Sutskever 2015 (forget bias),
        https://proceedings.mlr.press/v37/jozefowicz15.html.
    """

    gate_names: tuple[str, ...] = ("input_gate", "forget_gate", "candidate", "output_gate")
    state_names: tuple[str, ...] = ("hidden_state", "cell_state")

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "gates" in vars(cls):  # the name in 0.1.0; nothing would call it now
            raise ValueError(
                f"{cls.__name__} must define its equations in step(z, states), got gates()"
            )

    def __init__(
        self,
        units: int,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        forget_bias: float = 1.0,
        implementation=2,
        **kwargs,
    ):
        super().__init__(
            units,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            implementation=implementation,
            **kwargs,
        )
        self.activation = checks.of_keras("activation", activation)
        self.recurrent_activation = checks.of_keras("recurrent_activation", recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.forget_bias = forget_bias

    @property
    def _bias_of_forget_gate(self):
        return self.forget_bias if self.unit_forget_bias else None

    def step(self, z, states):
        _, c = states
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f = self.recurrent_activation(i), self.recurrent_activation(f)
        g, o = self.activation(g), self.recurrent_activation(o)
        c = f * c + i * g
        h = o * self.activation(c)
        return named(i, f, g, o, c, h)

    def get_config(self):
        config = {
            "activation": keras.activations.serialize(self.activation),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
            "forget_bias": self.forget_bias,
        }
        return {**super().get_config(), **config}


def named(i, f, g, o, c, h):
    """A dict of the quantities in an LSTM's equations by name."""
    names = (*LSTMCell.gate_names, "cell_state", "hidden_state")
    return dict(zip(names, (i, f, g, o, c, h)))


def has_usual_activations(cell):
    """Whether the gates use sigmoid and the rest tanh, as the hand-written derivatives assume."""
    sigmoid = keras.activations.sigmoid
    return (
        cell.activation is keras.activations.tanh
        and getattr(cell, "recurrent_activation", sigmoid) is sigmoid
    )


@derivatives_of(LSTMCell, when=has_usual_activations)
def _(cell, z, states):
    _, c_before = states
    i, f, g, o, c, _ = cell.step(z, states).values()
    tanh_c = ops.tanh(c)
    return {
        ("hidden_state", "cell_state"): o * (1 - tanh_c * tanh_c),
        ("hidden_state", "output_gate"): tanh_c * o * (1 - o),
        ("cell_state", "input_gate"): g * i * (1 - i),
        ("cell_state", "forget_gate"): c_before * f * (1 - f),
        ("cell_state", "candidate"): i * (1 - g * g),
        ("cell_state", "previous_cell_state"): f,
    }
