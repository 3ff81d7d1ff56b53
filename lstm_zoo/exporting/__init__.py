"""Models that go anywhere: SavedModel, ONNX, LiteRT, C, and one step at a time."""

from lstm_zoo.exporting.export import export
from lstm_zoo.layers.one_step import streaming

__all__ = ["export", "streaming"]
