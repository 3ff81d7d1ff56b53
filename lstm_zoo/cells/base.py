"""The base class of all cells: names, sizes, and a pure function for one step.

A cell is one step. Everything about time (loops, masks, the backward pass) is in other folders and
works for any cell, because a cell declares:

- `gate_names`, the blocks of `z` in order, and `state_names`; the first state is the output;
- `gate_sizes` and `state_size`, the width of each gate and each state;
- `recurrent_names`, the states that the recurrent kernel multiplies;
- `z_weights`, the weights that compute `z` (a cell may keep some of them for its step);
- `step(z, states)`, the equations, which return every quantity by name.

The step of a few cells takes further keyword arguments:

- `extra_inputs` names the last input features, which `step` reads directly: a cell with
  `{"time_gap": 1}` has `step(z, states, time_gap)`. Gradients flow to these features.
- `drops_in_step` says that `step` multiplies the states by its own kernel and drops them there:
  it has `step(z, states, recurrent_mask=None)`.
- `draw` draws named random numbers during training. Inference has none, so `step` needs a default:
  `step(z, states, candidate_mask=None)`.

To add a cell, subclass `Cell` or `LSTMCell`, override what differs, register a name with
`lstm_zoo.cells.register`, and import the file in this package's `__init__.py`. Layers, builders,
traces, plots and tests then know the cell.
"""

import itertools
from collections.abc import Mapping

import keras
from keras import ops

# Keras's cells get one dropout mask per sequence from this mixin; the `keras.layers.RNN` around
# them resets the mask. Our cells need the same mixin to behave alike in Keras's RNN.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from lstm_zoo import checks
from lstm_zoo.backend import check_precision
from lstm_zoo.cells.initializers import bias_of_gates

ROLES = {"kernel": "kernel", "recurrent": "recurrent_kernel", "bias": "bias"}


class Cell(DropoutRNNCell, keras.layers.Layer):
    r"""A recurrent cell whose gates see :math:`z_t = W x_t + U r_{t-1} + b`.

    :math:`r` are the states in `recurrent_names`, concatenated. A subclass defines `step`, which
    computes the new states from :math:`z_t` and the old states. The cell runs in `lstm_zoo.RNN` and
    in `keras.layers.RNN`.

    Args:
        units: size of each gate, and of each state unless `state_size` differs.
        use_bias: whether to add the bias :math:`b`.
        kernel_initializer, recurrent_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: as in Keras.
        kernel_constraint, recurrent_constraint, bias_constraint: as in Keras.
        dropout: fraction of the input features to drop, from 0 to 1, with the same mask at every
            step of a sequence (Gal & Ghahramani 2016).
        recurrent_dropout: the same for the recurrent states; each gate has its own mask.
        seed: seed of the dropout masks.
        implementation: 1 uses one input dropout mask per gate, 2 (default) one for all gates.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: `(batch, features)`.
        states: a list, each `(batch, width)`, in the order of `state_names`.
        training: whether dropout is on.
        drawn: the numbers from `draw` for this step, each `(batch, width)`; None draws them here.

    Returns:
        The output `(batch, width)` and the new states, a list in the same order.

    Raises:
        ValueError: if `units` or a dropout rate is invalid, or `dtype` float64 on JAX or PyTorch.

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
    """The weights that compute `z`; only `step` uses the other weights of a cell."""
    elementwise = True
    """Whether unit k of every quantity of `step` depends only on unit k of each gate and state."""
    drops_in_step = False
    """Whether `step` applies the recurrent dropout: it takes `recurrent_mask`, a mask per gate."""
    extra_sizes: Mapping[str, int] = {}
    """The `extra_inputs` for the input that the cell was built for."""
    reads_times = False
    """Whether some input features are times or mark missing values, and must not be scaled."""

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
        if recurrent_dropout and not self._can_drop_states:
            raise ValueError(
                f"recurrent_dropout must be 0 for {type(self).__name__}, because its gates do not "
                f"read the states through one matrix product, got {recurrent_dropout!r}"
            )
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.implementation = 1 if self.recurrent_dropout else implementation
        if self.implementation == 1:
            self.dropout_mask_count = len(self.gate_names)

    @property
    def _can_drop_states(self):
        in_z = "recurrent_kernel" in self.z_weights and bool(self.recurrent_names)
        return in_z or self.drops_in_step

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
        """The last input features, which `step` reads directly: a dict from name to width.

        The features before them compute `z`. Dropout does not affect extra inputs.
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
        """The initial bias of the forget gate, which overrides the initializer, or None."""
        return None

    def _initial_bias(self, shape, dtype=None):
        sizes = dict(zip(self.gate_names, self.gate_sizes))
        return bias_of_gates(self.bias_initializer, sizes, self._bias_of_forget_gate, dtype)

    @property
    def width_of_z(self) -> int:
        """The width of `z`; the cell must be built."""
        return sum(self.gate_sizes)

    def weight_of_z(self, name: str):
        """The weight with this name if it is used to compute `z`, else None."""
        return getattr(self, name) if name in self.z_weights else None

    def split_inputs(self, inputs):
        """The features that compute `z`, `(..., features)`, and a dict of the extra inputs."""
        if not self.extra_sizes:
            return inputs, {}
        first = inputs.shape[-1] - sum(self.extra_sizes.values())
        *edges, _ = itertools.accumulate(self.extra_sizes.values(), initial=first)
        x, *extra = ops.split(inputs, edges, axis=-1)
        return x, dict(zip(self.extra_sizes, extra))

    def get_dropout_mask(self, step_input):
        return super().get_dropout_mask(self.split_inputs(step_input)[0])

    def project(self, x, dropout_mask=None):
        """The input's part of `z`, `W x + b`: `(..., features)` to `(..., width)`.

        `x` does not contain extra inputs. Without a kernel, the result is `x` itself.
        """
        kernel, bias = self.weight_of_z("kernel"), self.weight_of_z("bias")
        if kernel is None:
            return x
        z = product(x, kernel, dropout_mask)
        return z if bias is None else ops.add(z, bias)

    def recur(self, states, dropout_mask=None):
        """The previous states' part of `z`, `U r`: `(batch, width)`, or 0 if there is no `U`."""
        kernel = self.weight_of_z("recurrent_kernel")
        return 0 if kernel is None else product(self.recurrent_part(states), kernel, dropout_mask)

    def dropout_of_step(self, recurrent_mask) -> dict:
        """The recurrent dropout as an argument of `step`, for a cell with `drops_in_step`."""
        here = self.drops_in_step and recurrent_mask is not None
        return {"recurrent_mask": recurrent_mask} if here else {}

    def recurrent_part(self, states):
        """The states in `recurrent_names`, concatenated."""
        by_name = dict(zip(self.state_names, states))
        parts = [by_name[name] for name in self.recurrent_names]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def draw(self, batch: int, timesteps: int) -> dict:
        """Random numbers for all steps of training, by name, each `(batch, timesteps, width)`."""
        return {}

    def step(self, z, states):
        """The equations.

        A cell with `extra_inputs` or `draw` takes these as further keyword arguments, each
        `(..., width)`. Random numbers need the default None for inference.

        Args:
            z: `(..., width)`, the pre-activations of the gates, concatenated. Without a kernel, it
                is the input without extra inputs.
            states: the states before the step, each `(..., width)`, in the order of `state_names`.

        Returns:
            A dict of every quantity by name, including those in `state_names`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step(z, states)")

    def values(self, inputs, states, training: bool = False, drawn: dict | None = None) -> dict:
        """Every quantity of one step by name; takes the arguments of a call of the cell."""
        if training and drawn is None:
            drawn = {name: a[:, 0] for name, a in self.draw(ops.shape(inputs)[0], 1).items()}
        x, extra = self.split_inputs(inputs)
        input_mask = recurrent_mask = None
        if training and 0.0 < self.dropout < 1.0:
            input_mask = self.get_dropout_mask(inputs)
        if training and 0.0 < self.recurrent_dropout < 1.0:
            recurrent_mask = self.get_recurrent_dropout_mask(self.recurrent_part(states))
        z = self.project(x, input_mask) + self.recur(states, recurrent_mask)
        dropout = self.dropout_of_step(recurrent_mask)
        return self.step(z, states, **extra, **(drawn or {}), **dropout)

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
    """`x @ kernel`, after dropout of `x` by one mask, or by a separate mask for each gate."""
    if mask is None:
        return ops.matmul(x, kernel)
    if not isinstance(mask, list):
        return ops.matmul(x * mask, kernel)
    kernels = ops.split(kernel, len(mask), axis=1)
    return ops.concatenate([ops.matmul(x * m, k) for m, k in zip(mask, kernels)], axis=-1)
