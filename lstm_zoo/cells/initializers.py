"""Initializers for recurrent weights that Keras does not have."""

import itertools

import keras
from keras import ops

from lstm_zoo import checks


@keras.saving.register_keras_serializable(package="lstm_zoo")
class Chrono(keras.initializers.Initializer):
    r"""Initial gate biases for a memory as long as the task's lags (Tallec & Ollivier 2018).

    .. math::
        b_f \sim \log U(1, T - 1), \qquad b_i = -b_f, \qquad \text{all others } 0

    Pass it as `bias_initializer` to any cell of LSTM Zoo with a forget gate; it then overrides
    `unit_forget_bias`. For Keras's LSTM, also pass `unit_forget_bias=False`.

    Args:
        max_lag: T, the longest lag in steps, above 2.
        seed: seed of the random draw.

    Raises:
        ValueError: if `max_lag` is not a number above 2.

    Example:
        >>> bias = Chrono(100, seed=0)((8,))
        >>> bool(ops.all(bias[:2] == -bias[2:4]))
        True

    Source:
        Tallec & Ollivier 2018, Can recurrent neural networks warp time?,
        https://arxiv.org/abs/1804.11188.
    """

    def __init__(self, max_lag: float, seed: int | None = None):
        if checks.number("max_lag", max_lag) <= 2:
            raise ValueError(f"max_lag must be above 2, got {max_lag!r}")
        self.max_lag, self.seed = max_lag, seed
        self._draws = keras.random.SeedGenerator(seed)

    def for_gates(self, names, sizes, dtype=None):
        """The concatenated biases of gates with these names and sizes."""
        if "forget_gate" not in names:
            raise ValueError(
                f"bias_initializer=Chrono(...) needs a cell with a forget gate, got gates {names}"
            )
        size = dict(zip(names, sizes))["forget_gate"]
        forget = keras.random.uniform((size,), 1.0, self.max_lag - 1.0, seed=self._draws)
        start = {"forget_gate": ops.log(forget), "input_gate": -ops.log(forget)}
        blocks = [start.get(name, ops.zeros((size,))) for name, size in zip(names, sizes)]
        return ops.cast(ops.concatenate(blocks), dtype or keras.config.floatx())

    def __call__(self, shape, dtype=None):
        gates = ("input_gate", "forget_gate", "candidate", "output_gate")
        return self.for_gates(gates, [shape[0] // 4] * 4, dtype)

    def get_config(self):
        return {"max_lag": self.max_lag, "seed": self.seed}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class EachGate(keras.initializers.Initializer):
    """Applies an initializer to each gate's block separately.

    Keras initializes a recurrent kernel as one matrix. So "orthogonal" makes rows orthogonal over
    all gates together, and "identity" only sets the block of the first gate.

    Args:
        initializer: the initializer of a block `(rows, rows)`, as a name or a Keras initializer.

    Raises:
        ValueError: if the matrix does not consist of square blocks.

    Example:
        >>> EachGate("identity")((2, 4)).numpy().tolist()
        [[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]

    Source:
        Le, Jaitly & Hinton 2015 (identity), https://arxiv.org/abs/1504.00941.
    """

    def __init__(self, initializer="orthogonal"):
        self.initializer = checks.of_keras("initializer", initializer)

    def __call__(self, shape, dtype=None):
        rows, columns = shape
        if columns % rows:
            raise ValueError(f"shape must consist of square blocks, got {tuple(shape)}")
        block, blocks = self.initializer, []
        for k in range(columns // rows):
            seed = getattr(block, "seed", None)
            if isinstance(seed, int):  # else all blocks would be equal
                block = type(block).from_config({**self.initializer.get_config(), "seed": seed + k})
            blocks.append(block((rows, rows), dtype=dtype))
        return ops.concatenate(blocks, axis=1)

    def get_config(self):
        return {"initializer": keras.initializers.serialize(self.initializer)}


def bias_of_gates(initializer, sizes, forget_bias=None, dtype=None):
    """The initial bias of a cell, with the biases of its gates concatenated.

    Args:
        initializer: a Keras initializer, or one such as `Chrono` that knows the names of gates.
        sizes: a dict from the name of a gate to its width.
        forget_bias: initial bias of the forget gate, which overrides the initializer, or None.
    """
    if hasattr(initializer, "for_gates"):
        return initializer.for_gates(tuple(sizes), list(sizes.values()), dtype)

    def is_set(gate):
        return forget_bias is not None and gate[0] == "forget_gate"

    blocks = []
    for forget, group in itertools.groupby(
        sizes.items(), is_set
    ):  # Keras draws adjacent gates at once
        shape = (sum(size for _, size in group),)
        blocks.append(
            ops.full(shape, forget_bias, dtype=dtype) if forget else initializer(shape, dtype=dtype)
        )
    return ops.concatenate(blocks)
