"""Exports models to SavedModel, ONNX, LiteRT and C, for whole sequences or step by step."""

from lstm_zoo.exporting.exporter import export
from lstm_zoo.exporting.folding import fold_scaling
from lstm_zoo.layers.stepping import step_model
from lstm_zoo.registry import import_all as _import_all
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["export", "fold_scaling", "step_model"]

_import_all(__name__)  # each module registers its format
_suggest(__name__)
