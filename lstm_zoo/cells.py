"""The equations: one class per cell, readable beside the paper it cites.

A cell is one step. Everything about time (loops, masks, the backward pass) lives elsewhere, so a
cell says only three things: which weights it has (`build`), how the input enters (`project`), and
what the gates and the states are (`gates`). To add a variant, subclass `LSTMCell` and restate the
equations in `gates`; `PeepholeLSTMCell` below shows it.
"""

import keras
import numpy as np
from keras import ops

# Keras's own cells get from this mixin one dropout mask a sequence, drawn and forgotten by any
# `keras.layers.RNN` around them. Ours behave alike under Keras's RNN only by sharing it.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

_BY_HAND = ("gates", "local_derivatives", "extra_gradients")
WEIGHTS = {"kernel": "kernel", "recurrent": "recurrent_kernel", "bias": "bias"}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class LSTMCell(DropoutRNNCell, keras.layers.Layer):
    r"""One step of a long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + b_i)        &&\text{input gate} \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + b_f)        &&\text{forget gate} \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g)        &&\text{candidate} \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o)        &&\text{output gate} \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t          &&\text{cell state} \\
        h_t &= o_t \odot \tanh(c_t)                       &&\text{hidden state}

    The four :math:`W` stand side by side in `kernel` `(features, 4 * units)`, the four :math:`U` in
    `recurrent_kernel` `(units, 4 * units)`, the four :math:`b` in `bias` `(4 * units,)`, in the
    order i, f, g, o, which is Keras's: weights move between `keras.layers.LSTMCell` and this cell
    unchanged.

    Args:
        units: size of the hidden state and of the cell state, a positive integer.
        activation: of the candidate and of the cell state on its way out; `tanh` in the equations.
        recurrent_activation: of the three gates; :math:`\sigma` in the equations.
        use_bias: whether there is a :math:`b`.
        kernel_initializer, recurrent_initializer, bias_initializer: how the weights start.
        unit_forget_bias: whether the forget gate's bias starts at `forget_bias` whatever
            `bias_initializer` says. A gate that starts open lets gradients through (Gers et al.
            2000; Jozefowicz et al. 2015).
        forget_bias: that value; 1.0 as in Keras.
        kernel_regularizer, recurrent_regularizer, bias_regularizer,
        kernel_constraint, recurrent_constraint, bias_constraint: as in Keras.
        dropout: fraction of the input features dropped, the same ones at every step of a sequence
            (Gal & Ghahramani 2016); between 0 and 1.
        recurrent_dropout: the same for the hidden state; each gate then has masks of its own.
        seed: of the dropout masks.
        implementation: 1 gives each gate its own input dropout mask, 2 (default) one mask to all.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: `(batch, features)`.
        states: `[h, c]`, each `(batch, units)`.
        training: whether dropout is on.

    Returns:
        `h_t`, and the new states `[h_t, c_t]`, each `(batch, units)`.

    Raises:
        ValueError: if `units` is not a positive integer or a dropout rate is outside 0 to 1.

    Example:
        >>> cell = LSTMCell(8)
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(h.shape)
        (2, 8)

    Sources:
        Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735;
        Gers, Schmidhuber & Cummins 2000 (forget gate), https://doi.org/10.1162/089976600300015015;
        Jozefowicz, Zaremba & Sutskever 2015 (forget bias),
        https://proceedings.mlr.press/v37/jozefowicz15.html;
        Gal & Ghahramani 2016 (dropout), https://arxiv.org/abs/1512.05287.
    """

    def __init__(
        self,
        units,
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
        forget_bias=1.0,
        implementation=2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = _positive_int("units", units)
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.unit_forget_bias = unit_forget_bias
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.dropout = _rate("dropout", dropout)
        self.recurrent_dropout = _rate("recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.forget_bias = forget_bias
        self.implementation = 1 if self.recurrent_dropout else implementation
        if self.implementation == 1:
            self.dropout_mask_count = len(self.enters_cell_state)
        self.state_size = [self.units, self.units]
        self.output_size = self.units

    def build(self, input_shape):
        self.kernel = self._add("kernel", (input_shape[-1], self._width))
        self.recurrent_kernel = self._add("recurrent", (self.units, self._width))
        self.bias = None
        if self.use_bias:
            self.bias = self._add("bias", (self._width,), self._initial_bias)
        self.built = True

    @property
    def _width(self):
        return len(self.enters_cell_state) * self.units

    def _add(self, role, shape, initializer=None):
        return self.add_weight(
            shape=shape,
            name=WEIGHTS[role],
            initializer=initializer or getattr(self, f"{role}_initializer"),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
        )

    def _initial_bias(self, shape, dtype=None):
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype=dtype)
        i = self.bias_initializer((self.units,), dtype=dtype)
        f = ops.full((self.units,), self.forget_bias, dtype=dtype)
        g_and_o = self.bias_initializer((2 * self.units,), dtype=dtype)
        return ops.concatenate([i, f, g_and_o])

    def project(self, x, dropout_mask=None):
        """What the input adds to the gates, `W x + b`: `(..., features)` to `(..., 4 * units)`."""
        z = _product(x, self.kernel, dropout_mask)
        return z if self.bias is None else z + self.bias

    def gates(self, z, states):
        """Every quantity of the equations by its name, from `z = W x + U h + b` and `[h, c]`."""
        _, c = states
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f = self.recurrent_activation(i), self.recurrent_activation(f)
        g, o = self.activation(g), self.recurrent_activation(o)
        c = f * c + i * g
        h = o * self.activation(c)
        return _named(i, f, g, o, c, h)

    # For each block of `z` whether it enters the cell state, or else the hidden state alone.
    enters_cell_state = (True, True, True, False)

    def local_derivatives(self, z, states):
        r"""By hand, what BPTT needs of `gates` (derived in `lstm_zoo.recurrence`).

        The derivatives of :math:`c_t` by the blocks of `z` that enter it and of :math:`h_t` by
        those that do not; of :math:`h_t` by :math:`c_t`; and of :math:`c_t` by :math:`c_{t-1}`.
        """
        _, c_before = states
        i, f, g, o, c, _ = self.gates(z, states).values()
        tanh_c = ops.tanh(c)
        by_z = [g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o)]
        return ops.concatenate(by_z, axis=-1), o * (1 - tanh_c * tanh_c), f

    def extra_gradients(self, z, states, dz):
        """Gradients of the weights that only `gates` uses, from those of `z` at every step."""
        return []

    def knows_local_derivatives(self):
        """Whether `local_derivatives` was written for these activations and this `gates`."""
        home = {name: next(c for c in type(self).__mro__ if name in vars(c)) for name in _BY_HAND}
        return (
            self.activation is keras.activations.tanh
            and self.recurrent_activation is keras.activations.sigmoid
            and all(issubclass(home[name], home["gates"]) for name in _BY_HAND)
        )

    def call(self, inputs, states, training=False):
        h, c = states
        input_mask = recurrent_mask = None
        if training and 0.0 < self.dropout < 1.0:
            input_mask = self.get_dropout_mask(inputs)
        if training and 0.0 < self.recurrent_dropout < 1.0:
            recurrent_mask = self.get_recurrent_dropout_mask(h)
        z = self.project(inputs, input_mask) + _product(h, self.recurrent_kernel, recurrent_mask)
        now = self.gates(z, [h, c])
        return now["hidden_state"], [now["hidden_state"], now["cell_state"]]

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype) for _ in range(2)]

    def get_config(self):
        config = {
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            "forget_bias": self.forget_bias,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
            "implementation": self.implementation,
        }
        for role in WEIGHTS:
            for kind in ("initializer", "regularizer", "constraint"):
                module = getattr(keras, f"{kind}s")
                config[f"{role}_{kind}"] = module.serialize(getattr(self, f"{role}_{kind}"))
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class PeepholeLSTMCell(LSTMCell):
    r"""An LSTM whose gates see the cell state through peepholes (Gers & Schmidhuber 2000).

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o) \\
        h_t &= o_t \odot \tanh(c_t)

    Without them, a closed output gate hides the cell state from every gate; with them, a cell can
    measure its own memory, which counting and timing need.

    Args:
        units, ...: those of `LSTMCell`, and
        peephole_initializer: how `peephole_kernel` `(3, units)` starts, its rows :math:`p_i`,
            :math:`p_f`, :math:`p_o`. From the default, zeros, the cell starts as a plain LSTM.

    Example:
        >>> cell = PeepholeLSTMCell(8, peephole_initializer="glorot_uniform")
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(cell.peephole_kernel.shape)
        (3, 8)

    Source:
        Gers & Schmidhuber 2000, Recurrent nets that time and count,
        https://doi.org/10.1109/IJCNN.2000.861302.
    """

    def __init__(self, units, *args, peephole_initializer="zeros", **kwargs):
        super().__init__(units, *args, **kwargs)
        self.peephole_initializer = keras.initializers.get(peephole_initializer)

    def build(self, input_shape):
        super().build(input_shape)
        self.peephole_kernel = self.add_weight(
            shape=(3, self.units), name="peephole_kernel", initializer=self.peephole_initializer
        )

    def gates(self, z, states):
        _, c = states
        p_i, p_f, p_o = ops.unstack(ops.cast(self.peephole_kernel, z.dtype), 3)
        i, f, g, o = ops.split(z, 4, axis=-1)
        i = self.recurrent_activation(i + p_i * c)
        f = self.recurrent_activation(f + p_f * c)
        g = self.activation(g)
        c = f * c + i * g
        o = self.recurrent_activation(o + p_o * c)
        h = o * self.activation(c)
        return _named(i, f, g, o, c, h)

    def local_derivatives(self, z, states):
        _, c_before = states
        p_i, p_f, p_o = ops.unstack(ops.cast(self.peephole_kernel, z.dtype), 3)
        i, f, g, o, c, _ = self.gates(z, states).values()
        tanh_c = ops.tanh(c)
        by_i, by_f, by_g = g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g)
        by_o = tanh_c * o * (1 - o)
        h_by_c = o * (1 - tanh_c * tanh_c) + p_o * by_o
        c_by_c = f + p_i * by_i + p_f * by_f
        return ops.concatenate([by_i, by_f, by_g, by_o], axis=-1), h_by_c, c_by_c

    def extra_gradients(self, z, states, dz):
        _, c_before = states
        c = self.gates(z, states)["cell_state"]
        dz_i, dz_f, _, dz_o = ops.split(dz, 4, axis=-1)
        rows = [dz_i * c_before, dz_f * c_before, dz_o * c]
        every_step = tuple(range(len(z.shape) - 1))
        return [ops.stack([ops.sum(row, axis=every_step) for row in rows])]

    def get_config(self):
        initializer = keras.initializers.serialize(self.peephole_initializer)
        return {**super().get_config(), "peephole_initializer": initializer}


@keras.saving.register_keras_serializable(package="lstm_zoo")
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

    enters_cell_state = (True, True, False)

    def _initial_bias(self, shape, dtype=None):
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype=dtype)
        f = ops.full((self.units,), self.forget_bias, dtype=dtype)
        return ops.concatenate([f, self.bias_initializer((2 * self.units,), dtype=dtype)])

    def gates(self, z, states):
        _, c = states
        f, g, o = ops.split(z, 3, axis=-1)
        f, g = self.recurrent_activation(f), self.activation(g)
        o = self.recurrent_activation(o)
        i = 1 - f
        c = f * c + i * g
        h = o * self.activation(c)
        return _named(i, f, g, o, c, h)

    def local_derivatives(self, z, states):
        _, c_before = states
        i, f, g, o, c, _ = self.gates(z, states).values()
        tanh_c = ops.tanh(c)
        by_z = [(c_before - g) * f * i, i * (1 - g * g), tanh_c * o * (1 - o)]
        return ops.concatenate(by_z, axis=-1), o * (1 - tanh_c * tanh_c), f

    def extra_gradients(self, z, states, dz):
        return []


def lstm_in_numpy(x, kernel, recurrent_kernel, bias, h=None, c=None):
    """The equations of `LSTMCell` over a sequence, in NumPy alone: the reference that tests use.

    Args:
        x: `(batch, timesteps, features)`.
        kernel, recurrent_kernel, bias: as `LSTMCell` keeps them.
        h, c: `(batch, units)`, the states before the first step; zeros if None.

    Returns:
        Hidden state and cell state at every step, each `(batch, timesteps, units)`.

    Example:
        >>> x = np.ones((1, 5, 2))
        >>> hidden, cell = lstm_in_numpy(x, np.ones((2, 12)), np.ones((3, 12)), np.zeros(12))
        >>> hidden.shape
        (1, 5, 3)
    """
    h = np.zeros((len(x), len(recurrent_kernel))) if h is None else h
    c = np.zeros((len(x), len(recurrent_kernel))) if c is None else c
    hidden, cell = [], []
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent_kernel + bias
        i, f, g, o = np.split(z, 4, axis=-1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        hidden.append(h)
        cell.append(c)
    return np.stack(hidden, axis=1), np.stack(cell, axis=1)


def _sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def _named(i, f, g, o, c, h):
    return {
        "input_gate": i,
        "forget_gate": f,
        "candidate": g,
        "output_gate": o,
        "cell_state": c,
        "hidden_state": h,
    }


def _product(x, kernel, mask):
    """`x @ kernel`, with `x` dropped out by one mask, or for each gate by a mask of its own."""
    if mask is None:
        return ops.matmul(x, kernel)
    if not isinstance(mask, list):
        return ops.matmul(x * mask, kernel)
    kernels = ops.split(kernel, len(mask), axis=1)
    return ops.concatenate([ops.matmul(x * m, k) for m, k in zip(mask, kernels)], axis=-1)


def _positive_int(name, value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def _rate(name, value):
    if not isinstance(value, (int, float, np.number)) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be a fraction between 0 and 1, got {value!r}")
    return float(value)
