"""Whole models: recurrent layers that extract, Dense layers that select."""

from lstm_zoo.builders.classifier import build_classifier
from lstm_zoo.builders.forecaster import build_forecaster
from lstm_zoo.builders.losses import QuantileLoss
from lstm_zoo.builders.regressor import build_regressor

__all__ = ["QuantileLoss", "build_classifier", "build_forecaster", "build_regressor"]
