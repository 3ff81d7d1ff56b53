"""Changes to a converted ONNX graph, so that more runtimes take it."""

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
