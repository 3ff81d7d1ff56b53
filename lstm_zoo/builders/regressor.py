"""A model that predicts numbers from a whole sequence."""

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
    """Build a model that predicts numbers from a whole sequence, trained by least squares.

    Args:
        num_outputs: number of values to predict, 1 or more.
        scale_targets: whether the model measures the mean and standard deviation of `y` when it
            first trains and scales targets by them (`layers.TargetScale`). It then learns targets
            of any size equally well; predictions stay in the units of `y`.
        loss, metrics: as for `keras.Model.compile`; None uses the mean squared error and the mean
            absolute error.
        Others: shared by all builders, described in `help` and in lstm_zoo/builders/options.py.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_outputs)`.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

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
