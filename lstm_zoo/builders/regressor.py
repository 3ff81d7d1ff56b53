"""A model that estimates numbers from a whole sequence."""

from collections.abc import Sequence

import keras

from lstm_zoo import checks
from lstm_zoo.builders.stack import compiled, stack


def build_regressor(
    input_shape: tuple[int | None, int],
    num_outputs: int = 1,
    *,
    lstm_units: Sequence[int] = (64, 32),
    dense_units: Sequence[int] = (32,),
    cell: str | type = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    mask_value: float | None = None,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
    name: str | None = None,
) -> keras.Model:
    """A compiled model that estimates numbers from a whole sequence, by least squares.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None where lengths vary.
        num_outputs: how many numbers to estimate, 1 or more.
        lstm_units, dense_units, cell, bidirectional, dropout, mask_value, learning_rate, name: as
            in `build_classifier`.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_outputs)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_regressor((84, 1)).output_shape
        (None, 1)
    """
    num_outputs = checks.count("num_outputs", num_outputs)
    head = [keras.layers.Dense(num_outputs, name="estimate")]
    model = stack(
        input_shape, lstm_units, dense_units, cell, bidirectional, dropout, mask_value, head, name
    )
    return compiled(model, learning_rate, "mean_squared_error", ["mean_absolute_error"])
