"""The nodes of an ONNX file that are one of Keras's own layers: Dense, Embedding, Activation."""

from typing import Any

import keras
import numpy as np

_ACTIVATIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Softmax": "softmax", "Tanh": "tanh"}


class Usual:
    """Finds the layer of Keras's own that computes what a node does."""

    def __init__(self):
        self._without_bias: dict[int, tuple[Any, Any, np.ndarray]] = {}  # by the output's id

    def output(self, operator, attributes, inputs, name):
        """The output of such a layer, or None.

        Args:
            operator, attributes: of the node.
            inputs: symbolic tensors, and arrays where a value is constant.
            name: a function that gives the layer's name.
        """
        if operator in _ACTIVATIONS and _is_symbolic(inputs[0]):
            return _activation(operator, attributes, inputs[0], name)
        if operator == "Add":
            return self._with_bias(inputs, name)
        kinds = tuple(map(_is_table, inputs[:2]))
        if operator == "Gather" and kinds == (True, False) and not attributes.get("axis", 0):
            return _embedding(*inputs, name) if _is_symbolic(inputs[1]) else None
        if operator == "MatMul" and kinds == (False, True):
            result = _dense(inputs[0], inputs[1], None, name)
            self._without_bias[id(result)] = result, *inputs
            return result
        if operator == "Gemm" and kinds == (False, True) and not attributes.get("transA"):
            kernel = inputs[1].T if attributes.get("transB") else inputs[1]
            bias = inputs[2] if len(inputs) > 2 else None
            scaled = {attributes.get(factor, 1.0) for factor in ("alpha", "beta")} != {1.0}
            if not scaled and _is_row(bias, kernel):
                return _dense(inputs[0], kernel, bias, name)
        return None

    def _with_bias(self, inputs, name):
        """A Dense layer with bias in place of one without, whose output gets a constant row."""
        for one, row in (inputs, inputs[::-1]):
            _, x, kernel = self._without_bias.get(id(one), (None, None, None))
            if kernel is not None and row is not None and _is_row(row, kernel) and row.ndim == 1:
                return _dense(x, kernel, row, name)
        return None


def _is_symbolic(value):
    return not isinstance(value, np.ndarray)


def _is_table(value):
    return not _is_symbolic(value) and value.ndim == 2 and value.dtype.kind == "f"


def _is_row(bias, kernel):
    """Whether a bias has a number for each unit of a kernel, or is missing."""
    return bias is None or (not _is_symbolic(bias) and bias.size == kernel.shape[1])


def _activation(operator, attributes, x, name):
    """A layer, unless a softmax is over another axis than the last."""
    last = len(x.shape) - 1
    axis = attributes.get("axis", -1 if attributes["version"] >= 13 else 1)
    if operator == "Softmax" and axis not in (-1, last):
        return None
    return keras.layers.Activation(_ACTIVATIONS[operator], name=name())(x)


def _embedding(table, x, name):
    layer = keras.layers.Embedding(*table.shape, name=name())
    layer.build()
    layer.set_weights([table])
    return layer(x)


def _dense(x, kernel, bias, name):
    layer = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, name=name())
    layer.build((None, len(kernel)))
    layer.set_weights([kernel] if bias is None else [kernel, bias.ravel()])
    return layer(x)
