"""Losses for quantiles and for missing targets."""

from collections.abc import Sequence

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import get_keras_mask

# Each returns one value per target, or the mean of these values over the last axis.
_COMPARISONS = {
    "mean_squared_error": keras.losses.mean_squared_error,
    "mean_absolute_error": keras.losses.mean_absolute_error,
    "mean_absolute_percentage_error": keras.losses.mean_absolute_percentage_error,
    "mean_squared_logarithmic_error": keras.losses.mean_squared_logarithmic_error,
    "huber": keras.losses.huber,
    "log_cosh": keras.losses.log_cosh,
    "poisson": keras.losses.poisson,
    "binary_crossentropy": keras.losses.binary_crossentropy,
    "binary_focal_crossentropy": keras.losses.binary_focal_crossentropy,
    "binary_accuracy": keras.metrics.binary_accuracy,
}
_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class QuantileLoss(keras.losses.Loss):
    r"""Mean over the quantiles :math:`q` of :math:`\max(q e, (q - 1) e)`.

    The error :math:`e` is truth minus forecast. The true quantiles minimise this loss (Koenker &
    Bassett 1978).

    Args:
        quantiles: rising fractions between 0 and 1.

    Call arguments:
        y_true: `(batch, horizon)`, or `(batch, horizon, targets)`.
        y_pred: the same shape with a last axis of `len(quantiles)`.
        sample_weight: None, or the weight of each target, with the shape of `y_true` or of its
            first axes, such as `(batch,)`.

    Raises:
        ValueError: if the quantiles do not rise, or are not between 0 and 1.

    Example:
        >>> float(QuantileLoss((0.5,))([[3.0]], [[[1.0]]]))  # half the absolute error
        1.0

    Source:
        Koenker & Bassett 1978, Regression quantiles, https://doi.org/10.2307/1913643.
    """

    def __init__(self, quantiles: Sequence[float], name="quantile_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.quantiles = checks.rising_fractions("quantiles", quantiles)

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
            sample_weight = _weights(sample_weight, y_true)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        error = ops.expand_dims(y_true, -1) - y_pred
        q = ops.convert_to_tensor(self.quantiles, dtype=error.dtype)
        return ops.mean(ops.maximum(q * error, (q - 1) * error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "quantiles": self.quantiles}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class ObservedLoss(keras.losses.Loss):
    """The mean of a loss over the observed targets; NaN marks a missing target.

    Use it for data with gaps. A model from `lz.build_forecaster(..., loss=ObservedLoss("mae"))`
    learns from every observed target, in `lz.fit` and in `model.fit`. The builder's own metrics
    ignore the same targets (`ObservedMean`). Each target has its own loss, so `sample_weight` may
    also have the shape of `y`.

    Args:
        loss: the loss to average: "mean_squared_error", "mean_absolute_error",
            "mean_absolute_percentage_error", "mean_squared_logarithmic_error", "huber", "log_cosh",
            "poisson", "binary_crossentropy" or "binary_focal_crossentropy", with Keras's defaults;
            or a `QuantileLoss`.

    Call arguments:
        y_true: the targets; NaN marks a missing target.
        y_pred: the model's output, with the same shape, and a last axis of quantiles for a
            `QuantileLoss`. Its masked steps are ignored too.
        sample_weight: None, or the weight of each target, with the shape of `y_true` or of its
            first axes, such as `(batch,)`.

    Returns:
        The sum of the weighted losses, divided by the number of observed targets; 0 if there is no
        observed target.

    Raises:
        ValueError: if `loss` is not in the list above. For integer labels with gaps, use
            `keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)`.

    Example:
        >>> nan = float("nan")
        >>> float(ObservedLoss("mean_absolute_error")([[3.0, nan], [nan, 1.0]], [[1.0, 5.0]] * 2))
        3.0
    """

    leaves_out_missing = True

    def __init__(
        self,
        loss: str | QuantileLoss = "mean_squared_error",
        name="observed_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.loss = _each_target("loss", loss)

    @property
    def quantiles(self):
        """The quantiles of a `QuantileLoss`, or None for other losses."""
        return getattr(self.loss, "quantiles", None)

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred, weights = _observed(self.loss, y_true, y_pred, self.dtype)
        known = ops.sum(weights)
        if sample_weight is not None:
            weights = weights * _weights(sample_weight, y_true)
        # Keras divides by the number of all targets, missing ones included.
        share = ops.sum(ops.ones_like(weights)) / ops.maximum(known, 1)
        return super().__call__(y_true, y_pred, weights * share)

    def call(self, y_true, y_pred):
        return _values(self.loss, y_true, y_pred)

    def get_config(self):
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class ObservedMean(keras.metrics.Mean):
    """A metric: the mean over the observed targets, as in `ObservedLoss`.

    Args:
        of: the measure to average: any `loss` of `ObservedLoss`, or "binary_accuracy".
        name: the metric's name; None uses the name of `of`.

    Raises:
        ValueError: if `of` is not one of these.

    Example:
        >>> metric = ObservedMean("mean_absolute_error")
        >>> metric.update_state([[3.0, float("nan")]], [[1.0, 5.0]])
        >>> float(metric.result())
        2.0
    """

    def __init__(self, of: str | QuantileLoss, name=None, **kwargs):
        self.of = _each_target("of", of)
        super().__init__(name=name or getattr(self.of, "name", self.of), **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred, weights = _observed(self.of, y_true, y_pred, self.dtype)
        if sample_weight is not None:
            weights = weights * _weights(sample_weight, y_true)
        values = _values(self.of, y_true, y_pred)
        return super().update_state(ops.reshape(values, (-1,)), ops.reshape(weights, (-1,)))

    def get_config(self):
        return {**super().get_config(), "of": keras.saving.serialize_keras_object(self.of)}


def _each_target(argument, value):
    """Check the name of a loss that compares targets one by one, or a `QuantileLoss`."""
    value = keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value
    if isinstance(value, QuantileLoss):
        return value
    value = _SHORT.get(value, value) if isinstance(value, str) else value
    return checks.one_of(argument, value, _COMPARISONS)


def _observed(comparison, y_true, y_pred, dtype):
    """Targets and outputs with missing and masked values set to 1, and which were observed.

    The targets get the shape of the outputs, without the axis of quantiles if there is one.
    """
    mask = get_keras_mask(y_pred)
    y_true, y_pred = (ops.convert_to_tensor(y, dtype=dtype) for y in (y_true, y_pred))
    of_quantiles = isinstance(comparison, QuantileLoss)
    if len(y_true.shape) < len(y_pred.shape) - of_quantiles:
        y_true = ops.expand_dims(y_true, -1)
    known = ops.logical_not(ops.isnan(y_true))
    if mask is not None:
        mask = ops.cast(mask, "bool")
        known = ops.logical_and(known, _like(mask, y_true))
    weights = ops.cast(known, dtype)
    y_true = ops.where(known, y_true, 1)
    return y_true, ops.where(known[..., None] if of_quantiles else known, y_pred, 1), weights


def _values(comparison, y_true, y_pred):
    """The loss or metric of each target."""
    if isinstance(comparison, QuantileLoss):
        return comparison.call(y_true, y_pred)
    each = _COMPARISONS[comparison](y_true[..., None], y_pred[..., None])
    return ops.reshape(each, ops.shape(y_true))


def _like(weights, targets):
    """Weights repeated to the shape of the targets; the first axes are aligned."""
    further = (1,) * (len(targets.shape) - len(weights.shape))
    weights = ops.reshape(weights, (*ops.shape(weights), *further))
    return ops.broadcast_to(weights, ops.shape(targets))


def _weights(sample_weight, targets):
    return _like(ops.convert_to_tensor(sample_weight, dtype=targets.dtype), targets)
