"""ONNX's operations that read from or write to places given by indices."""

import numpy as np
from keras import ops


def gather_nd(xp, attributes, x, index):
    """`GatherND`, of whole rows where there is a batch dimension."""
    depth, shape = index.shape[-1], ops.shape(x)
    if attributes.get("batch_dims"):
        if (attributes["batch_dims"], depth, len(index.shape)) != (1, 1, 3):
            raise ValueError("batch_dims must be 0, or 1 with an index for each row")
        index = ops.reshape(index, (*ops.shape(index)[:2], *[1] * (len(x.shape) - 2)))
        return ops.take_along_axis(x, index, axis=1)
    flat, place = ops.reshape(x, (-1, *shape[depth:])), 0
    for k in range(depth):
        place = place * ops.cast(shape[k], "int64") + ops.cast(index[..., k], "int64")
    return ops.take(flat, place, axis=0)


def scatter_elements(xp, attributes, x, index, updates):
    """`ScatterElements` into a vector; negative indices count from the end."""
    if len(x.shape) != 1 or attributes.get("reduction", "none") != "none":
        raise ValueError("only a vector without a reduction is known")
    index = ops.where(index < 0, index + ops.cast(ops.shape(x)[0], index.dtype), index)
    return ops.scatter_update(x, ops.expand_dims(index, 1), updates)


def scatter_nd(xp, attributes, x, index, updates):
    """`ScatterND` of single numbers or whole rows."""
    if attributes.get("reduction", "none") != "none":
        raise ValueError("no reduction is known")
    return ops.scatter_update(x, index, updates)


def top_k(xp, attributes, x, k):
    """`TopK` of the largest along the last axis."""
    if attributes.get("axis", -1) not in (-1, len(x.shape) - 1) or not attributes.get("largest", 1):
        raise ValueError("only the largest along the last axis are known")
    k = k if isinstance(k, np.ndarray) else ops.convert_to_tensor(k)
    values, places = ops.top_k(x, int(k.ravel()[0]) if isinstance(k, np.ndarray) else k[0])
    return [values, ops.cast(places, "int64")]
