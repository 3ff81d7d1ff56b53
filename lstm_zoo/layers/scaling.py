"""Each window brought to mean 0 and deviation 1, and a forecast back to its window's scale."""

import keras
from keras import ops

from lstm_zoo import checks


@keras.saving.register_keras_serializable(package="lstm_zoo")
class WindowScale(keras.layers.Layer):
    """Take off each feature's mean over time, and divide by its standard deviation.

    Args:
        epsilon: added to the variance, so that a feature that never changes becomes zeros.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        mask: `(batch, timesteps)` of booleans or None; masked steps do not count.

    Returns:
        The scaled sequences, the means and the deviations `(batch, 1, features)`.

    Example:
        >>> scaled, mean, spread = WindowScale()(ops.convert_to_tensor([[[10.0], [30.0]]]))
        >>> scaled.numpy().round(3).tolist(), mean.numpy().tolist(), spread.numpy().tolist()
        ([[[-1.0], [1.0]]], [[[20.0]]], [[[10.0]]])

    Source:
        Kim et al. 2022, https://openreview.net/forum?id=cGDAkQo1C0p.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = checks.number("epsilon", epsilon)
        self.supports_masking = True

    def compute_mask(self, sequences, mask=None):
        return [mask, None, None]

    def call(self, sequences, mask=None):
        weights = ops.ones_like(sequences[..., :1])
        if mask is not None:
            weights = weights * ops.cast(mask, sequences.dtype)[..., None]
        steps = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1)
        mean = ops.sum(sequences * weights, axis=1, keepdims=True) / steps
        centred = sequences - mean
        variance = ops.sum(centred * centred * weights, axis=1, keepdims=True) / steps
        spread = ops.sqrt(variance + self.epsilon)
        return centred / spread, mean, spread

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class ScaledBack(keras.layers.Layer):
    """A forecast on the scale of the first features of its window.

    Args:
        num_targets: how many features are forecast; where more than one, they are an axis.
        quantiles: whether the last axis holds quantiles.

    Call arguments:
        inputs: the forecast `(batch, horizon)`, with an axis for several targets and one for
            quantiles; the means and the deviations that `WindowScale` gave.

    Returns:
        The forecast, scaled back.

    Example:
        >>> mean = spread = ops.ones((1, 1, 3))
        >>> ScaledBack(1, False)([ops.ones((1, 2)), mean, spread]).numpy().tolist()
        [[2.0, 2.0]]
    """

    def __init__(self, num_targets: int, quantiles: bool, **kwargs):
        super().__init__(**kwargs)
        self.num_targets = checks.count("num_targets", num_targets)
        self.quantiles = quantiles

    def call(self, inputs):
        forecast, mean, spread = inputs
        # One target and no quantiles: (batch, 1) fits (batch, horizon).
        mean, spread = (part[..., : self.num_targets] for part in (mean, spread))
        if self.num_targets == 1:
            mean, spread = mean[..., 0], spread[..., 0]
        if self.quantiles:
            mean, spread = mean[..., None], spread[..., None]
        return forecast * spread + mean

    def get_config(self):
        own = {"num_targets": self.num_targets, "quantiles": self.quantiles}
        return {**super().get_config(), **own}
