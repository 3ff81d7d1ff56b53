"""A model that continues a series, with or without quantiles."""

from collections.abc import Sequence

import keras

from lstm_zoo import checks
from lstm_zoo.builders.losses import QuantileLoss
from lstm_zoo.builders.stack import compiled, stack


def build_forecaster(
    input_shape: tuple[int | None, int],
    horizon: int,
    *,
    quantiles: Sequence[float] | None = None,
    lstm_units: Sequence[int] = (64, 32),
    dense_units: Sequence[int] = (32,),
    cell: str | type = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    mask_value: float | None = None,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
    name: str | None = None,
) -> keras.Model:
    """A compiled model that continues a series for `horizon` steps, all of them at once.

    Args:
        input_shape: `(timesteps, features)` of the past that it sees.
        horizon: steps to forecast, 1 or more.
        quantiles: None for one forecast, trained on the mean absolute error; or rising fractions
            such as `(0.1, 0.5, 0.9)` for a forecast of each, trained on the quantile loss.
        lstm_units, dense_units, cell, bidirectional, dropout, mask_value, learning_rate, name: as
            in `build_classifier`.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, horizon)`, or to
        `(batch, horizon, len(quantiles))`. Targets are `(batch, horizon)` either way.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_forecaster((336, 1), horizon=48, quantiles=(0.1, 0.5, 0.9)).output_shape
        (None, 48, 3)
    """
    horizon = checks.count("horizon", horizon)
    if quantiles is None:
        head = [keras.layers.Dense(horizon, name="forecast")]
        loss, metrics = "mean_absolute_error", ["mean_absolute_error"]
    else:
        loss, metrics = QuantileLoss(quantiles), None
        head = [
            keras.layers.Dense(horizon * len(loss.quantiles), name="forecast"),
            keras.layers.Reshape((horizon, len(loss.quantiles)), name="quantiles"),
        ]
    model = stack(
        input_shape, lstm_units, dense_units, cell, bidirectional, dropout, mask_value, head, name
    )
    return compiled(model, learning_rate, loss, metrics)
