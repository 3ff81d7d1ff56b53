"""Operations of `keras.ops` that stand in the graph of a model."""

import keras

from lstm_zoo.serving.layers.places import COMBINED, combined, copied_steps
from lstm_zoo.serving.layers.plain import not_equal
from lstm_zoo.serving.layers.registry import serves_operations
from lstm_zoo.serving.plan import Size
from lstm_zoo.serving.tracing import Array, Unserved


@serves_operations("NotEqual")
def not_equal_operation(writer, operation, x, value, **_):
    """With a number."""
    if isinstance(value, Array) or not isinstance(value, (int, float)):
        raise Unserved("it compares two arrays")
    return not_equal(writer, x, value)


@serves_operations("Any")
def any_operation(writer, operation, x, **_):
    """Over the features: a mask."""
    if operation.axis not in (-1, (-1,), [-1], 2, (2,)) or operation.keepdims or len(x.shape) != 2:
        raise Unserved("its axis is not that of the features")
    y = writer.array((x.steps, 1))
    writer.step("any", [x], [y])
    return y


@serves_operations("Cast")
def cast(writer, operation, x, **_):
    """To float32; a mask is float32 here."""
    if keras.backend.standardize_dtype(operation.dtype) != x.dtype:
        raise Unserved(f"it casts to {operation.dtype}")
    return x


@serves_operations("Add", "Subtract", "Multiply", "Maximum", "Minimum")
def combine(writer, operation, a, b, **_):
    """Of two arrays."""
    if not (isinstance(a, Array) and isinstance(b, Array)):
        raise Unserved("it combines an array with a number")
    return combined(writer, COMBINED.index(type(operation).__name__), a, b)


@serves_operations("ExpandDims")
def expand_dims(writer, operation, x, **_):
    """A vector as a sequence of one step."""
    if operation.axis != 1:
        raise Unserved("its axis is not that of the steps")
    if x.dtype == "int32" or len(x.shape) == 1:
        return Array(x.number, (1, x.width), x.mask, x.dtype)
    raise Unserved("its input is no vector")


@serves_operations("GetItem")
def get_item(writer, operation, x, key, **_):
    """A new last axis; one step of a sequence of one; or some of the steps."""
    if isinstance(key, tuple) and len(key) == 2:
        if key == (Ellipsis, None) and x.width == 1:
            return x
        every, steps = key
        if every == slice(None) and steps == 0 and x.steps == 1:
            return Array(x.number, x.shape[1:], None, x.dtype)
        if every == slice(None) and isinstance(steps, slice) and isinstance(x.steps, int):
            start, stop, stride = steps.indices(x.steps)
            if stride == 1 and stop > start:
                return copied_steps(writer, x, start, 0, stop - start, stop - start)
    raise Unserved(f"it takes the part {key!r}")


@serves_operations("Pad")
def pad(writer, operation, x, constant_values=None, **_):
    """Zeros before and behind the steps."""
    batch, (before, behind), *rest = [tuple(one) for one in operation.pad_width]
    if (
        constant_values not in (None, 0)
        or operation.mode != "constant"
        or any(map(any, [batch, *rest]))
    ):
        raise Unserved("it pads other axes than the steps, or not with zeros")
    if isinstance(x.steps, Size):
        raise Unserved("its input has an open number of steps")
    return copied_steps(writer, x, 0, before, x.steps, x.steps + before + behind)
