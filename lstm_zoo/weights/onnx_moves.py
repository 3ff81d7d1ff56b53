"""ONNX's operations that move or scale numbers: what stands between stored weights and their node.

Each takes a module of array functions, which is `numpy` or `keras.ops`, the node's attributes by
name, and its inputs; a missing input is None. It returns an array, or a list of several.

Source: https://onnx.ai/onnx/operators/.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def given(attributes, name, value, default=None):
    """What early versions have as an attribute and late ones as an input, as a list of numbers."""
    value = attributes.get(name, default) if value is None else value
    return value if value is None else [int(one) for one in np.ravel(value)]


def cast(xp, attributes, x):
    """`Cast`; to the types of NumPy."""
    import onnx

    dtype = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])
    return np.asarray(x).astype(dtype) if xp is np else xp.cast(x, dtype.name)


def slices(xp, attributes, x, starts=None, ends=None, axes=None, steps=None):
    """`Slice`."""
    starts, ends = given(attributes, "starts", starts), given(attributes, "ends", ends)
    axes = given(attributes, "axes", axes, range(len(starts)))
    steps = given(attributes, "steps", steps, [1] * len(starts))
    index = [slice(None)] * len(x.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 0 and end <= -(2**31):
            end = None  # up to the first
        index[axis] = slice(start, end if end is None else min(end, 2**31 - 1), step)
    return x[tuple(index)]


def split(xp, attributes, x, sizes=None):
    """`Split`."""
    axis = attributes.get("axis", 0)
    sizes = given(attributes, "split", sizes)
    if sizes is None:
        parts, length = attributes["num_outputs"], x.shape[axis]
        size = -(-length // parts)
        sizes = [size] * (parts - 1) + [length - size * (parts - 1)]
    ends = np.cumsum(sizes)
    places = zip(ends - sizes, ends)
    return [slices(xp, {}, x, np.array([a]), np.array([b]), np.array([axis])) for a, b in places]


def unsqueeze(xp, attributes, x, axes=None):
    """`Unsqueeze`."""
    axes = given(attributes, "axes", axes)
    rank = len(x.shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = xp.expand_dims(x, axis)
    return x


def squeeze(xp, attributes, x, axes=None):
    """`Squeeze`."""
    axes = given(attributes, "axes", axes)
    if axes is None:
        return xp.squeeze(x)
    gone = {axis % len(x.shape) for axis in axes}
    return xp.reshape(x, [size for k, size in enumerate(xp.shape(x)) if k not in gone])


def transpose(xp, attributes, x):
    """`Transpose`."""
    return xp.transpose(x, attributes.get("perm"))


def reshape(xp, attributes, x, shape=None):
    """`Reshape`; 0 stands for the same size as before."""
    if shape is None or isinstance(shape, np.ndarray):
        shape = given(attributes, "shape", shape)
    if not attributes.get("allowzero"):
        shape = [
            xp.shape(x)[k] if isinstance(size, int) and size == 0 else size
            for k, size in enumerate(shape)
        ]
    return xp.reshape(x, shape)


def flatten(xp, attributes, x):
    """`Flatten`."""
    axis = attributes.get("axis", 1) % (len(x.shape) + 1)
    return xp.reshape(x, (math.prod(xp.shape(x)[:axis]), -1))


def gather(xp, attributes, x, index):
    """`Gather`."""
    return xp.take(x, index, axis=attributes.get("axis", 0))


def concat(xp, attributes, *inputs):
    """`Concat`."""
    return xp.concatenate(inputs, axis=attributes["axis"])


def dequantize(xp, attributes, x, scale, zero=None):
    """`DequantizeLinear`: the differences from the zero point, times the scale."""
    zero = np.zeros(scale.shape, "int32") if zero is None else zero
    x, zero = (cast(xp, {"to": 1}, one) for one in (x, zero))  # float32
    if len(scale.shape) == 1 and scale.shape[0] > 1:
        shape = [1] * len(x.shape)
        shape[attributes.get("axis", 1)] = -1
        scale, zero = xp.reshape(scale, shape), xp.reshape(zero, shape)
    return (x - zero) * scale


def filled(xp, attributes, shape):
    """`ConstantOfShape`."""
    value = attributes.get("value", np.zeros(1, "float32"))
    return np.full(tuple(int(size) for size in shape), value.ravel()[0], value.dtype)


def expand(xp, attributes, x, shape):
    """`Expand`."""
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(int(s) for s in shape)))


def constant(xp, attributes):
    """`Constant`."""
    names = ("value", "value_int", "value_ints", "value_float", "value_floats")
    [value] = [attributes[name] for name in names if name in attributes]
    if isinstance(value, np.ndarray):
        return value
    is_float = isinstance(np.ravel(value)[0], np.floating) if np.size(value) else False
    return np.asarray(value, "float32" if is_float else "int64")


MOVES = {
    "Cast": cast,
    "Concat": concat,
    "Constant": constant,
    "ConstantOfShape": filled,
    "DequantizeLinear": dequantize,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Identity": lambda xp, attributes, x: x,
    "Reshape": reshape,
    "Slice": slices,
    "Split": split,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
    "Add": lambda xp, attributes, a, b: a + b,
    "Sub": lambda xp, attributes, a, b: a - b,
    "Mul": lambda xp, attributes, a, b: a * b,
}


def size_after(operator, inputs) -> int:
    """How many numbers an operation on constants gives at most; known before it is computed."""
    first, *others = [np.asarray(x) for x in inputs if x is not None] or [np.zeros(0)]
    if operator in _GROWING:
        return int(_GROWING[operator](first, *others))
    if operator in ("Concat", *_SAME):
        return first.size + sum(other.size for other in others)
    return math.prod(np.broadcast_shapes(first.shape, *(other.shape for other in others)))


def _product(numbers):
    return math.prod(max(1, int(number)) for number in np.ravel(numbers))


_SAME = ["Constant", "Cast", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze"]
_SAME += ["Transpose", "Unsqueeze"]
_GROWING: dict[str, Callable[..., Any]] = {
    "ConstantOfShape": _product,
    "Conv": lambda x, kernel, *_: x.size * kernel.size,
    "Einsum": lambda *inputs: math.prod(x.size for x in inputs),
    "Expand": lambda x, shape: x.size * _product(shape),
    "Gather": lambda x, index: x.size // max(1, min(x.shape, default=1)) * max(1, index.size),
    "GatherElements": lambda x, index: index.size,
    "GatherND": lambda x, index: x.size * index.size,
    "Gemm": lambda a, b, *_: a.size * b.size // max(1, min(a.shape)) ** 2,
    "MatMul": lambda a, b: a.size * b.size // max(1, a.shape[-1]) ** 2,
    "Pad": lambda x, pads, *_: math.prod(n + int(np.sum(np.abs(pads))) for n in x.shape),
    "Range": lambda start, limit, step: abs(limit - start) / abs(step) + 1,
    "Tile": lambda x, repeats: x.size * _product(repeats),
}
