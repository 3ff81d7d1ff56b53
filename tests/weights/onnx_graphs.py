"""ONNX files made by hand, and the numbers that ONNX Runtime gives for them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FEATURES, UNITS, STEPS, BATCH = 3, 4, 5, 2
X = RNG.normal(size=(BATCH, STEPS, FEATURES)).astype("float32")


def arrays(operator="LSTM", directions=1, peepholes=False):
    """By ONNX's names the weights of a node."""
    width = GATES[operator] * UNITS
    shapes = {"W": (width, FEATURES), "R": (width, UNITS), "B": (2 * width,)}
    if peepholes:
        shapes["P"] = (3 * UNITS,)
    return {k: RNG.normal(size=(directions, *s)).astype("float32") for k, s in shapes.items()}


def saved(
    path, nodes, initializers, inputs=(("x", (None, None, FEATURES)),), outputs=("y",), **more
):
    """An ONNX file of some nodes; `more` is of `onnx.helper.make_model`."""

    def value(name, shape=None):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    tensors = [numpy_helper.from_array(a, name) for name, a in initializers.items()]
    graph = helper.make_graph(
        nodes, "graph", [value(*one) for one in inputs], [value(name) for name in outputs], tensors
    )
    more = {"opset_imports": [helper.make_opsetid("", 18)], "ir_version": 9} | more
    onnx.save(helper.make_model(graph, **more), path)
    return path


def recurrent(path, operator="LSTM", weights=None, *, moved=(), **attributes):
    """A file with one recurrent node after the nodes in `moved`."""
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    weights = arrays(operator, directions) if weights is None else weights
    inputs = ["x", "W", "R", "B" if "B" in weights else "", *[""] * 4][: 8 if "P" in weights else 4]
    if "P" in weights:
        inputs[7] = "P"
    node = helper.make_node(
        operator, inputs, ["y"], name="node", **{"hidden_size": UNITS} | attributes
    )
    return saved(path, [*moved, node], weights)


def in_onnx_runtime(path, **inputs):
    """The outputs of a file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options).run(None, inputs)


def by_batch(y):
    """ONNX's `(steps, directions, batch, units)` as `(batch, steps, directions * units)`."""
    return np.transpose(y, (2, 0, 1, 3)).reshape(y.shape[2], y.shape[0], -1)
