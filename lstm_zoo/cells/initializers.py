"""How weights may start, beyond Keras's own."""

import itertools

import keras
from keras import ops

from lstm_zoo import checks


@keras.saving.register_keras_serializable(package="lstm_zoo")
class Chrono(keras.initializers.Initializer):
    r"""Biases of gates that remember for as long as the lags of the task (Tallec & Ollivier 2018).

    .. math::
        b_f \sim \log U(1, T - 1), \qquad b_i = -b_f, \qquad \text{all others } 0

    As `bias_initializer` of any cell of LSTM Zoo it goes by the names of the gates, whatever
    `unit_forget_bias` says; for Keras's LSTM, pass `unit_forget_bias=False` too.

    Args:
        max_lag: T, the longest lag in steps, above 2.
        seed: of the draw.

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
        """The bias of gates of these names and sizes, side by side."""
        if "forget_gate" not in names:
            raise ValueError(f"bias_initializer must be for a cell with a forget gate, not {names}")
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
    """Another initializer for each gate's block by itself.

    Keras draws the blocks of a recurrent kernel as one matrix; so an "orthogonal" one is orthogonal
    in its rows over all gates together, and an "identity" one is for the first gate only.

    Args:
        initializer: that of a block `(rows, rows)`; a name, or an initializer of Keras.

    Raises:
        ValueError: if the matrix is not of square blocks.

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
            raise ValueError(f"shape must be of square blocks side by side, got {tuple(shape)}")
        block, blocks = self.initializer, []
        for k in range(columns // rows):
            seed = getattr(block, "seed", None)
            if isinstance(seed, int):  # else the blocks would all be the same
                block = type(block).from_config({**self.initializer.get_config(), "seed": seed + k})
            blocks.append(block((rows, rows), dtype=dtype))
        return ops.concatenate(blocks, axis=1)

    def get_config(self):
        return {"initializer": keras.initializers.serialize(self.initializer)}


def bias_of_gates(initializer, sizes, forget_bias=None, dtype=None):
    """The bias of a cell as it starts, its gates side by side.

    Args:
        initializer: Keras's, or one such as `Chrono` that knows gates by their names.
        sizes: how wide each gate is, by its name.
        forget_bias: where the forget gate starts whatever the initializer says, or None.
    """
    if hasattr(initializer, "for_gates"):
        return initializer.for_gates(tuple(sizes), list(sizes.values()), dtype)

    def is_set(gate):
        return forget_bias is not None and gate[0] == "forget_gate"

    blocks = []
    for forget, group in itertools.groupby(sizes.items(), is_set):  # Keras draws neighbours at once
        shape = (sum(size for _, size in group),)
        blocks.append(
            ops.full(shape, forget_bias, dtype=dtype) if forget else initializer(shape, dtype=dtype)
        )
    return ops.concatenate(blocks)
