"""A cell as one recurrent node of ONNX, with its weights in ONNX's layout.

Sources: https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html.
"""

from typing import NamedTuple

import numpy as np

from lstm_zoo.backend import tf
from lstm_zoo.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell
from lstm_zoo.cells.lstm import has_usual_activations

_KEPT = 1e4  # pre-activation of gates that keep the cell state, for any weights


class Node(NamedTuple):
    """An operation of ONNX with the inputs W, R, B and P, and its attributes."""

    operation: str
    weights: list
    attributes: dict


def node_of(cell, keeps, misread) -> Node | None:
    """The node that computes a cell over time, or None if the cell must become a loop.

    Args:
        cell: a `lstm_zoo.cells.Cell`.
        keeps: whether the input has one more feature, which is 1 in steps that must keep the cell
            state. Nodes with an output per step as their only state ignore this feature.
        misread: whether to use a node that some runtimes misread silently.
    """
    made = _NODES.get(type(cell))
    if made is None or not has_usual_activations(cell) or (_is_misread(cell) and not misread):
        return None
    with tf.init_scope():
        kernel, recurrent_kernel = np.asarray(cell.kernel), np.asarray(cell.recurrent_kernel)
        bias = np.asarray(cell.bias) if cell.use_bias else np.zeros(kernel.shape[1], "float32")
        return made(cell, keeps, kernel, recurrent_kernel, bias)


def _lstm(cell, keeps, kernel, recurrent_kernel, bias):
    """Gates in the order i, o, f, g; the peepholes in the order i, o, f."""
    if keeps:  # open the forget gate and close the input gate
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

    weights = _weights(reordered(kernel), reordered(recurrent_kernel), reordered(bias))
    if hasattr(cell, "peephole_kernel"):
        weights.append(np.asarray(cell.peephole_kernel)[[0, 2, 1]].reshape(1, -1))
    return Node("LSTM", weights, {"input_forget": int(len(cell.gate_names) == 3)})


def _weights(kernel, recurrent_kernel, bias, recurrent_bias=None):
    """W, R and B of one direction; ONNX has a bias for each of the two products."""
    recurrent_bias = np.zeros_like(bias) if recurrent_bias is None else recurrent_bias
    return [kernel.T[None], recurrent_kernel.T[None], np.concatenate([bias, recurrent_bias])[None]]


def _with_ignored_feature(kernel, keeps):
    return np.pad(kernel, [(0, 1), (0, 0)]) if keeps else kernel


def _gru(cell, keeps, kernel, recurrent_kernel, bias):
    """Gates in the order of Keras."""
    biases = list(bias) if bias.ndim == 2 else [bias]
    weights = _weights(_with_ignored_feature(kernel, keeps), recurrent_kernel, *biases)
    return Node("GRU", weights, {"linear_before_reset": int(cell.reset_after)})


def _rnn(cell, keeps, kernel, recurrent_kernel, bias):
    return Node("RNN", _weights(_with_ignored_feature(kernel, keeps), recurrent_kernel, bias), {})


def _is_misread(cell):
    """Whether some runtimes compute another cell than the one in the node.

    OpenVINO drops peepholes, OpenCV reads them in the order i, f, o, and MNN computes every GRU as
    one with `reset_after=True`.
    """
    return type(cell) is PeepholeLSTMCell or not getattr(cell, "reset_after", True)


_NODES = {
    LSTMCell: _lstm,
    PeepholeLSTMCell: _lstm,
    CoupledLSTMCell: _lstm,
    GRUCell: _gru,
    SimpleRNNCell: _rnn,
}
