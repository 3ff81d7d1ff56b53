"""TensorFlow's operations that move elements: which element of the input goes where."""

import numpy as np

from lstm_zoo.backend import tf


def places_of(operation, value_of):
    """The input of an operation, and for each output the places that its elements come from.

    Args:
        operation: one that computes nothing, such as a slice.
        value_of: gives the value of a tensor that is known before the model runs, or None.

    Raises:
        ValueError: if it does something else, or what it does depends on the data.
    """
    op_type, inputs, attr = operation.type, list(operation.inputs), operation.get_attr
    source = inputs[1] if op_type == "Split" else inputs[0]
    known = [value_of(one) for one in inputs if one is not source]
    here = np.arange(int(np.prod(source.shape))).reshape(source.shape)
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    if any(value is None for value in known):
        raise ValueError(
            "the model cannot be written in C, for it has an operation with places that depend on "
            f"the data, {op_type}"
        )
    if op_type == "StridedSlice":
        return source, [tf.strided_slice(here, *known, **{m: attr(m) for m in masks})]
    if op_type == "Slice":
        return source, [tf.slice(here, *known)]
    if op_type == "Transpose":
        return source, [np.transpose(here, known[0])]
    if op_type in ("GatherV2", "ResourceGather"):
        return source, [np.take(here, known[0], int(known[1]))]
    if op_type == "Tile":
        return source, [np.tile(here, known[0])]
    if op_type == "BroadcastTo":
        return source, [np.broadcast_to(here, known[0])]
    if op_type == "Unpack":
        return source, list(np.moveaxis(here, attr("axis"), 0))
    if op_type == "Split":
        return source, np.split(here, attr("num_split"), int(known[0]))
    if op_type == "SplitV":
        return source, np.split(here, np.cumsum(known[0])[:-1], int(known[1]))
    raise ValueError(f"the model cannot be written in C, for it has the operation {op_type}")
