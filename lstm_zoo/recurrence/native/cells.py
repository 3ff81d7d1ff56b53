"""How each cell's weights and gradients become those of the operations, and back.

The operations know an LSTM with four gates and peepholes, a GRU in both forms, and a SimpleRNN.
"""

import keras

from lstm_zoo.backend import tf
from lstm_zoo.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell


class Plain:
    """The LSTM, with peepholes or without: nothing to convert."""

    lstm = True

    def gates_of(self, cell, weight):
        """A weight, or anything with a block for each gate, with the gates of the operation."""
        return weight

    def gradient_of(self, cell, gradient):
        """The gradient of `gates_of`."""
        return gradient

    def dropout_of(self, masks):
        """Dropout factors `(batch, gates, width)` with the gates of the operation."""
        return masks


class Coupled(Plain):
    """The input gate is `1 - sigmoid(z) = sigmoid(-z)` of the forget gate's z."""

    def gates_of(self, cell, weight):
        return tf.concat([-weight[..., : cell.units], weight], axis=-1)

    def gradient_of(self, cell, gradient):
        i, f, g, o = tf.split(gradient, 4, axis=-1)
        return tf.concat([f - i, g, o], axis=-1)

    def dropout_of(self, masks):
        """The forget gate and the input gate made of it see the same."""
        return tf.gather(masks, (0, 0, 1, 2), axis=1)


class Simple:
    """The SimpleRNN, and the methods that the GRU overrides."""

    lstm = False

    def options(self, cell):
        """The attributes of the operations."""
        return {"gated": False, "reset_after": False}

    def blocks(self, cell) -> int:
        """How many blocks of `units` numbers `z` has."""
        return 1

    def weights(self, cell, weights):
        """The kernel, the recurrent kernel, and the bias `(blocks * units,)`."""
        bias = tf.zeros(cell.units) if weights.bias is None else weights.bias
        return weights.kernel, weights.recurrent_kernel, bias

    def dropout_of(self, masks):
        """Dropout factors `(batch, gates, width)`, as the operations take them."""
        return masks

    def gradients(self, cell, weights, dkernel, drecurrent, dbias):
        """The gradients in the order of `BoundCell.weight_gradients`, then of the extra weights."""
        return [drecurrent, dkernel, *([] if weights.bias is None else [dbias])]

    def gradient_of_input(self, cell, dz):
        """The part of `dz` that belongs to the kernel, `(batch, timesteps, gates * units)`."""
        return dz


class GRU(Simple):
    """The GRU: its extra weights are the recurrent kernel and the bias."""

    def options(self, cell):
        return {"gated": True, "reset_after": cell.reset_after}

    def blocks(self, cell):
        return 4 if cell.reset_after else 3

    def weights(self, cell, weights):
        recurrent, *bias = weights.extras
        if not bias:
            return weights.kernel, recurrent, tf.zeros(self.blocks(cell) * cell.units)
        [bias], two = bias, 2 * cell.units
        if cell.reset_after:  # the candidate's two biases stay apart
            bias = tf.concat([bias[0, :two] + bias[1, :two], bias[0, two:], bias[1, two:]], 0)
        return weights.kernel, recurrent, bias

    def gradients(self, cell, weights, dkernel, drecurrent, dbias):
        if cell.reset_after:
            of_x, of_h = dbias[: 3 * cell.units], dbias[3 * cell.units :]
            dbias = tf.stack([of_x, tf.concat([of_x[: 2 * cell.units], of_h], 0)])
        return [dkernel, drecurrent, *([dbias] if len(weights.extras) > 1 else [])]

    def gradient_of_input(self, cell, dz):
        return dz[..., : 3 * cell.units]


FORMS = {
    LSTMCell: Plain(),
    PeepholeLSTMCell: Plain(),
    CoupledLSTMCell: Coupled(),
    GRUCell: GRU(),
    SimpleRNNCell: Simple(),
}


def knows(cell) -> bool:
    """Whether the operations compute what a cell computes."""
    sigmoid = keras.activations.sigmoid
    return (
        type(cell) in FORMS
        and cell.activation in (keras.activations.tanh, keras.activations.relu)
        and getattr(cell, "recurrent_activation", sigmoid) is sigmoid
    )
