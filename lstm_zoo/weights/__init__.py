"""Imports and exports weights: PyTorch modules, ONNX nodes, Keras 2 files, TensorFlow 1 kernels."""

from lstm_zoo.spelling import suggest as _suggest
from lstm_zoo.weights.keras2 import from_keras2
from lstm_zoo.weights.onnx import from_onnx, onnx_summary
from lstm_zoo.weights.tensorflow1 import from_tensorflow1
from lstm_zoo.weights.torch import from_torch, to_torch

__all__ = [
    "from_keras2",
    "from_onnx",
    "from_tensorflow1",
    "from_torch",
    "onnx_summary",
    "to_torch",
]

_suggest(__name__)
