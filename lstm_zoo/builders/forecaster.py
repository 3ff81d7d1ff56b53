"""A model that forecasts a series, with optional quantiles and covariates."""

import math
from collections.abc import Sequence

import keras
from typing_extensions import Unpack

from lstm_zoo import checks
from lstm_zoo.builders.losses import QuantileLoss
from lstm_zoo.builders.options import Options, SequenceOptions, takes
from lstm_zoo.builders.stack import compiled, dense, numbers_of_units, sequence_input, summary
from lstm_zoo.layers import (
    RunningNormalization,
    ScaledBack,
    SeasonalLinear,
    WindowScale,
    layer_for,
)
from lstm_zoo.layers.variants import reads_times


@takes(SequenceOptions)
def build_forecaster(
    input_shape: tuple[int | None, int],
    horizon: int,
    *,
    quantiles: Sequence[float] | None = None,
    num_targets: int = 1,
    known_future: int = 0,
    static: int = 0,
    season: int | None = None,
    scale_windows: bool | None = None,
    lstm_units: int | Sequence[int] = (64, 32),
    dense_units: int | Sequence[int] = (32,),
    bidirectional: bool = False,
    pooling: str = "last",
    normalise=None,
    **options: Unpack[SequenceOptions],
) -> keras.Model:
    """Build a model that forecasts the next `horizon` steps of a series at once.

    The model takes raw numbers and forecasts in their units. It scales each window to mean 0 and
    standard deviation 1, and known future and static features by their values in training. The
    forecast is the value one season earlier, plus a linear map of the window, plus the output of
    the recurrent layers; before training only the first term is not zero.

    Other past observations (weather, price) are further features of the input. `lz.windows` cuts
    series into the arrays that this model takes.

    Args:
        input_shape: `(timesteps, features)` of the past window; the targets are the first features.
        horizon: steps to forecast, 1 or more.
        quantiles: None for one forecast, trained on the mean absolute error; or rising fractions
            such as `(0.1, 0.5, 0.9)` for a forecast of each, trained on the quantile loss.
        num_targets: number of features to forecast, the first ones of the input.
        known_future: number of features whose future values are known (calendar, plans). The model
            then takes a second input, "known_future", and a recurrent layer reads it.
        static: number of features that are constant for a series; they become the input "static".
        season: period of the series in steps, such as 12 for months or 24 for hours; None starts
            from the last value.
        scale_windows: False does not scale windows, and only the recurrent layers make the
            forecast. None is True, unless `normalise` is given or the cell reads times.
        loss, metrics: as for `keras.Model.compile`; None chooses them to fit `quantiles`.
        Others: shared by all builders, described in `help` and in lstm_zoo/builders/options.py.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, horizon)`. Several
        targets add an axis, and quantiles add another after it; `y` has no axis for quantiles. With
        `known_future` or `static`, the input is a dict of "sequence", "known_future" of shape
        `(batch, horizon, known_future)`, and "static" of shape `(batch, static)`.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

    Example:
        >>> build_forecaster((336, 1), horizon=48, quantiles=(0.1, 0.5, 0.9)).output_shape
        (None, 48, 3)
        >>> model = build_forecaster((24, 3), 12, known_future=2, static=4)
        >>> sorted(model.input)
        ['known_future', 'sequence', 'static']

    Source:
        Kim et al. 2022, https://openreview.net/forum?id=cGDAkQo1C0p (scaling by window);
        Zeng et al. 2023, https://arxiv.org/abs/2205.13504 (the linear map).
    """
    horizon = checks.count("horizon", horizon)
    num_targets = checks.count("num_targets", num_targets)
    known_future = checks.count("known_future", known_future, least=0)
    static = checks.count("static", static, least=0)
    of_quantiles = None if quantiles is None else QuantileLoss(quantiles)
    shared = Options(**options)
    sequence, x = sequence_input(input_shape, shared, normalise=normalise)
    _check_targets(num_targets, sequence.shape[-1])
    if scale_windows is None:
        scale_windows = normalise is None and not reads_times(shared.cell)
    _check_scaling(scale_windows, normalise, season)
    if scale_windows:
        x, level, spread = WindowScale(name="window_scale")(x)
        window = x
    x = summary(x, lstm_units, shared, pooling=pooling, bidirectional=bidirectional)
    inputs = {"sequence": sequence}
    if static:
        inputs["static"] = keras.Input((static,), name="static")
        x = _with_static(x, _scaled(inputs["static"], scale_windows))
    if known_future:
        units = numbers_of_units("lstm_units", lstm_units, least=1)[-1]
        inputs["known_future"] = keras.Input((horizon, known_future), name="known_future")
        known = _scaled(inputs["known_future"], scale_windows)
        x = _with_known_future(x, known, shared.cell, units)
    x = dense(x, dense_units, shared)
    x = _forecast(x, horizon, num_targets, of_quantiles, bool(known_future), scale_windows)
    if scale_windows:
        start = SeasonalLinear(horizon, season or 1, num_targets, name="seasonal_linear")(window)
        # In this order: Keras takes a second part of shape (1, n, 1) for a bias of the last axis.
        x = keras.layers.Add(name="sum")([_for_each(start, of_quantiles), x])
        x = ScaledBack(num_targets, quantiles is not None, name="forecast")([x, level, spread])
    model = keras.Model(inputs if len(inputs) > 1 else sequence, x, name=shared.name)
    if of_quantiles:
        return compiled(model, of_quantiles, None, shared)
    return compiled(model, "mean_absolute_error", ["mean_absolute_error"], shared)


def _check_scaling(scale_windows, normalise, season):
    if scale_windows and normalise is not None:
        raise ValueError(
            f"normalise must be None if scale_windows is true, got {normalise!r:.40}; "
            "pass scale_windows=False to use it"
        )
    if season is not None and not scale_windows:
        raise ValueError(f"season must be None if windows are not scaled, got {season!r}")


def _for_each(forecast, of_quantiles):
    """A forecast, repeated for each quantile."""
    if not of_quantiles:
        return forecast
    shape = (*forecast.shape[1:], 1)
    return keras.layers.Reshape(shape, name="for_each_quantile")(forecast)


def _check_targets(num_targets, features):
    if num_targets > features:
        raise ValueError(
            f"num_targets must be at most the input's {features} features, got {num_targets}"
        )


def _scaled(numbers, scale):
    """A further input, scaled if windows are scaled."""
    return RunningNormalization(name=f"scaled_{numbers.name}")(numbers) if scale else numbers


def _with_static(x, numbers):
    """The summary joined with the static features."""
    return keras.layers.Concatenate(name="with_static")([x, numbers])


def _with_known_future(x, known, cell, units):
    """A recurrent layer's states at each future step.

    It reads the summary joined with the known features of each step."""
    x = keras.layers.RepeatVector(known.shape[1], name="for_each_step_ahead")(x)
    x = keras.layers.Concatenate(name="with_known_future")([x, known])
    return layer_for(cell, units, return_sequences=True, name="ahead")(x)


def _forecast(x, horizon, num_targets, of_quantiles, step_by_step, from_zero):
    """The head: `(batch, horizon)`, with axes for several targets and for quantiles.

    It reads one vector for all steps, or one for each step if `step_by_step`. With `from_zero` its
    output is zero before training, because it is added to another forecast."""
    shape = (horizon,) if num_targets == 1 else (horizon, num_targets)
    if of_quantiles:
        shape = (*shape, len(of_quantiles.quantiles))
    width = math.prod(shape[1:])
    units = width if step_by_step else horizon * width
    start, name = ("zeros", "added") if from_zero else ("glorot_uniform", "forecast")
    x = keras.layers.Dense(units, kernel_initializer=start, name=name)(x)
    if tuple(x.shape[1:]) == shape:
        return x
    return keras.layers.Reshape(shape, name="quantiles")(x)
