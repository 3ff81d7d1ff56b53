"""Layers around an LSTM for raw series: scale windows and targets, add a simple forecast."""

import keras
import numpy as np
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import sums_over_replicas, wide
from lstm_zoo.layers.each_step import each_step_alone
from lstm_zoo.layers.one_step import OneStep, one_step_of


@keras.saving.register_keras_serializable(package="lstm_zoo")
class WindowScale(keras.layers.Layer):
    """Subtract each feature's mean over time and divide by its standard deviation.

    A feature that is constant within a window becomes zeros. Its deviation is then the geometric
    mean of the deviations seen in training, or 1.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        training: whether the deviations of these windows count towards that mean.
        mask: `(batch, timesteps)` of booleans or None; masked steps do not count.

    Returns:
        The scaled sequences, and the means and deviations, each `(batch, 1, features)`.

    Example:
        >>> scaled, mean, spread = WindowScale()(ops.convert_to_tensor([[[10.0], [30.0]]]))
        >>> scaled.numpy().round(3).tolist(), mean.numpy().tolist(), spread.numpy().tolist()
        ([[[-1.0], [1.0]]], [[[20.0]]], [[[10.0]]])

    Source:
        Kim et al. 2022, https://openreview.net/forum?id=cGDAkQo1C0p.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False  # large numbers are scaled before they become float16
        self.supports_masking = True

    def compute_mask(self, sequences, mask=None):
        return [mask, None, None]

    def build(self, input_shape):
        options = {"trainable": False, "autocast": False, "dtype": wide(self.compute_dtype)}
        width = (input_shape[-1],)
        self.log_spread = self.add_weight(width, "zeros", name="log_spread", **options)
        self.count = self.add_weight(width, "zeros", name="count", **options)

    def call(self, sequences, training=None, mask=None):
        x = ops.cast(sequences, wide(self.compute_dtype))
        weights = ops.ones_like(x[..., :1])
        if mask is not None:
            weights = weights * ops.cast(mask, x.dtype)[..., None]
        steps = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1)
        mean = ops.sum(x * weights, axis=1, keepdims=True) / steps
        centred = x - mean
        variance = ops.sum(centred * centred * weights, axis=1, keepdims=True) / steps
        changes = variance > 1e-12 * mean * mean  # below this, it is float32 rounding error
        spread = ops.sqrt(ops.where(changes, variance, 1.0))
        usual = ops.convert_to_tensor(self.log_spread)
        if training and self.trainable:
            usual = self._counted(changes, spread, usual)
        spread = ops.where(changes, spread, ops.exp(usual))
        scaled = ops.where(changes, centred / spread, 0.0)
        return ops.cast(scaled, self.compute_dtype), mean, spread

    def _counted(self, changes, spread, usual):
        """Update and return the mean of the logarithms of all deviations so far."""
        logs = ops.stop_gradient(ops.where(changes, ops.log(spread) - usual, 0.0))
        apart, new = ops.sum(logs, axis=(0, 1)), ops.sum(ops.cast(changes, logs.dtype), axis=(0, 1))
        apart, new = sums_over_replicas(apart, new)
        count = ops.convert_to_tensor(self.count) + new
        usual = usual + apart / ops.maximum(count, 1.0)
        self.log_spread.assign(usual)
        self.count.assign(count)
        return usual

    def compute_output_spec(self, sequences, training=None, mask=None):
        shape = sequences.shape
        dtype = wide(self.compute_dtype)
        of_windows = [keras.KerasTensor((shape[0], 1, shape[-1]), dtype) for _ in range(2)]
        return keras.KerasTensor(shape, self.compute_dtype), *of_windows


@keras.saving.register_keras_serializable(package="lstm_zoo")
class ScaledBack(keras.layers.Layer):
    """Scale a forecast back to the units of its window; the inverse of `WindowScale`.

    Args:
        num_targets: number of forecast features; several form an axis of the forecast.
        quantiles: whether the last axis holds quantiles.

    Call arguments:
        inputs: a list of the forecast, `(batch, horizon)` with optional axes for targets and for
            quantiles, and the means and deviations from `WindowScale`.

    Returns:
        The forecast, scaled back.

    Example:
        >>> mean = spread = ops.ones((1, 1, 3))
        >>> ScaledBack(1, False)([ops.ones((1, 2)), mean, spread]).numpy().tolist()
        [[2.0, 2.0]]
    """

    def __init__(self, num_targets: int, quantiles: bool, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False
        self.num_targets = checks.count("num_targets", num_targets)
        self.quantiles = quantiles

    def call(self, inputs):
        forecast, mean, spread = inputs
        # With one target and no quantiles, (batch, 1) broadcasts to (batch, horizon).
        mean, spread = (part[..., : self.num_targets] for part in (mean, spread))
        if self.num_targets == 1:
            mean, spread = mean[..., 0], spread[..., 0]
        if self.quantiles:
            mean, spread = mean[..., None], spread[..., None]
        return ops.cast(forecast, wide(self.compute_dtype)) * spread + mean

    def get_config(self):
        own = {"num_targets": self.num_targets, "quantiles": self.quantiles}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class SeasonalLinear(keras.layers.Layer):
    """A seasonal naive forecast plus a linear map of the window.

    Each forecast step starts from the value one season earlier. The layer adds a linear map of the
    target's whole past. The weights of the map start at zero, so an untrained layer repeats the
    last season. All targets share the map.

    Args:
        horizon: steps to forecast.
        season: period of the series in steps; 1 repeats the last value.
        num_targets: number of features to forecast, the first ones of the input.

    Call arguments:
        sequences: `(batch, timesteps, features)`. The map needs a fixed number of timesteps; if
            `timesteps` is None, the layer has no map.
        mask: `(batch, timesteps)` of booleans or None. A masked step counts as 0, which is the mean
            of the window after `WindowScale`. The newest steps may be masked, as in sequences
            padded at their end.

    Returns:
        `(batch, horizon)`, or `(batch, horizon, num_targets)` for several targets.

    Raises:
        ValueError: if an argument is not a whole number of at least 1, if the sequences are shorter
            than a season, or if `timesteps` is None and `season` is above 1.

    Example:
        >>> import numpy as np
        >>> layer = SeasonalLinear(horizon=3, season=2)
        >>> layer(np.array([[[1.0], [2.0], [3.0], [4.0]]])).numpy().tolist()
        [[3.0, 4.0, 3.0]]

    Source:
        Zeng et al. 2023, Are transformers effective for time series forecasting?,
        https://arxiv.org/abs/2205.13504 (a linear map per series, shared by all targets).
    """

    def __init__(self, horizon: int, season: int = 1, num_targets: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.horizon = checks.count("horizon", horizon)
        self.season = checks.count("season", season)
        self.num_targets = checks.count("num_targets", num_targets)

    def build(self, input_shape):
        timesteps = input_shape[1]
        if self.season > 1 and (timesteps is None or timesteps < self.season):
            raise ValueError(
                f"season must be at most the number of timesteps, got season={self.season} and "
                f"timesteps={timesteps}"
            )
        self.kernel = None
        if timesteps is not None:
            self.kernel = self.add_weight((timesteps, self.horizon), "zeros", name="kernel")

    def call(self, sequences, mask=None):
        past = sequences[..., : self.num_targets]
        if mask is not None:
            past = _ending_with_the_newest(past, mask)
        places = [ahead % self.season - self.season for ahead in range(self.horizon)]
        forecast = ops.stack([past[:, place] for place in places], axis=1)
        if self.kernel is not None:
            added = ops.matmul(ops.swapaxes(past, 1, 2), self.kernel)
            forecast = forecast + ops.swapaxes(added, 1, 2)
        return forecast[..., 0] if self.num_targets == 1 else forecast

    def compute_mask(self, sequences, mask=None):
        return None

    def get_config(self):
        own = ("horizon", "season", "num_targets")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _ending_with_the_newest(past, mask):
    """Each row shifted so that its last unmasked step comes last; masked steps become zeros."""
    mask = ops.cast(mask, "int32")
    places = ops.arange(ops.shape(past)[1], dtype="int32")
    masked = places[-1] - ops.max(mask * places, axis=1, keepdims=True)  # at the end of each row
    origin = (places - masked) % ops.shape(past)[1]
    past = past * ops.cast(mask, past.dtype)[..., None]
    return ops.take_along_axis(past, origin[..., None], axis=1)


@one_step_of(WindowScale, SeasonalLinear)
class _WholeWindow(OneStep):
    """Raises an error for layers that need the whole window before its first step."""

    def __init__(self, layer, name):
        raise ValueError(
            f"layer {layer.name!r} can't be run step by step: it needs the whole window; "
            "build_forecaster(..., scale_windows=False) makes a model that can be streamed"
        )


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class TargetScale(keras.layers.Layer):
    """Scale predictions of unit size to the mean and standard deviation of the targets.

    The mean and standard deviation are weights that are not trained. `lz.fit`, and `fit` of a model
    from `build_regressor`, set them from `y` before the first training step. Until then the layer
    changes nothing.

    Call arguments:
        inputs: `(batch, ..., outputs)`.

    Returns:
        The inputs times the deviation, plus the mean; the same shape.

    Raises:
        ValueError: if the targets passed to `adapt` have another number of outputs.

    Example:
        >>> import numpy as np
        >>> layer = TargetScale()
        >>> layer.build((None, 1))
        >>> layer.adapt(np.array([480.0, 520.0]))
        >>> layer(np.array([[0.0], [1.0]])).numpy().tolist()
        [[500.0], [520.0]]
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False  # large numbers do not fit into float16
        self.supports_masking = True

    def build(self, input_shape):
        options = {"trainable": False, "autocast": False, "dtype": wide(self.compute_dtype)}
        self.mean = self.add_weight((input_shape[-1],), "zeros", name="mean", **options)
        self.deviation = self.add_weight((input_shape[-1],), "ones", name="deviation", **options)
        self.adapted = self.add_weight((), "zeros", name="adapted", **options)

    @property
    def is_adapted(self) -> bool:
        """Whether the scale is set."""
        return bool(ops.convert_to_numpy(self.adapted))

    def adapt(self, targets) -> None:
        """Measure the mean and deviation of each output's targets, ignoring NaN.

        Only the first call has an effect, so that a model keeps its scale when it trains again.

        Args:
            targets: `(samples,)` or `(samples, ..., outputs)`.
        """
        if self.is_adapted:
            return
        width = self.mean.shape[0]
        values = np.asarray(targets, dtype="float64")
        if values.size % width or (width > 1 and values.shape[-1] != width):
            raise ValueError(f"targets must be (samples, {width}), got shape {values.shape}")
        values = values.reshape(-1, width)
        values = np.where(np.isfinite(values), values, np.nan)
        if np.isnan(values).all(axis=0).any():
            return
        mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        changes = deviation > 1e-10 * np.abs(mean)  # below this, it is rounding error
        self.mean.assign(mean)
        self.deviation.assign(np.where(changes, deviation, 1.0))
        self.adapted.assign(1.0)

    def call(self, inputs):
        return ops.cast(inputs, wide(self.compute_dtype)) * self.deviation + self.mean

    def compute_output_shape(self, input_shape):
        return input_shape
