"""Whole models of other libraries as Keras models: ONNX files."""

from lstm_zoo.opening.onnx import open_onnx
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["open_onnx"]

_suggest(__name__)
