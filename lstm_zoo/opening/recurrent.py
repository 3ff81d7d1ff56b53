"""A recurrent node of an ONNX file as a Keras layer, with the axes as ONNX has them around it."""

import keras
import numpy as np

from lstm_zoo.cells import CoupledLSTMCell, LSTMCell, PeepholeLSTMCell
from lstm_zoo.layers import LSTM, CoupledLSTM, PeepholeLSTM
from lstm_zoo.weights.onnx_nodes import Node
from lstm_zoo.weights.placing import fitted, set_all

_LAYERS = {
    LSTMCell: LSTM,
    PeepholeLSTMCell: PeepholeLSTM,
    CoupledLSTMCell: CoupledLSTM,
    keras.layers.GRUCell: keras.layers.GRU,
    keras.layers.SimpleRNNCell: keras.layers.SimpleRNN,
}


def layer_of(node: Node, name: str) -> keras.layers.Layer:
    """The layer that computes what a node does, with its weights."""
    both = node.directions == 2
    weights = [node.weights(k) for k in range(node.directions)]
    options = {**node.activations(), **node.options, "use_bias": weights[0].bias is not None}
    layer = _LAYERS[node.cells[0]](
        node.sizes()[1],
        return_sequences=True,
        return_state=True,
        zero_output_for_mask=True,
        name=f"{name}_of_one_direction" if both else name,
        **options,
    )
    if both:
        layer = keras.layers.Bidirectional(layer, name=name)
    parts = [layer.forward_layer, layer.backward_layer] if both else [layer]
    set_all([(part, fitted(part, *w)) for part, w in zip(parts, weights)])
    return layer


def called(node: Node, layer, x, lengths, states, apply):
    """The outputs of a node: Y, Y_h and, of an LSTM, Y_c, with ONNX's axes.

    Args:
        node, layer: the node and its layer.
        x: `(timesteps, batch, features)`; batch first if the node's layout is 1.
        lengths: `(batch,)`, or None.
        states: for each state `(directions, batch, units)`, batch first if the layout is 1; None
            for zeros.
        apply: a function of an operator, attributes and values that computes an operation.
    """
    batch_first = bool(node.attributes.get("layout", 0))

    def moved(x, *axes):
        return apply("Transpose", {"perm": list(axes)}, x)

    x = x if batch_first else moved(x, 1, 0, 2)
    mask = None if lengths is None else apply("SequenceMask", {}, lengths, x)
    axis = 1 if batch_first else 0
    initial = [
        apply("Gather", {"axis": axis}, state, np.asarray(k))
        for k in range(node.directions)
        for state in states or []
    ]
    y, *last = layer(x, mask=mask, initial_state=initial or None)
    if node.direction == "reverse":  # Keras's outputs come in the order read
        y = apply("Slice", {"starts": [-1], "ends": [-(2**31)], "axes": [1], "steps": [-1]}, y)
    units = node.sizes()[1]
    y = apply("Reshape", {}, y, np.asarray([0, 0, node.directions, units]))
    y = y if batch_first else moved(y, 1, 2, 0, 3)
    kinds = len(last) // node.directions
    joined = [
        apply(
            "Concat",
            {"axis": axis},
            *(apply("Unsqueeze", {"axes": [axis]}, s) for s in last[k::kinds]),
        )
        for k in range(kinds)
    ]
    return [y, *joined]
