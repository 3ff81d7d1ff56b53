"""Turns raw series into model inputs: windows, padding, batches by length."""

from lstm_zoo.sequences.cutting import Windows, windows
from lstm_zoo.sequences.padding import batches_by_length, pad
from lstm_zoo.sequences.table import Panel, panel
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Panel", "Windows", "batches_by_length", "pad", "panel", "windows"]

_suggest(__name__)
