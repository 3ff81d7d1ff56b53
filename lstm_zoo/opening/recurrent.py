"""A recurrent node of an ONNX file as a Keras layer, with the axes as ONNX has them around it."""

import keras
import numpy as np

from lstm_zoo.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell
from lstm_zoo.layers import GRU, LSTM, CoupledLSTM, PeepholeLSTM, SimpleRNN
from lstm_zoo.weights.onnx_nodes import Node
from lstm_zoo.weights.placing import fitted, set_all

_LAYERS: dict[type, type] = {
    LSTMCell: LSTM,
    PeepholeLSTMCell: PeepholeLSTM,
    CoupledLSTMCell: CoupledLSTM,
    GRUCell: GRU,
    SimpleRNNCell: SimpleRNN,
}


def layer_of(node: Node, name: str, used: set[int] | None = None) -> keras.layers.Layer:
    """The layer that computes what a node does, with its weights.

    It returns the outputs and the states, or just the one that is `used`: 0 for the outputs, 1 for
    the last output.
    """
    both = node.directions == 2
    weights = [node.weights(k) for k in range(node.directions)]
    options = {**node.activations(), **node.options, "use_bias": weights[0].bias is not None}
    layer = _LAYERS[node.cells[0]](
        node.sizes()[1],
        return_sequences=used != {1} or both,
        return_state=used != {0} and (used != {1} or both),
        zero_output_for_mask=True,
        name=f"{name}_of_one_direction" if both else name,
        **options,
    )
    if both:
        layer = keras.layers.Bidirectional(layer, name=name)
    parts = [layer.forward_layer, layer.backward_layer] if both else [layer]
    set_all([(part, fitted(part, *w)) for part, w in zip(parts, weights)])
    return layer


def called(node: Node, layer, x, lengths, states, values):
    """The outputs of a node: Y, Y_h and, of an LSTM, Y_c, with ONNX's axes.

    Args:
        node, layer: the node and its layer.
        x: `(timesteps, batch, features)`; batch first if the node's layout is 1.
        lengths: `(batch,)`, or None.
        states: for each state `(directions, batch, units)`, batch first if the layout is 1; None
            for zeros.
        values: the `graph.Values`, whose `apply` computes an operation.
    """
    apply = values.apply
    batch_first = bool(node.attributes.get("layout", 0))

    def moved(x, *axes):
        return apply("Transpose", {"perm": list(axes)}, x)

    given, x = x, x if batch_first else moved(x, 1, 0, 2)
    mask = None if lengths is None else apply("SequenceMask", {}, lengths, x)
    axis = 1 if batch_first else 0
    initial = [
        apply("Gather", {"axis": axis}, state, np.asarray(k))
        for k in range(node.directions)
        for state in states or []
    ]
    y, *last = _all_outputs(node, layer, x, layer(x, mask=mask, initial_state=initial or None))
    if node.direction == "reverse":  # Keras's outputs come in the order read
        y = apply("Slice", {"starts": [-1], "ends": [-(2**31)], "axes": [1], "steps": [-1]}, y)
    units, outputs = node.sizes()[1], y
    y = apply("Reshape", {}, y, np.asarray([0, 0, node.directions, units]))
    y = y if batch_first else moved(y, 1, 2, 0, 3)
    if not batch_first:
        at_the_end = node.direction == "forward" and lengths is None
        values.layouts.add_outputs(y, outputs, node.directions, last[0] if at_the_end else None)
        values.layouts.add_input(x, outputs, "b", "t")
        values.layouts.add_input(given, outputs, "t", "b")
    kinds, joined = len(last) // node.directions, []
    for k in range(kinds):
        states = last[k::kinds]
        parts = [apply("Unsqueeze", {"axes": [axis]}, state) for state in states]
        joined.append(apply("Concat", {"axis": axis}, *parts))
        if not batch_first:
            values.layouts.add_states(joined[-1], states)
    return [y, *joined]


def _all_outputs(node, layer, x, result):
    """The outputs and the states; tensors that nothing computes for those that nothing uses."""
    parts = (layer.forward_layer, layer.backward_layer) if node.directions == 2 else (layer,)
    if parts[0].return_state:
        return result
    state = keras.KerasTensor((x.shape[0], node.sizes()[1]), dtype=x.dtype)
    states = [state] * (node.directions * (2 if node.operator == "LSTM" else 1))
    if parts[0].return_sequences:
        return [result, *states]
    outputs = keras.KerasTensor((*x.shape[:2], node.sizes()[1]), dtype=x.dtype)
    return [outputs, result, *states[1:]]
