"""Forecasts of series, and how good they would have been."""

from lstm_zoo.forecasting.backtesting import backtest
from lstm_zoo.forecasting.forecast import Forecast, forecast
from lstm_zoo.forecasting.forecaster import forecasting_with
from lstm_zoo.forecasting.result import Backtest
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Backtest", "Forecast", "backtest", "forecast", "forecasting_with"]

_suggest(__name__)
