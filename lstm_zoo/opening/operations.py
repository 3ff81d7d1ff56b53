"""What ONNX's operations compute, beside those of `weights.onnx_moves` that only move numbers.

Each takes a module of array functions (`keras.ops`, or `numpy` for constants), the node's
attributes by name, and its inputs; a missing input is None. It returns an array, or a list.

Source: https://onnx.ai/onnx/operators/.
"""

import functools
import math
import operator

import keras
import numpy as np
from keras import ops

from lstm_zoo.opening import places, spatial
from lstm_zoo.weights.onnx_moves import MOVES, given


def _elementwise(name):
    return lambda xp, attributes, *inputs: getattr(xp, name)(*inputs)


def _over_all(name):
    """An operation of two inputs, over any number of them."""

    def compute(xp, attributes, *inputs):
        return functools.reduce(getattr(xp, name), inputs)

    return compute


def _activation(function, **defaults):
    """An activation of Keras; `defaults` by ONNX's names of its parameters."""
    return lambda xp, attributes, x: function(
        x, *({**defaults, **_known(attributes, defaults)}).values()
    )


def _known(attributes, names):
    return {name: attributes[name] for name in names if name in attributes}


def add(xp, attributes, a, b):
    """`Add`; not by keras.ops.add, which may take a column for a row."""
    return a + (b if xp is np or a.dtype == b.dtype else xp.cast(b, a.dtype))


def divide(xp, attributes, a, b):
    """`Div`; whole numbers are cut towards zero."""
    if "int" not in keras.backend.standardize_dtype(a.dtype):
        return xp.divide(a, b)
    sign = xp.sign(a) * xp.sign(b)
    return sign * xp.floor_divide(xp.abs(a), xp.abs(b))


def clip(xp, attributes, x, low=None, high=None):
    """`Clip`."""
    low, high = attributes.get("min", low), attributes.get("max", high)
    x = x if low is None else xp.maximum(x, low)
    return x if high is None else xp.minimum(x, high)


def softmax(function):
    """`Softmax` and `LogSoftmax`. Before version 13 all axes from the given one on were one."""

    def compute(xp, attributes, x):
        axis = attributes.get("axis", -1 if attributes["version"] >= 13 else 1)
        if attributes["version"] >= 13 or axis in (-1, len(x.shape) - 1):
            return function(x, axis=axis)
        flat = ops.reshape(x, (*ops.shape(x)[:axis], -1))
        return ops.reshape(function(flat, axis=-1), ops.shape(x))

    return compute


def reduce(function):
    """`ReduceSum`, `ReduceMean` and the like."""

    def compute(xp, attributes, x, axes=None):
        axes = given(attributes, "axes", axes)
        if not axes and attributes.get("noop_with_empty_axes"):
            return x
        axes = tuple(axes) if axes else None
        return function(xp, x, axis=axes, keepdims=bool(attributes.get("keepdims", 1)))

    return compute


def arg(name):
    """`ArgMax` and `ArgMin`."""

    def compute(xp, attributes, x):
        axis = attributes.get("axis", 0)
        found = getattr(xp, name)(x, axis=axis)
        found = xp.expand_dims(found, axis) if attributes.get("keepdims", 1) else found
        return MOVES["Cast"](xp, {"to": 7}, found)  # int64

    return compute


def gemm(xp, attributes, a, b, c=None):
    """`Gemm`."""
    a = xp.transpose(a) if attributes.get("transA") else a
    b = xp.transpose(b) if attributes.get("transB") else b
    y = attributes.get("alpha", 1.0) * xp.matmul(a, b)
    return y if c is None else y + attributes.get("beta", 1.0) * c


def pad(xp, attributes, x, pads=None, value=None, axes=None):
    """`Pad`."""
    pads, rank = given(attributes, "pads", pads), len(x.shape)
    axes = given(attributes, "axes", axes) or list(range(rank))
    widths = [(0, 0)] * rank
    for k, axis in enumerate(axes):
        widths[axis] = (pads[k], pads[k + len(axes)])
    mode = attributes.get("mode", "constant")
    if mode == "edge":
        for axis, (before, after) in enumerate(widths):
            last = xp.shape(x)[axis] - 1
            x = xp.take(x, xp.clip(xp.arange(-before, last + 1 + after), 0, last), axis=axis)
        return x
    if mode != "constant":
        return xp.pad(x, widths, mode=mode)
    value = attributes.get("value", 0) if value is None else np.ravel(value)[0]
    cut = [slice(max(0, -a), (-max(0, -b)) or None) for a, b in widths]
    x = x[tuple(cut)]
    return xp.pad(x, [(max(0, a), max(0, b)) for a, b in widths], constant_values=value)


def where(xp, attributes, condition, a, b):
    """`Where`."""
    return xp.where(condition, a, b)


def cumulative_sum(xp, attributes, x, axis):
    """`CumSum`."""
    if attributes.get("exclusive"):
        raise ValueError("exclusive must be 0, got 1")
    axis = int(np.ravel(axis)[0])
    x = xp.flip(x, axis) if attributes.get("reverse") else x
    y = xp.cumsum(x, axis=axis)
    return xp.flip(y, axis) if attributes.get("reverse") else y


def reverse_sequence(xp, attributes, x, lengths):
    """`ReverseSequence`: each row's first steps in reverse, the rest as they are."""
    time, batch = attributes.get("time_axis", 0), attributes.get("batch_axis", 1)
    y = ops.moveaxis(x, (batch, time), (0, 1))
    lengths = ops.expand_dims(ops.cast(lengths, "int32"), 1)
    steps = ops.expand_dims(ops.arange(ops.shape(y)[1], dtype="int32"), 0)
    order = ops.where(steps < lengths, lengths - 1 - steps, steps)
    order = ops.reshape(order, (*ops.shape(order), *[1] * (len(y.shape) - 2)))
    return ops.moveaxis(ops.take_along_axis(y, order, axis=1), (0, 1), (batch, time))


def gelu(xp, attributes, x):
    """`Gelu`; by erf, because Keras's erfc can't be exported."""
    if attributes.get("approximate", "none") == "tanh":
        return ops.gelu(x, approximate=True)
    return 0.5 * x * (1 + ops.erf(x * math.sqrt(0.5)))


def spread(xp, attributes, x, shape):
    """`Expand`; the sizes may be known at run time only."""
    if xp is np:
        return MOVES["Expand"](xp, attributes, x, shape)
    if not isinstance(shape, (list, tuple)):
        shape = [shape[k] for k in range(shape.shape[0])]
    given_rank, rank = len(x.shape), max(len(x.shape), len(shape))
    x = ops.reshape(x, (*[1] * (rank - given_rank), *ops.shape(x)))
    shape = [1] * (rank - len(shape)) + list(shape)
    sizes = [
        max(own, size)
        if isinstance(own, int) and isinstance(size, int)
        else ops.maximum(ops.cast(own, "int32"), ops.cast(size, "int32"))
        for own, size in zip(ops.shape(x), shape)
    ]
    return ops.broadcast_to(x, sizes)


def quantize(xp, attributes, x):
    """`DynamicQuantizeLinear`: bytes, their scale and their zero point."""
    low, high = ops.minimum(ops.min(x), 0.0), ops.maximum(ops.max(x), 0.0)
    scale = (high - low) / 255.0
    scale = ops.where(scale == 0, 1.0, scale)
    zero = ops.clip(ops.round(-low / scale), 0.0, 255.0)
    y = ops.clip(ops.round(x / scale) + zero, 0.0, 255.0)
    return [ops.cast(y, "uint8"), scale, ops.cast(zero, "uint8")]


def whole_product(xp, attributes, a, b, zero_of_a=None, zero_of_b=None):
    """`MatMulInteger`."""
    a, b, *zeros = (
        0 if one is None else ops.cast(one, "int32") for one in (a, b, zero_of_a, zero_of_b)
    )
    return ops.matmul(a - zeros[0], b - zeros[1])


def sequence_mask(xp, attributes, lengths, x):
    """Not ONNX's: which steps of x, `(batch, timesteps, ..)`, are within the lengths."""
    steps = ops.arange(ops.shape(x)[1], dtype="int32")
    return ops.expand_dims(steps, 0) < ops.expand_dims(ops.cast(lengths, "int32"), 1)


_REDUCTIONS = {
    "ReduceMax": lambda xp, x, **o: xp.max(x, **o),
    "ReduceMin": lambda xp, x, **o: xp.min(x, **o),
    "ReduceMean": lambda xp, x, **o: xp.mean(x, **o),
    "ReduceSum": lambda xp, x, **o: xp.sum(x, **o),
    "ReduceProd": lambda xp, x, **o: xp.prod(x, **o),
    "ReduceL1": lambda xp, x, **o: xp.sum(xp.abs(x), **o),
    "ReduceL2": lambda xp, x, **o: xp.sqrt(xp.sum(xp.square(x), **o)),
    "ReduceSumSquare": lambda xp, x, **o: xp.sum(xp.square(x), **o),
    "ReduceLogSumExp": lambda xp, x, **o: xp.log(xp.sum(xp.exp(x), **o)),
}
_SAME_NAME = ["Abs", "Ceil", "Cos", "Equal", "Exp", "Floor", "Less", "Log", "MatMul", "Mod"]
_SAME_NAME += ["Greater", "Reciprocal", "Round", "Sign", "Sin", "Sqrt", "Tanh"]
_ELEMENTWISE = {name: name.lower() for name in _SAME_NAME} | {
    "And": "logical_and",
    "GreaterOrEqual": "greater_equal",
    "LessOrEqual": "less_equal",
    "Mul": "multiply",
    "Neg": "negative",
    "Not": "logical_not",
    "Or": "logical_or",
    "Pow": "power",
    "Sub": "subtract",
    "Xor": "logical_xor",
}
OPERATIONS = {
    **MOVES,
    **{name: _elementwise(function) for name, function in _ELEMENTWISE.items()},
    **{name: reduce(function) for name, function in _REDUCTIONS.items()},
    "Add": add,
    "ArgMax": arg("argmax"),
    "ArgMin": arg("argmin"),
    "AveragePool": spatial.pooling(ops.average_pool, None),
    "BatchNormalization": spatial.batch_normalization,
    "Clip": clip,
    "Conv": spatial.convolution,
    "CumSum": cumulative_sum,
    "Div": divide,
    "Dropout": lambda xp, attributes, x, *_: x,
    "DynamicQuantizeLinear": quantize,
    "Einsum": lambda xp, attributes, *inputs: ops.einsum(attributes["equation"], *inputs),
    "Elu": _activation(ops.elu, alpha=1.0),
    "Erf": _activation(ops.erf),
    "Expand": spread,
    "GatherElements": lambda xp, a, x, index: xp.take_along_axis(x, index, axis=a.get("axis", 0)),
    "GatherND": places.gather_nd,
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": spatial.over_space(ops.mean),
    "GlobalMaxPool": spatial.over_space(ops.max),
    "HardSigmoid": lambda xp, a, x: ops.clip(
        a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0.0, 1.0
    ),
    "HardSwish": _activation(ops.hard_silu),
    "LayerNormalization": spatial.layer_normalization,
    "LeakyRelu": _activation(ops.leaky_relu, alpha=0.01),
    "LogSoftmax": softmax(ops.log_softmax),
    "MatMulInteger": whole_product,
    "Max": _over_all("maximum"),
    "MaxPool": spatial.pooling(ops.max_pool, -math.inf),
    "Min": _over_all("minimum"),
    "Pad": pad,
    "Range": lambda xp, attributes, start, limit, step: xp.arange(start, limit, step),
    "Relu": _activation(ops.relu),
    "ReverseSequence": reverse_sequence,
    "Selu": _activation(ops.selu),
    "ScatterElements": places.scatter_elements,
    "ScatterND": places.scatter_nd,
    "SequenceMask": sequence_mask,
    "Sigmoid": _activation(ops.sigmoid),
    "Size": lambda xp, attributes, x: np.asarray(x.size),
    "Softmax": softmax(ops.softmax),
    "Softplus": _activation(ops.softplus),
    "Softsign": _activation(ops.softsign),
    "Sum": lambda xp, attributes, *inputs: functools.reduce(operator.add, inputs),
    "Tile": lambda xp, attributes, x, repeats: xp.tile(x, [int(k) for k in repeats]),
    "TopK": places.top_k,
    "Where": where,
}
