"""What every cell is: names, widths, and one pure function from a step's numbers to the next.

A cell is one step. Everything about time (loops, masks, the backward pass) lives elsewhere and
serves any cell, for a cell says all that it has to know:

- `gate_names`, the blocks of `z` side by side, and `state_names`, whose first is the output;
- `gate_sizes` and `state_size`, how wide each of them is;
- `recurrent_names`, the states that the recurrent kernel multiplies;
- `z_weights`, the weights that make `z` (a cell may keep some of them for its step);
- `step(z, states)`, the equations: every quantity by its name.

The step of a few cells needs more and gets it by keyword:

- `extra_inputs` names the last input features where `step` reads them as they are: a cell with
  `{"time_gap": 1}` has `step(z, states, time_gap)`. Gradients flow to them;
- `draw` gives random numbers in training, by name. Inference has none, so `step` must have a
  default: `step(z, states, candidate_mask=None)`.

To add a cell, subclass `Cell` or `LSTMCell`, restate what differs, give it a name with
`lstm_zoo.cells.register`, and import its file in this package's `__init__.py`: layers, builders,
traces, plots and tests then know it.
"""

import itertools
from collections.abc import Mapping

import keras
from keras import ops

# Keras's own cells get from this mixin one dropout mask a sequence, drawn and forgotten by any
# `keras.layers.RNN` around them. Ours behave alike under Keras's RNN only by sharing it.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from lstm_zoo import checks
from lstm_zoo.backend import check_precision
from lstm_zoo.cells.initializers import bias_of_gates

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
        drawn: what `draw` gave for this step, by name, each `(batch, width)`; drawn here if None.

    Returns:
        The output `(batch, width)` and the new states, a list in the same order.

    Raises:
        ValueError: if `units`, a dropout rate or `dtype` is wrong (float64 on JAX or PyTorch is).

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
    z_weights: tuple[str, ...] = ("kernel", "recurrent_kernel", "bias")
    """The weights that make `z`; whatever other weights a cell has are for its `step` alone."""
    elementwise = True
    """Whether unit k of every quantity of `step` depends on unit k of each gate and state alone."""
    extra_sizes: Mapping[str, int] = {}
    """What `extra_inputs` says for the input that the cell was built for."""
    reads_times = False
    """Whether some features of the input are times, or tell what is missing: not to be scaled."""

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
        check_precision(self.compute_dtype)
        self.units = checks.count("units", units)
        self.use_bias = use_bias
        self.kernel_initializer = checks.of_keras("kernel_initializer", kernel_initializer)
        self.recurrent_initializer = checks.of_keras("recurrent_initializer", recurrent_initializer)
        self.bias_initializer = checks.of_keras("bias_initializer", bias_initializer)
        self.kernel_regularizer = checks.of_keras("kernel_regularizer", kernel_regularizer)
        self.recurrent_regularizer = checks.of_keras("recurrent_regularizer", recurrent_regularizer)
        self.bias_regularizer = checks.of_keras("bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.of_keras("kernel_constraint", kernel_constraint)
        self.recurrent_constraint = checks.of_keras("recurrent_constraint", recurrent_constraint)
        self.bias_constraint = checks.of_keras("bias_constraint", bias_constraint)
        self.dropout = checks.fraction("dropout", dropout)
        self.recurrent_dropout = checks.fraction("recurrent_dropout", recurrent_dropout)
        if recurrent_dropout and not (
            "recurrent_kernel" in self.z_weights and self.recurrent_names
        ):
            raise ValueError(
                f"recurrent_dropout must be 0 for {type(self).__name__}, whose gates do not see "
                f"the states through one product, got {recurrent_dropout!r}"
            )
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

    @property
    def gate_sizes(self) -> list[int]:
        """The width of each gate's block of `z`, in the order of `gate_names`."""
        return [self.units] * len(self.gate_names)

    def extra_inputs(self, features: int) -> dict[str, int]:
        """The last input features that `step` reads as they are: in order, their widths by name.

        The features before them make `z`. Dropout leaves extra inputs alone; most cells have none.
        """
        return {}

    def build(self, input_shape):
        features, width = input_shape[-1], sum(self.gate_sizes)
        self.extra_sizes = self.extra_inputs(features)
        self.kernel = self._add("kernel", (features - sum(self.extra_sizes.values()), width))
        self.recurrent_kernel = None
        if self.recurrent_names:
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

    @property
    def _bias_of_forget_gate(self):
        """Where the bias of the forget gate starts whatever the initializer says, or None."""
        return None

    def _initial_bias(self, shape, dtype=None):
        sizes = dict(zip(self.gate_names, self.gate_sizes))
        return bias_of_gates(self.bias_initializer, sizes, self._bias_of_forget_gate, dtype)

    @property
    def width_of_z(self) -> int:
        """How wide `z` is; of a built cell."""
        return sum(self.gate_sizes)

    def weight_of_z(self, name: str):
        """A weight of this name if it makes `z`, else None."""
        return getattr(self, name) if name in self.z_weights else None

    def split_inputs(self, inputs):
        """The features that make `z`, `(..., features)`, and the extra inputs, a dict by name."""
        if not self.extra_sizes:
            return inputs, {}
        first = inputs.shape[-1] - sum(self.extra_sizes.values())
        *edges, _ = itertools.accumulate(self.extra_sizes.values(), initial=first)
        x, *extra = ops.split(inputs, edges, axis=-1)
        return x, dict(zip(self.extra_sizes, extra))

    def get_dropout_mask(self, step_input):
        return super().get_dropout_mask(self.split_inputs(step_input)[0])

    def project(self, x, dropout_mask=None):
        """What the input adds to `z`, `W x + b`: `(..., features)` to `(..., width)`.

        `x` is without extra inputs. Where no kernel makes `z`, it is `x` itself.
        """
        kernel, bias = self.weight_of_z("kernel"), self.weight_of_z("bias")
        if kernel is None:
            return x
        z = product(x, kernel, dropout_mask)
        return z if bias is None else ops.add(z, bias)

    def recur(self, states, dropout_mask=None):
        """What the states before add to `z`, `U r`: `(batch, width)`, or 0 if there is no `U`."""
        kernel = self.weight_of_z("recurrent_kernel")
        return 0 if kernel is None else product(self.recurrent_part(states), kernel, dropout_mask)

    def recurrent_part(self, states):
        """The states of `recurrent_names`, side by side."""
        by_name = dict(zip(self.state_names, states))
        parts = [by_name[name] for name in self.recurrent_names]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def draw(self, batch: int, timesteps: int) -> dict:
        """Random numbers for all steps in training, by name, each `(batch, timesteps, width)`."""
        return {}

    def step(self, z, states):
        """The equations.

        A cell with `extra_inputs` or `draw` takes these as further arguments, by their names, each
        `(..., width)`. Those drawn need a default, None, for inference.

        Args:
            z: `(..., width)`, what the gates see, before their activations, side by side; where no
                kernel makes `z`, the input itself without extra inputs.
            states: those before the step, each `(..., width)`, in the order of `state_names`.

        Returns:
            Every quantity by its name, those of `state_names` among them, as a dict.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what its step is")

    def values(self, inputs, states, training: bool = False, drawn: dict | None = None) -> dict:
        """Every quantity of one step by its name; arguments as in a call of the cell."""
        if training and drawn is None:
            drawn = {name: a[:, 0] for name, a in self.draw(ops.shape(inputs)[0], 1).items()}
        x, extra = self.split_inputs(inputs)
        input_mask = recurrent_mask = None
        if training and 0.0 < self.dropout < 1.0:
            input_mask = self.get_dropout_mask(inputs)
        if training and 0.0 < self.recurrent_dropout < 1.0:
            recurrent_mask = self.get_recurrent_dropout_mask(self.recurrent_part(states))
        z = self.project(x, input_mask) + self.recur(states, recurrent_mask)
        return self.step(z, states, **extra, **(drawn or {}))

    def call(self, inputs, states, training=False, drawn=None):
        now = self.values(inputs, states, training, drawn)
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
