"""Layers that put arrays together, or give the same numbers in other places."""

import math

import keras

from lstm_zoo.layers.pooling import RepeatLike
from lstm_zoo.serving.layers.plain import needs_floats
from lstm_zoo.serving.layers.registry import serves
from lstm_zoo.serving.plan import Size
from lstm_zoo.serving.tracing import Unserved

COMBINED = ["Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average"]  # as in layers.h


@serves(keras.layers.Concatenate)
def concatenate(writer, layer, arrays, **_):
    """Side by side, on the last axis."""
    rank = len(arrays[0].shape)
    if layer.axis not in (-1, rank) or rank > 2:
        raise Unserved("its axis is not that of the features")
    first = arrays[0]
    if any(one.mask is not first.mask for one in arrays):
        raise Unserved("its inputs have different masks")
    y = writer.array((*first.shape[:-1], sum(one.shape[-1] for one in arrays)), first.mask)
    place = 0
    for one in arrays:
        needs_floats(one)
        if rank > 1:
            writer.same_steps(one.steps, y.steps)
        writer.step("copy", [one], [y], [place, 0, 0, -1, 0])
        place += one.shape[-1]
    return y


@serves(*(getattr(keras.layers, name) for name in COMBINED))
def merged(writer, layer, arrays, **_):
    """Element by element; one may be the same for all of the last axis, or for all steps."""
    if len(arrays) != 2:
        raise Unserved("it has more than two inputs")
    if any(one.mask is not None for one in arrays) and arrays[0].mask is not arrays[1].mask:
        raise Unserved("its inputs have different masks")
    return combined(writer, COMBINED.index(type(layer).__name__), *arrays)


def combined(writer, number, a, b):
    """Element by element."""
    for one in (a, b):
        needs_floats(one)
    if len(a.shape) != len(b.shape):
        raise Unserved("its inputs have different numbers of axes")
    larger, smaller = (a, b) if a.width >= b.width else (b, a)
    rank = len(a.shape)
    steps = larger.steps
    if rank > 1 and larger.steps == 1:
        steps = smaller.steps
    elif rank > 1 and smaller.steps != 1:
        writer.same_steps(larger.steps, smaller.steps)
    # Of the smaller, the last axes may be 1: each of its numbers then stands for several.
    sides = list(zip(larger.shape[1 if rank > 1 else 0 :], smaller.shape[1 if rank > 1 else 0 :]))
    each = 1
    while sides and sides[-1][1] == 1:
        each *= sides.pop()[0]
    if any(one != other for one, other in sides):
        raise Unserved("its inputs have shapes that the C code can't combine")
    shape = (steps, *larger.shape[1:]) if rank > 1 else larger.shape
    y = writer.array(shape, a.mask or b.mask)
    writer.step("combine", [a, b], [y], [number, *((1, each) if larger is a else (each, 1))])
    return y


@serves(keras.layers.RepeatVector)
def repeat_vector(writer, layer, x, **_):
    """The same at each step."""
    y = writer.array((layer.n, x.width))
    writer.step("copy", [x], [y], [0, 0, 0, -1, 0])
    return y


@serves(RepeatLike)
def repeat_like(writer, layer, arrays, **_):
    """The vector at each step of the sequence, with its mask."""
    vector, sequence = arrays
    y = writer.array((sequence.steps, vector.width), sequence.mask)
    writer.step("copy", [vector], [y], [0, 0, 0, -1, 0])
    return y


@serves(keras.layers.Reshape, keras.layers.Flatten)
def reshape(writer, layer, x, **_):
    """The same numbers with other axes."""
    if any(isinstance(size, Size) for size in x.shape):
        raise Unserved("its input has an open number of steps")
    if isinstance(layer, keras.layers.Flatten):
        if layer.data_format != "channels_last":
            raise Unserved("its data_format is not 'channels_last'")
        shape = (math.prod(x.shape),)
    else:
        shape = layer.compute_output_shape((None, *x.shape))[1:]
    needs_floats(x)
    y = writer.array(shape)
    writer.step("copy", [x], [y], [0, 0, 0, -1, 0, 1])
    return y


@serves(keras.layers.Permute)
def permute(writer, layer, x, **_):
    """Steps and features change places."""
    if tuple(layer.dims) == (1, 2):
        return x
    if tuple(layer.dims) != (2, 1) or not isinstance(x.steps, int):
        raise Unserved("it is not of two axes of known size")
    y = writer.array((x.width, x.steps))
    writer.step("permute", [x], [y])
    return y


def copied_steps(writer, x, start, place, count, steps):
    """`count` steps of x from `start` on, at `place` among `steps` that are zeros elsewhere."""
    needs_floats(x)
    y = writer.array((steps, *x.shape[1:]))
    writer.step("copy", [x], [y], [0, start, place, count, count != steps])
    return y
