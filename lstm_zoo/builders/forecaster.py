"""A model that continues a series, with or without quantiles and covariates."""

import math
from collections.abc import Sequence

import keras

from lstm_zoo import checks
from lstm_zoo.builders.losses import QuantileLoss
from lstm_zoo.builders.stack import compiled, dense, numbers_of_units, sequence_input, summary
from lstm_zoo.layers import ScaledBack, WindowScale, layer_for


def build_forecaster(
    input_shape: tuple[int | None, int],
    horizon: int,
    *,
    quantiles: Sequence[float] | None = None,
    num_targets: int = 1,
    known_future: int = 0,
    static: int = 0,
    scale_windows: bool = False,
    lstm_units: int | Sequence[int] = (64, 32),
    dense_units: int | Sequence[int] = (32,),
    cell: str | type = "lstm",
    bidirectional: bool = False,
    pooling: str = "last",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_regularizer=None,
    recurrent_regularizer=None,
    bias_regularizer=None,
    mask_value: float | None = None,
    normalise=None,
    loss=None,
    metrics=None,
    optimizer: str | keras.optimizers.Optimizer | None = None,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    name: str | None = None,
) -> keras.Model:
    """A compiled model that continues a series for `horizon` steps, all of them at once.

    What is known of the past beside the target (weather, price) stands among the features of the
    input. `lz.windows` cuts series into what this model takes.

    Args:
        input_shape: `(timesteps, features)` of the past that it sees; the targets come first.
        horizon: steps to forecast, 1 or more.
        quantiles: None for one forecast, trained on the mean absolute error; or rising fractions
            such as `(0.1, 0.5, 0.9)` for a forecast of each, trained on the quantile loss.
        num_targets: how many features to forecast, the first ones of the input.
        known_future: how many features are known for the steps ahead (calendar, plans). The model
            then takes a second input, "known_future", and a recurrent layer reads it.
        static: how many numbers are known of a series as a whole; input "static".
        scale_windows: whether each window's features are brought to mean 0 and deviation 1, and the
            forecast back to the window's scale: for series of many sizes, or that drift
            (Kim et al. 2022).
        lstm_units, dense_units, cell, bidirectional, pooling, dropout, recurrent_dropout,
        kernel_regularizer, recurrent_regularizer, bias_regularizer, mask_value, normalise,
        optimizer, learning_rate, name: as in `build_classifier`.
        loss, metrics: as `keras.Model.compile` takes them; None takes what `quantiles` says.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, horizon)`, with an axis
        more for several targets and one more for quantiles, in this order. Targets have the first
        two or three. With `known_future` or `static` it takes a dict of "sequence" and these,
        `(batch, horizon, known_future)` and `(batch, static)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_forecaster((336, 1), horizon=48, quantiles=(0.1, 0.5, 0.9)).output_shape
        (None, 48, 3)
        >>> model = build_forecaster((24, 3), 12, known_future=2, static=4)
        >>> sorted(model.input)
        ['known_future', 'sequence', 'static']

    Source:
        Kim et al. 2022, Reversible instance normalization,
        https://openreview.net/forum?id=cGDAkQo1C0p.
    """
    horizon = checks.count("horizon", horizon)
    num_targets = checks.count("num_targets", num_targets)
    known_future = checks.count("known_future", known_future, least=0)
    static = checks.count("static", static, least=0)
    of_quantiles = None if quantiles is None else QuantileLoss(quantiles)
    shape = (horizon,) if num_targets == 1 else (horizon, num_targets)
    if of_quantiles:
        shape = (*shape, len(of_quantiles.quantiles))
    sequence, x = sequence_input(input_shape, mask_value=mask_value, normalise=normalise, cell=cell)
    if num_targets > sequence.shape[-1]:
        raise ValueError(
            f"num_targets must be at most the input's {sequence.shape[-1]} features, "
            f"got {num_targets}"
        )
    if scale_windows:
        if normalise is not None:
            raise ValueError("normalise must be None where scale_windows is true")
        x, level, spread = WindowScale(name="window_scale")(x)
    x = summary(
        x,
        lstm_units,
        cell,
        pooling,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        kernel_regularizer=kernel_regularizer,
        recurrent_regularizer=recurrent_regularizer,
        bias_regularizer=bias_regularizer,
    )
    inputs = {"sequence": sequence}
    if static:
        inputs["static"] = keras.Input((static,), name="static")
        x = keras.layers.Concatenate(name="with_static")([x, inputs["static"]])
    if known_future:
        inputs["known_future"] = keras.Input((horizon, known_future), name="known_future")
        x = keras.layers.RepeatVector(horizon, name="for_each_step_ahead")(x)
        x = keras.layers.Concatenate(name="with_known_future")([x, inputs["known_future"]])
        units = numbers_of_units("lstm_units", lstm_units, least=1)[-1]
        x = layer_for(cell, units, return_sequences=True, name="ahead")(x)
    x = dense(x, dense_units, dropout, kernel_regularizer)
    x = _forecast(x, shape, bool(known_future))
    if scale_windows:
        x = ScaledBack(num_targets, quantiles is not None, name="scaled_back")([x, level, spread])
    model = keras.Model(inputs if len(inputs) > 1 else sequence, x, name=name)
    return compiled(
        model,
        of_quantiles or "mean_absolute_error",
        ["mean_absolute_error"] if quantiles is None else None,
        loss=loss,
        metrics=metrics,
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


def _forecast(x, shape, step_by_step):
    """The head: of `shape`, from one vector for all steps ahead or from one for each."""
    horizon, *rest = shape
    width = math.prod(rest)
    x = keras.layers.Dense(width if step_by_step else horizon * width, name="forecast")(x)
    if tuple(x.shape[1:]) == shape:
        return x
    return keras.layers.Reshape(shape, name="quantiles")(x)
