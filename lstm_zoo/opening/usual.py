"""The nodes of an ONNX file that are one of Keras's own layers: Dense and Embedding."""

import keras
import numpy as np


def usual(operator, attributes, inputs, name):
    """The output of a layer of Keras's own if one computes what a node does, else None.

    Args:
        operator, attributes: of the node.
        inputs: symbolic tensors, and arrays where a value is constant.
        name: a function that gives the layer's name.
    """
    if len(inputs) < 2 or (operator, _is_table(inputs[0]), _is_table(inputs[1])) not in _SERVED:
        return None
    if operator == "Gather" and not attributes.get("axis", 0) and _is_symbolic(inputs[1]):
        layer = keras.layers.Embedding(*inputs[0].shape, name=name())
        layer.build()
        layer.set_weights([inputs[0]])
        return layer(inputs[1])
    if operator == "MatMul":
        return _dense(inputs[0], inputs[1], None, name)
    if operator == "Gemm" and not attributes.get("transA"):
        kernel = inputs[1].T if attributes.get("transB") else inputs[1]
        bias = inputs[2] if len(inputs) > 2 else None
        scaled = {attributes.get(factor, 1.0) for factor in ("alpha", "beta")} != {1.0}
        row = bias is None or (not _is_symbolic(bias) and bias.size == kernel.shape[1])
        if row and not scaled:
            return _dense(inputs[0], kernel, bias, name)
    return None


_SERVED = [("Gather", True, False), ("MatMul", False, True), ("Gemm", False, True)]


def _is_symbolic(value):
    return not isinstance(value, np.ndarray)


def _is_table(value):
    return not _is_symbolic(value) and value.ndim == 2 and value.dtype.kind == "f"


def _dense(x, kernel, bias, name):
    layer = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, name=name())
    layer.build((None, len(kernel)))
    layer.set_weights([kernel] if bias is None else [kernel, bias.ravel()])
    return layer(x)
