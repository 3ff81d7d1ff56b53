"""Imports and exports weights: PyTorch, ONNX, Flax, Haiku, Keras 2, TensorFlow 1 and others."""

from lstm_zoo.spelling import suggest as _suggest
from lstm_zoo.weights.arrays import from_arrays, to_arrays
from lstm_zoo.weights.keras2 import from_keras2
from lstm_zoo.weights.onnx import from_onnx, onnx_summary
from lstm_zoo.weights.tensorflow1 import from_tensorflow1
from lstm_zoo.weights.torch import from_torch, to_torch

__all__ = [
    "from_arrays",
    "from_keras2",
    "from_onnx",
    "from_tensorflow1",
    "from_torch",
    "onnx_summary",
    "to_arrays",
    "to_torch",
]

_suggest(__name__)
