"""What every cell is: names, widths, and one pure function from a step's numbers to the next.

A cell is one step. Everything about time (loops, masks, the backward pass) lives elsewhere and
serves any cell, for a cell says all that it has to know:

- `gate_names`, the blocks of `z` side by side, and `state_names`, whose first is the output;
- `state_size`, how wide each state is;
- `recurrent_names`, the states that the recurrent kernel multiplies;
- `step(z, states)`, the equations: every quantity by its name.

To add a cell, subclass `Cell` or `LSTMCell`, restate what differs, give it a name with
`lstm_zoo.cells.register`, and import its file in this room's `__init__.py`: layers, builders,
traces, plots and tests then know it.
"""

import itertools

import keras
from keras import ops

# Keras's own cells get from this mixin one dropout mask a sequence, drawn and forgotten by any
# `keras.layers.RNN` around them. Ours behave alike under Keras's RNN only by sharing it.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from lstm_zoo import checks

ROLES = {"kernel": "kernel", "recurrent": "recurrent_kernel", "bias": "bias"}


class Cell(DropoutRNNCell, keras.layers.Layer):
    r"""A recurrent cell whose gates see :math:`z_t = W x_t + U r_{t-1} + b`.

    :math:`r` are the states of `recurrent_names`, side by side. What becomes of :math:`z_t` and of
    the states is `step`, which a subclass writes; it runs in `lstm_zoo.RNN` and in
    `keras.layers.RNN`.

    Args:
        units: size of each gate, and of each state unless `state_size` says otherwise.
        use_bias: whether there is a :math:`b`.
        kernel_initializer, recurrent_initializer, bias_initializer: how the weights start.
        kernel_regularizer, recurrent_regularizer, bias_regularizer,
        kernel_constraint, recurrent_constraint, bias_constraint: as in Keras.
        dropout: fraction of the input features dropped, the same ones at every step of a sequence
            (Gal & Ghahramani 2016), from 0 to 1.
        recurrent_dropout: the same for the states that recur; each gate then has its own masks.
        seed: of the dropout masks.
        implementation: 1 gives each gate its own input dropout mask, 2 (default) one mask to all.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: `(batch, features)`.
        states: a list, each `(batch, width)`, in the order of `state_names`.
        training: whether dropout is on.

    Returns:
        The output `(batch, width)` and the new states, a list in the same order.

    Raises:
        ValueError: if `units` is not a positive whole number or a dropout rate not from 0 to 1.

    Example:
        >>> class Leaky(Cell):
        ...     gate_names = ("candidate",)
        ...     def step(self, z, states) -> dict:
        ...         g = ops.tanh(z)
        ...         return {"candidate": g, "hidden_state": 0.9 * states[0] + 0.1 * g}
        >>> h, [h] = Leaky(8)(ops.ones((2, 3)), [ops.zeros((2, 8))])
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Gal & Ghahramani 2016 (dropout), https://arxiv.org/abs/1512.05287.
    """

    gate_names: tuple[str, ...]
    state_names: tuple[str, ...] = ("hidden_state",)
    recurrent_names: tuple[str, ...] = ("hidden_state",)
    elementwise = True
    """Whether unit k of every quantity of `step` depends on unit k of each gate and state alone."""

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int = 2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = checks.count("units", units)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.dropout = checks.fraction("dropout", dropout)
        self.recurrent_dropout = checks.fraction("recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.implementation = 1 if self.recurrent_dropout else implementation
        if self.implementation == 1:
            self.dropout_mask_count = len(self.gate_names)

    @property
    def state_size(self) -> list[int]:
        """The width of each state, in the order of `state_names`."""
        return [self.units] * len(self.state_names)

    @property
    def output_size(self) -> int:
        return self.state_size[0]

    def build(self, input_shape):
        width = len(self.gate_names) * self.units
        self.kernel = self._add("kernel", (input_shape[-1], width))
        self.recurrent_kernel = self._add("recurrent", (sum(self._recurrent_size), width))
        self.bias = self._add("bias", (width,), self._initial_bias) if self.use_bias else None
        self.built = True

    @property
    def _recurrent_size(self):
        sizes = dict(zip(self.state_names, self.state_size))
        return [sizes[name] for name in self.recurrent_names]

    def _add(self, role, shape, initializer=None):
        return self.add_weight(
            shape=shape,
            name=ROLES[role],
            initializer=initializer or getattr(self, f"{role}_initializer"),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
        )

    def _initial_bias(self, shape, dtype=None):
        return self.bias_initializer(shape, dtype=dtype)

    def project(self, x, dropout_mask=None):
        """What the input adds to the gates, `W x + b`: `(..., features)` to `(..., width)`."""
        z = product(x, self.kernel, dropout_mask)
        return z if self.bias is None else z + self.bias

    def recur(self, states, dropout_mask=None):
        """What the states before add to the gates, `U r`: `(batch, width)`."""
        return product(self.recurrent_part(states), self.recurrent_kernel, dropout_mask)

    def recurrent_part(self, states):
        """The states of `recurrent_names`, side by side."""
        by_name = dict(zip(self.state_names, states))
        parts = [by_name[name] for name in self.recurrent_names]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def step(self, z, states):
        """The equations.

        Args:
            z: `(..., gates * units)`, what the gates see, before their activations.
            states: those before the step, each `(..., width)`, in the order of `state_names`.

        Returns:
            Every quantity by its name, those of `state_names` among them, as a dict.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what its step is")

    def values(self, inputs, states, training: bool = False) -> dict:
        """Every quantity of one step by its name; arguments as in a call of the cell."""
        input_mask = recurrent_mask = None
        if training and 0.0 < self.dropout < 1.0:
            input_mask = self.get_dropout_mask(inputs)
        if training and 0.0 < self.recurrent_dropout < 1.0:
            recurrent_mask = self.get_recurrent_dropout_mask(self.recurrent_part(states))
        z = self.project(inputs, input_mask) + self.recur(states, recurrent_mask)
        return self.step(z, states)

    def call(self, inputs, states, training=False):
        now = self.values(inputs, states, training)
        after = [now[name] for name in self.state_names]
        return after[0], after

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self):
        names = ("units", "use_bias", "dropout", "recurrent_dropout", "seed", "implementation")
        config = {name: getattr(self, name) for name in names}
        for role, kind in itertools.product(ROLES, ("initializer", "regularizer", "constraint")):
            serialize = getattr(keras, f"{kind}s").serialize
            config[f"{role}_{kind}"] = serialize(getattr(self, f"{role}_{kind}"))
        return {**super().get_config(), **config}


def product(x, kernel, mask=None):
    """`x @ kernel`, with `x` dropped out by one mask, or for each gate by a mask of its own."""
    if mask is None:
        return ops.matmul(x, kernel)
    if not isinstance(mask, list):
        return ops.matmul(x * mask, kernel)
    kernels = ops.split(kernel, len(mask), axis=1)
    return ops.concatenate([ops.matmul(x * m, k) for m, k in zip(mask, kernels)], axis=-1)
