"""What a forecaster with quantiles is trained on."""

from collections.abc import Sequence

import keras
from keras import ops

from lstm_zoo import checks


@keras.saving.register_keras_serializable(package="lstm_zoo")
class QuantileLoss(keras.losses.Loss):
    r"""Mean over the quantiles :math:`q` of :math:`\max(q e, (q - 1) e)`.

    :math:`e` is truth minus forecast. The true quantiles make it least (Koenker & Bassett 1978).

    Args:
        quantiles: rising fractions between 0 and 1.

    Call arguments:
        y_true: `(batch, horizon)`.
        y_pred: `(batch, horizon, len(quantiles))`.

    Raises:
        ValueError: if the quantiles do not rise, or are not between 0 and 1.

    Example:
        >>> float(QuantileLoss((0.5,))([[3.0]], [[[1.0]]]))  # half of the absolute error
        1.0

    Source:
        Koenker & Bassett 1978, Regression quantiles, https://doi.org/10.2307/1913643.
    """

    def __init__(self, quantiles: Sequence[float], name="quantile_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.quantiles = checks.rising_fractions("quantiles", quantiles)

    def call(self, y_true, y_pred):
        error = ops.expand_dims(y_true, -1) - y_pred
        q = ops.convert_to_tensor(self.quantiles, dtype=error.dtype)
        return ops.mean(ops.maximum(q * error, (q - 1) * error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "quantiles": self.quantiles}
