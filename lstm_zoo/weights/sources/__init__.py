"""How each class of another library names and orders its weights, one file for each library."""

from lstm_zoo.registry import import_all as _import_all
from lstm_zoo.weights.sources.base import SOURCES, Gates, Source

__all__ = ["SOURCES", "Gates", "Source"]

_import_all(__name__)
