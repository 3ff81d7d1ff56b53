"""Exports to ONNX; the plain, peephole and coupled LSTM become one LSTM node each.

`tf2onnx` converts TensorFlow's graph to ONNX. TensorFlow has no operation for a whole recurrence,
so our layers put a mark into the graph (a Python operation that never runs), which the converter
replaces by an LSTM node. Any other cell becomes a Loop.

Source: https://onnx.ai/onnx/operators/onnx__LSTM.html.
"""

import logging

import numpy as np

from lstm_zoo import files
from lstm_zoo.backend import tf
from lstm_zoo.cells import CoupledLSTMCell, LSTMCell, PeepholeLSTMCell
from lstm_zoo.cells.lstm import has_usual_activations
from lstm_zoo.exporting.formats import Format, register
from lstm_zoo.exporting.signature import signature_of
from lstm_zoo.recurrence import portable
from lstm_zoo.recurrence.portable import Target

OPSET = 18
TARGET = Target("onnx")
_MARK = "lstm_zoo LSTM"

# Other callers of the converter get loops, because they do not know the mark.
portable.comes_from(TARGET, "keras.src.export.onnx", "tf2onnx.")


@register
class ONNX(Format):
    """A file for any batch size and, if the model allows it, any length."""

    name, ending, title, place = "onnx", ".onnx", "ONNX", 2

    def write(self, model, path, whole):
        """Write a model to `path`."""
        import onnx

        proto = _converted(model)
        onnx.checker.check_model(proto)
        with files.replacing(path) as temporary:
            onnx.save(proto, temporary)


def _converted(model):
    """A model as an ONNX graph, with its outputs in order."""
    import tf2onnx

    function, specs, names = signature_of(model)
    # In an ONNX graph, an output must not have the name of an input.
    taken = {spec.name for spec in specs}
    renamed = {name: f"{name}_output" if name in taken else name for name in names}

    def to_write(*tensors):
        return {renamed[name]: tensor for name, tensor in function(*tensors).items()}

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with portable.written_as(TARGET._replace(whole=_mark)):
        proto, _ = tf2onnx.convert.from_function(
            tf.function(to_write, autograph=False, input_signature=specs),
            specs,
            opset=OPSET,
            custom_op_handlers={"PyFunc": (_node_for_mark, [])},
        )
    # A function's dict of results is returned in alphabetical order, which would swap states.
    outputs = {one.name: one for one in proto.graph.output}
    del proto.graph.output[:]
    proto.graph.output.extend(outputs[renamed[name]] for name in names)
    _name_axes(proto.graph)
    return proto


def _mark(cell, x, states, lengths):
    """The outputs and last states of a mark for an LSTM node, or None if ONNX has no such node."""
    known = (LSTMCell, PeepholeLSTMCell, CoupledLSTMCell)
    if type(cell) not in known or not has_usual_activations(cell):
        return None
    if lengths is not None:
        # The node could take lengths, but some runtimes ignore them. Instead, an extra feature is
        # 1 after the end and makes the gates keep the cell state.
        past = 1 - tf.sequence_mask(lengths, tf.shape(x)[1], x.dtype)
        x = tf.concat([x, past[..., None]], axis=-1)
    kernel, recurrent_kernel, bias, *peepholes = _weights(cell, keeps=lengths is not None)
    inputs = [tf.transpose(x, (1, 0, 2)), kernel, recurrent_kernel, bias]
    inputs += [tf.expand_dims(state, 0) for state in states]
    inputs += peepholes
    token = f"{_MARK} {cell.units} {int(type(cell) is CoupledLSTMCell)}"
    outputs, *last = tf.raw_ops.PyFunc(input=inputs, token=token, Tout=[tf.float32] * 3)
    steps, batch = tf.shape(x)[1], tf.shape(x)[0]
    outputs = tf.reshape(outputs, [steps, batch, cell.units])
    last = [tf.reshape(state, [batch, cell.units]) for state in last]
    return tf.transpose(outputs, (1, 0, 2)), last


_KEPT = 1e4  # pre-activation of gates that keep the cell state, for any weights


def _weights(cell, keeps):
    """The weights of a cell in ONNX's layout, with gates in the order i, o, f, g.

    If `keeps`, a last feature opens the forget gate and closes the input gate.
    """
    with tf.init_scope():
        kernel, recurrent_kernel = np.asarray(cell.kernel), np.asarray(cell.recurrent_kernel)
        bias = np.asarray(cell.bias) if cell.use_bias else np.zeros(kernel.shape[1], "float32")
        peepholes = np.asarray(getattr(cell, "peephole_kernel", np.zeros((0, cell.units))))

    if keeps:
        sign = {"input_gate": -1, "forget_gate": 1}
        row = [_KEPT * sign.get(gate, 0) for gate in cell.gate_names]
        kernel = np.concatenate([kernel, np.repeat(np.float32(row), cell.units)[None]])

    def reordered(a):
        blocks = np.split(a, len(cell.gate_names), axis=-1)
        if len(blocks) == 3:  # i = 1 - f = sigmoid(-z_f)
            f, g, o = blocks
            i = -f
        else:
            i, f, g, o = blocks
        return np.concatenate([i, o, f, g], axis=-1)

    bias = reordered(bias)
    bias = np.concatenate([bias, np.zeros_like(bias)])  # ONNX has a bias for each product
    weights = [reordered(kernel).T[None], reordered(recurrent_kernel).T[None], bias[None]]
    if len(peepholes):
        weights.append(peepholes[[0, 2, 1]].reshape(1, -1))
    return weights


def _node_for_mark(graph, node, name, args):
    """Replace a mark by an LSTM node."""
    token = node.get_attr_str("token")
    if not token.startswith(_MARK):
        raise ValueError(f"model must not run Python inside its graph, got {node.name}")
    *_, units, coupled = token.split()
    inputs, outputs = list(node.input), list(node.output)
    inputs.insert(4, "")  # no sequence lengths
    graph.remove_node(node.name)
    attr = {"hidden_size": int(units), "direction": "forward", "input_forget": int(coupled)}
    graph.make_node("LSTM", inputs, outputs=outputs, name=node.name, attr=attr)


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
