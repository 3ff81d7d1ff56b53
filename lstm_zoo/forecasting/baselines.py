"""Baselines that a forecast must beat: naive, seasonal naive, linear, and those of statsmodels."""

import warnings

import numpy as np

from lstm_zoo.forecasting.forecaster import Forecaster


def baselines_for(known, horizon: int, season: int) -> dict[str, Forecaster]:
    """The baselines by name, fitted on `known`: those that it is long enough for.

    Args:
        known: `(timesteps,)`, the series up to the first origin.
        horizon: steps that they forecast.
        season: steps after which the series repeats itself; 1 if it does not.

    Example:
        >>> found = baselines_for(np.arange(8.0), horizon=2, season=4)
        >>> found["seasonal naive"](np.arange(8.0), 2).tolist()
        [4.0, 5.0]
    """
    baselines: dict[str, Forecaster] = {
        "naive": lambda past, h: np.full(h, past[-1]),
        "seasonal naive": lambda past, h: np.resize(past[-season:], h),
    }
    linear = _linear(known, horizon, max(season, 24))
    if linear is not None:
        baselines["linear"] = linear
    try:
        from statsmodels.tsa.forecasting.theta import ThetaModel
        from statsmodels.tsa.holtwinters import ExponentialSmoothing
    except ImportError:
        return baselines
    seasonal = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}
    period = {"period": season} if season > 1 else {"period": 1, "deseasonalize": False}
    baselines["exponential smoothing"] = _fitted_each_time(
        lambda past: ExponentialSmoothing(past, trend="add", damped_trend=True, **seasonal)
    )
    baselines["theta"] = _fitted_each_time(lambda past: ThetaModel(past, **period))
    return baselines


def _fitted_each_time(model_of):
    """A model of statsmodels, fitted to all of the past at each origin."""

    def forecaster(past, horizon):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a search ended early, or that nothing changes
            return model_of(past).fit().forecast(horizon)

    return forecaster


def _linear(known, horizon, steps):
    """Ridge regression from `steps` values to the next `horizon`, each less the last value."""
    count = len(known) - steps - horizon + 1
    if count < 2:
        return None
    whole = np.lib.stride_tricks.sliding_window_view(known, steps + horizon)
    x, y = whole[:, :steps], whole[:, steps:]
    last = x[:, -1:]
    x = x - last
    penalty = 1e-3 * max(float(np.mean(x**2)), 1e-12) * count
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(steps), x.T @ (y - last))
    return lambda past, h: (past[-steps:] - past[-1]) @ weights + past[-1]
