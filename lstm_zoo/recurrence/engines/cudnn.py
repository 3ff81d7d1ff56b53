"""cuDNN, NVIDIA's fused kernels for the plain LSTM and the GRU on a GPU."""

import keras

from lstm_zoo.backend import sees_a_gpu
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.gru import GRUCell
from lstm_zoo.cells.lstm import LSTMCell, has_usual_activations
from lstm_zoo.recurrence.engines.base import Engine, register

LAYERS = {LSTMCell: keras.layers.LSTM, GRUCell: keras.layers.GRU}


@register
class CuDNN(Engine):
    """Runs a layer on cuDNN as Keras's layer does, if it suits the layer and a GPU exists."""

    name, what, place = "cudnn", "cuDNN, NVIDIA's fused kernel", 100
    label = "cuDNN"

    def made_for(self, cell_class):
        return cell_class in LAYERS

    def why_not(self, call):
        use_cudnn = getattr(call.layer, "use_cudnn", False)
        if use_cudnn is True:
            return None
        if not suits(call.layer):
            return (
                "it only supports the plain LSTM and the GRU (reset_after=True) with tanh, sigmoid "
                "and a bias, without unroll, recurrent_dropout and implementation=1"
            )
        if not use_cudnn:
            return "use_cudnn=False"
        if call.mask is not None:
            return "it fails if all steps of a sequence are masked, so masked input avoids it"
        return None if sees_a_gpu() else "TensorFlow sees no GPU"

    def run(self, call):
        return LAYERS[type(call.cell)].inner_loop(
            call.layer, call.sequences, call.states, call.mask, call.training
        )


def suits(layer) -> bool:
    """Whether cuDNN computes the same as a layer: a plain LSTM or GRU, and nothing more."""
    cell = getattr(layer, "cell", None)
    return (
        isinstance(cell, Cell)
        and type(cell) in LAYERS
        and has_usual_activations(cell)
        and cell.use_bias
        and not cell.recurrent_dropout
        and getattr(cell, "reset_after", True)
        and not layer.unroll
        and cell.implementation == 2
    )
