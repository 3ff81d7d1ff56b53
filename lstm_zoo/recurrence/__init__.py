"""Runs a cell over time, forwards and backwards; `explain` tells which engine does it."""

from lstm_zoo.recurrence.custom_gradient import run
from lstm_zoo.recurrence.explaining import explain, why_not_fast
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["explain", "run", "why_not_fast"]

_suggest(__name__)
