"""Models that go anywhere: SavedModel, ONNX, LiteRT, C, and one step at a time."""

from lstm_zoo.exporting.export import export
from lstm_zoo.layers.stepping import step_model
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["export", "step_model"]

_suggest(__name__)
