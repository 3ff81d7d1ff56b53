"""A forecaster: a function of a series' past and of how many steps to forecast."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lstm_zoo import checks, precision

# From the past `(known,)` and the horizon to `(horizon,)` numbers.
Forecaster = Callable[[np.ndarray, int], npt.ArrayLike]


def forecasting_with(model, input_steps: int, mean: float = 0.0, scale: float = 1.0) -> Forecaster:
    """A model of `build_forecaster` as `lz.backtest` takes it.

    Args:
        model: from `(batch, input_steps, 1)` to `(batch, horizon)`; of quantiles, the middle one.
        input_steps: steps that it reads.
        mean, scale: what the series was freed of for its training.

    Returns:
        A function of the past and the horizon.

    Example:
        >>> import lstm_zoo as lz
        >>> run = forecasting_with(lz.build_forecaster((4, 1), 2, lstm_units=3), 4)
        >>> run(np.arange(9.0), 2).shape
        (2,)
    """
    input_steps = checks.count("input_steps", input_steps)
    mean, scale = checks.number("mean", mean), checks.positive("scale", scale)

    def forecast(past, horizon):
        x = (past[-input_steps:] - mean) / scale
        x = precision.single("the last steps, less mean and divided by scale,", x)
        y = np.asarray(model.predict_on_batch(x[None, :, None]))[0]
        y = y if y.ndim == 1 else y[:, y.shape[1] // 2]
        return y.astype("float64") * scale + mean  # float32 would round off what the model adds

    return forecast
