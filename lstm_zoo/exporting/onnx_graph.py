"""Changes to a converted ONNX graph, so that more runtimes take it."""

import re

import numpy as np

_FROM_THE_END = np.iinfo(np.int64).min  # of a Slice that goes backwards to the first element


def slice_for_reverse(graph, node, name, args):
    """Replace TensorFlow's ReverseV2 by a Slice with step -1; for tf2onnx's `custom_op_handlers`.

    Its own choice, ReverseSequence, is unknown to OpenCV and tract.
    """
    from tf2onnx.utils import make_name

    axes = np.atleast_1d(node.inputs[1].get_tensor_value(as_list=False)).astype(np.int64)
    ends = (-1, _FROM_THE_END)
    bounds = [np.full(axes.shape, end, np.int64) for end in ends]
    inputs = [*bounds, axes, np.full(axes.shape, -1, np.int64)]
    constants = [graph.make_const(make_name(node.name), a).output[0] for a in inputs]
    source, outputs = node.input[0], list(node.output)
    shapes, types = [graph.get_shape(outputs[0])], [graph.get_dtype(outputs[0])]
    graph.remove_node(node.name)
    graph.make_node(
        "Slice", [source, *constants], outputs=outputs, shapes=shapes, dtypes=types, name=node.name
    )


def erfc_as_erf(graph, node, name, args):
    """Replace TensorFlow's Erfc, which ONNX lacks, by 1 - Erf; Keras's gelu computes it."""
    _with_one(graph, node, "Erf", lambda erf, one: [one, erf])


def expm1_as_exp(graph, node, name, args):
    """Replace TensorFlow's Expm1, which ONNX lacks, by Exp - 1; Keras's celu computes it."""
    _with_one(graph, node, "Exp", lambda exp, one: [exp, one])


def _with_one(graph, node, operation, difference):
    """Replace a node by the difference of an operation on its input and 1, in either order."""
    from tf2onnx.utils import make_name, map_onnx_to_numpy_type

    source, outputs = node.input[0], list(node.output)
    shapes, types = [graph.get_shape(outputs[0])], [graph.get_dtype(outputs[0])]
    one = np.ones((), map_onnx_to_numpy_type(types[0]))
    one = graph.make_const(make_name(node.name), one).output[0]
    graph.remove_node(node.name)
    [value] = graph.make_node(operation, [source], shapes=shapes, dtypes=types).output
    graph.make_node(
        "Sub", difference(value, one), outputs=outputs, shapes=shapes, dtypes=types, name=node.name
    )


def refuse_foreign_nodes(graph, layers):
    """Raise a `ValueError` for a node that the converter left as an operation of TensorFlow.

    Args:
        graph: the converted graph.
        layers: the layers of the model; the error names the one that computes the node.
    """
    from onnx import defs

    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                refuse_foreign_nodes(attribute.g, layers)
        if not node.domain and not defs.has(node.op_type):
            layer = _layer_of(node, layers)
            raise ValueError(
                f"{f'layer {layer!r}' if layer else 'model'} can't be written to ONNX, because "
                f"tf2onnx can't convert TensorFlow's operation {node.op_type} ({node.name}). Use "
                'another activation or function there, or format="saved_model"'
            )


def _layer_of(node, layers):
    """The name of the innermost layer in whose scope a node is, or None.

    A node is named like "functional/dense_1/Gelu/Erfc"; TensorFlow appends a number to the name of
    a layer that is called again.
    """
    names = {layer.name for layer in layers}
    for scope in reversed(node.name.split("/")[:-1]):
        for name in (scope, re.sub(r"_\d+$", "", scope)):
            if name in names:
                return name
    return None


def simplify_loops(graph):
    """Write loops in a form that OpenVINO and OpenCV run.

    The bodies read unchanging values from outside. The converter passes them from step to step, a
    form that OpenVINO refuses. Each state starts from a tensor of its own, because OpenCV keeps
    states that start from one tensor in one place and gives wrong numbers.
    """
    for node in list(graph.node):
        for attribute in node.attribute:
            if attribute.HasField("g"):
                simplify_loops(attribute.g)
        if node.op_type == "Loop":
            _drop_unchanged(graph, node, node.attribute[0].g)
            _start_apart(graph, node)


def _drop_unchanged(graph, loop, body):
    """Remove the states of a loop that its body returns as they came in."""
    results = {one.name for one in graph.output}
    # The loop has two inputs before its states, the body has two inputs and one output.
    for k in reversed(range(len(loop.input) - 2)):
        inside, outside = body.input[k + 2].name, loop.input[k + 2]
        if inside == body.output[k + 1].name and loop.output[k] not in results:
            _rename_inputs(body, inside, outside)
            _rename_inputs(graph, loop.output[k], outside)
            del body.input[k + 2], body.output[k + 1], loop.input[k + 2], loop.output[k]


def _start_apart(graph, loop):
    """Copy a tensor from which several states of a loop start."""
    from onnx import helper

    for k, name in enumerate(loop.input):
        if k > 2 and name in loop.input[2:k]:
            own = f"{name}_{loop.name}_{k}"
            copy = helper.make_node("Identity", [name], [own], name=own)
            graph.node.insert(list(graph.node).index(loop), copy)
            loop.input[k] = own


def _rename_inputs(graph, old, new):
    for node in graph.node:
        for k, name in enumerate(node.input):
            if name == old:
                node.input[k] = new
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename_inputs(attribute.g, old, new)
