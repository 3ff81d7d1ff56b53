"""ONNX's operations that move or scale numbers: what stands between stored weights and their node.

Each takes a module of array functions, which is `numpy` or `keras.ops`, the node's attributes by
name, and its inputs; a missing input is None. It returns an array, or a list of several.

Source: https://onnx.ai/onnx/operators/.
"""

import math

import numpy as np


def _given(attributes, name, value, default=None):
    """What early versions have as an attribute and late ones as an input, as a list of numbers."""
    value = attributes.get(name, default) if value is None else value
    return value if value is None else [int(one) for one in np.ravel(value)]


def cast(xp, attributes, x):
    """`Cast`; to the types of NumPy."""
    import onnx

    dtype = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])
    return x.astype(dtype) if xp is np else xp.cast(x, dtype.name)


def slices(xp, attributes, x, starts=None, ends=None, axes=None, steps=None):
    """`Slice`."""
    starts, ends = _given(attributes, "starts", starts), _given(attributes, "ends", ends)
    axes = _given(attributes, "axes", axes, range(len(starts)))
    steps = _given(attributes, "steps", steps, [1] * len(starts))
    index = [slice(None)] * len(x.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 0 and end < -(2**31):
            end = None  # up to the first
        index[axis] = slice(start, end if end is None else min(end, 2**31 - 1), step)
    return x[tuple(index)]


def split(xp, attributes, x, sizes=None):
    """`Split`."""
    axis = attributes.get("axis", 0)
    sizes = _given(attributes, "split", sizes)
    if sizes is None:
        parts, length = attributes["num_outputs"], x.shape[axis]
        size = -(-length // parts)
        sizes = [size] * (parts - 1) + [length - size * (parts - 1)]
    return list(xp.split(x, np.cumsum(sizes)[:-1].tolist(), axis=axis))


def unsqueeze(xp, attributes, x, axes=None):
    """`Unsqueeze`."""
    axes = _given(attributes, "axes", axes)
    rank = len(x.shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = xp.expand_dims(x, axis)
    return x


def squeeze(xp, attributes, x, axes=None):
    """`Squeeze`."""
    axes = _given(attributes, "axes", axes)
    return xp.squeeze(x, axis=None if axes is None else tuple(axes))


def transpose(xp, attributes, x):
    """`Transpose`."""
    return xp.transpose(x, attributes.get("perm"))


def reshape(xp, attributes, x, shape=None):
    """`Reshape`; 0 stands for the same size as before."""
    shape = _given(attributes, "shape", shape)
    if not attributes.get("allowzero"):
        shape = [x.shape[k] if size == 0 else size for k, size in enumerate(shape)]
    return xp.reshape(x, shape)


def flatten(xp, attributes, x):
    """`Flatten`."""
    axis = attributes.get("axis", 1) % (len(x.shape) + 1)
    return xp.reshape(x, (math.prod(x.shape[:axis]), -1))


def gather(xp, attributes, x, index):
    """`Gather`."""
    return xp.take(x, index, axis=attributes.get("axis", 0))


def concat(xp, attributes, *inputs):
    """`Concat`."""
    return xp.concatenate(inputs, axis=attributes["axis"])


def dequantize(xp, attributes, x, scale, zero=None):
    """`DequantizeLinear`: the differences from the zero point, times the scale."""
    if scale.ndim == 1 and scale.size > 1:
        shape = [1] * x.ndim
        shape[attributes.get("axis", 1)] = -1
        scale, zero = scale.reshape(shape), None if zero is None else zero.reshape(shape)
    return (x.astype("float32") - (0 if zero is None else zero.astype("float32"))) * scale


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
    if operator in ("ConstantOfShape", "Expand"):
        return math.prod(max(1, int(size)) for size in inputs[-1]) * max(1, _size(inputs[:-1]))
    if operator == "Gather":
        x, index = inputs  # by the shortest axis, whichever it goes along
        return x.size // max(1, min(x.shape, default=1)) * max(1, index.size)
    if operator in ("Add", "Sub", "Mul"):
        return math.prod(np.broadcast_shapes(*(x.shape for x in inputs)))
    return _size(inputs)


def _size(inputs):
    return sum(x.size for x in inputs if x is not None)
