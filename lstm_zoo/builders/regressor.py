"""A model that estimates numbers from a whole sequence."""

from collections.abc import Sequence

import keras
from typing_extensions import Unpack

from lstm_zoo import checks
from lstm_zoo.builders.options import Options, TokenOptions, takes
from lstm_zoo.builders.scaled import TargetScaling
from lstm_zoo.builders.stack import compiled, dense, sequence_input, summary
from lstm_zoo.layers import TargetScale


@takes(TokenOptions)
def build_regressor(
    input_shape: tuple[int | None, int] | tuple[int | None],
    num_outputs: int = 1,
    *,
    lstm_units: int | Sequence[int] = (64, 32),
    dense_units: int | Sequence[int] = (32,),
    bidirectional: bool = False,
    pooling: str = "last",
    normalise="running",
    scale_targets: bool = True,
    **options: Unpack[TokenOptions],
) -> keras.Model:
    """A compiled model that estimates numbers from a whole sequence, by least squares.

    Args:
        num_outputs: how many numbers to estimate, 1 or more.
        scale_targets: whether mean and deviation of the targets are taken from `y` when the model
            first trains (`layers.TargetScale`), so that targets of any size are learnt alike and
            estimates come out in their units.
        loss, metrics: as `keras.Model.compile` takes them; None takes the mean squared error and
            the mean absolute error.
        Others: shared by builders, see lstm_zoo/builders/options.py; `help` describes them here.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_outputs)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_regressor((84, 1)).output_shape
        (None, 1)
    """
    num_outputs = checks.count("num_outputs", num_outputs)
    shared = Options(**options)
    inputs, x = sequence_input(input_shape, shared, normalise=normalise)
    x = summary(x, lstm_units, shared, pooling=pooling, bidirectional=bidirectional)
    x = dense(x, dense_units, shared)
    name = "scaled_estimate" if scale_targets else "estimate"
    x = keras.layers.Dense(num_outputs, name=name)(x)
    if scale_targets:
        x = TargetScale(name="estimate")(x)
    model = (TargetScaling if scale_targets else keras.Model)(inputs, x, name=shared.name)
    return compiled(model, "mean_squared_error", ["mean_absolute_error"], shared)
