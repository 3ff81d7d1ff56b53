"""Exports to ONNX, for ONNX Runtime, OpenVINO and others.

`tf2onnx` converts TensorFlow's graph to ONNX. TensorFlow has no operation for a whole recurrence,
so our layers put a mark into the graph (a Python operation that never runs), which the converter
replaces by an LSTM node. A cell without such a node becomes a Loop.
"""

import functools
import json
import logging

from lstm_zoo import files
from lstm_zoo.backend import tf
from lstm_zoo.exporting.formats import Format, register
from lstm_zoo.exporting.onnx_graph import (
    erfc_as_erf,
    expm1_as_exp,
    refuse_foreign_nodes,
    simplify_loops,
    slice_for_reverse,
)
from lstm_zoo.exporting.onnx_nodes import node_of
from lstm_zoo.exporting.signature import signature_of
from lstm_zoo.layer_tree import every_layer
from lstm_zoo.recurrence import portable
from lstm_zoo.recurrence.portable import Target

OPSET = 18
TARGET = Target("onnx")
_MARK = "lstm_zoo node"

# Other callers of the converter get loops, because they do not know the mark.
portable.comes_from(TARGET, "keras.src.export.onnx", "tf2onnx.")


@register
class ONNX(Format):
    """A file for any batch size and, if the model allows it, any length."""

    name, ending, title, place = "onnx", ".onnx", "ONNX", 2
    options = ("fused",)
    replaces_layers = True

    def write(self, model, path, whole, fused):
        """Write a model to `path`."""
        import onnx

        proto = _converted(model, fused)
        onnx.checker.check_model(proto)
        with files.replacing(path) as temporary:
            onnx.save(proto, temporary)


def _converted(model, fused):
    """A model as an ONNX graph, with its outputs in order."""
    import tf2onnx

    function, specs, names = signature_of(model)
    # In an ONNX graph, an output must not have the name of an input.
    taken = {spec.name for spec in specs}
    renamed = {name: f"{name}_output" if name in taken else name for name in names}

    def to_write(*tensors):
        return {renamed[name]: tensor for name, tensor in function(*tensors).items()}

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it logs is an error below
    whole = functools.partial(_mark, fused=fused) if fused else None
    with portable.written_as(TARGET._replace(whole=whole)):
        proto, _ = tf2onnx.convert.from_function(
            tf.function(to_write, autograph=False, input_signature=specs),
            specs,
            opset=OPSET,
            custom_op_handlers={
                "Erfc": (erfc_as_erf, []),
                "Expm1": (expm1_as_exp, []),
                "PyFunc": (_node_for_mark, []),
                "ReverseV2": (slice_for_reverse, []),
            },
        )
    refuse_foreign_nodes(proto.graph, every_layer(model))
    # A function's dict of results is returned in alphabetical order, which would swap states.
    outputs = {one.name: one for one in proto.graph.output}
    del proto.graph.output[:]
    proto.graph.output.extend(outputs[renamed[name]] for name in names)
    _name_axes(proto.graph)
    simplify_loops(proto.graph)
    return proto


def _mark(cell, x, states, lengths, fused):
    """The outputs and last states of a mark for a node, or None if the cell becomes a loop."""
    found = node_of(cell, keeps=lengths is not None, misread=fused is True)
    if found is None:
        return None
    if lengths is not None:
        # The node could take lengths, but some runtimes ignore them. Instead, an extra feature is
        # 1 after the end and makes the gates keep the cell state.
        past = 1 - tf.sequence_mask(lengths, tf.shape(x)[1], x.dtype)
        x = tf.concat([x, past[..., None]], axis=-1)
    inputs = [tf.transpose(x, (1, 0, 2)), *found.weights[:3]]
    inputs += [tf.expand_dims(state, 0) for state in states] + found.weights[3:]
    attributes = {"hidden_size": cell.units, "direction": "forward", **found.attributes}
    token = json.dumps([_MARK, found.operation, attributes])
    outputs, *last = tf.raw_ops.PyFunc(
        input=inputs, token=token, Tout=[tf.float32] * (1 + len(states))
    )
    steps, batch = tf.shape(x)[1], tf.shape(x)[0]
    outputs = tf.reshape(outputs, [steps, batch, cell.units])
    last = [tf.reshape(state, [batch, cell.units]) for state in last]
    return tf.transpose(outputs, (1, 0, 2)), last


def _node_for_mark(graph, node, name, args):
    """Replace a mark by its node."""
    token = node.get_attr_str("token")
    if _MARK not in token:
        raise ValueError(f"model must not run Python inside its graph, got {node.name}")
    _, operation, attributes = json.loads(token)
    inputs, outputs = list(node.input), list(node.output)
    inputs.insert(4, "")  # no sequence lengths
    graph.remove_node(node.name)
    graph.make_node(operation, inputs, outputs=outputs, name=node.name, attr=attributes)


def _name_axes(graph):
    """Name the axes of variable size; axes with the same name must have equal size in a call."""
    found = []
    for value in (*graph.input, *graph.output):
        first, *others = value.type.tensor_type.shape.dim
        if not first.HasField("dim_value"):
            first.dim_param = "batch"
        for k, axis in enumerate(others, 1):
            if not axis.HasField("dim_value"):
                axis.dim_param = f"{value.name}_{'timesteps' if k == 1 else f'axis_{k}'}"
                found.append((value in graph.input, k, axis))
    of_inputs = [(k, axis) for of_input, k, axis in found if of_input]
    if [k for k, _ in of_inputs] == [1]:
        of_inputs[0][1].dim_param = "timesteps"
