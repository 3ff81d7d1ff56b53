"""TensorFlow operations that only move elements: which input element goes where."""

import numpy as np

from lstm_zoo.backend import tf


def places_of(operation, value_of):
    """The input of an operation, and for each output the indices that its elements come from.

    Args:
        operation: an operation that only moves elements, such as a slice.
        value_of: a function that returns the value of a tensor if it is known at export, else None.

    Raises:
        ValueError: if the operation does something else, or if its indices depend on the data.
    """
    op_type, inputs, attr = operation.type, list(operation.inputs), operation.get_attr
    source = inputs[1] if op_type == "Split" else inputs[0]
    known = [value_of(one) for one in inputs if one is not source]
    here = np.arange(int(np.prod(source.shape))).reshape(source.shape)
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    if any(value is None for value in known):
        raise ValueError(
            f"model can't be written in C, because the indices of its operation {op_type} depend "
            "on the data; ONNX (.onnx) and SavedModel support it"
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
    raise ValueError(
        f"model can't be written in C, because C export lacks its operation {op_type}; ONNX "
        "(.onnx) and SavedModel support more"
    )
