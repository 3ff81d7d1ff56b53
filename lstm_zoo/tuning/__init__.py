"""Searches a builder's arguments for settings that do better on your own data."""

from lstm_zoo.spelling import suggest as _suggest
from lstm_zoo.tuning.result import Tuning
from lstm_zoo.tuning.tune import tune

__all__ = ["Tuning", "tune"]

_suggest(__name__)
