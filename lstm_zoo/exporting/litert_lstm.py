"""Converts the plain LSTM to LiteRT's fused operation, UNIDIRECTIONAL_SEQUENCE_LSTM.

This works for `lz.export`, for Keras's `model.export` and for `tf.lite.TFLiteConverter` itself.
"""

import numpy as np

from lstm_zoo.backend import tf
from lstm_zoo.cells.lstm import LSTMCell, has_usual_activations
from lstm_zoo.recurrence import portable

_FUSED = {  # the attributes by which LiteRT's converter recognises the function
    "api_implements": "lstm_of_lstm_zoo",
    "api_preferred_device": "CPU",
    "time_major": False,
    "go_backwards": False,
}
_ALMOST_ONE = np.float32(1 - 2**-24)  # the converter would remove a product with 1
_SHUT = -1e4  # pre-activation that closes a gate for any weights


def one_operation(cell, x, states, lengths, forgets=True):
    """A function that LiteRT's converter replaces by UNIDIRECTIONAL_SEQUENCE_LSTM.

    The function's six arguments must be tensors with a known batch size, and the states zeros. The
    operation ignores `lengths`, does not return last states (those here are not part of it), and
    continues from the state in which the previous run of the file ended. Unless `forgets` is False,
    an extra step before the first resets the state to zeros: its extra feature closes all gates.
    """
    zeros = [tf.get_static_value(state) for state in states]
    if (
        type(cell) is not LSTMCell
        or not has_usual_activations(cell)
        or any(zero is None or zero.any() for zero in zeros)
    ):
        return None
    with tf.init_scope():
        kernel, recurrent_kernel = np.asarray(cell.kernel), np.asarray(cell.recurrent_kernel)
        bias = np.asarray(cell.bias) if cell.use_bias else np.zeros(4 * cell.units, "float32")
    if forgets:
        x = tf.pad(x, [[0, 0], [1, 0], [0, 1]])
        first = tf.one_hot(0, tf.shape(x)[1])
        x += tf.reshape(first, (1, -1, 1)) * tf.one_hot(x.shape[2] - 1, x.shape[2])
        shut = np.repeat(np.float32([_SHUT, _SHUT, 0, _SHUT]), cell.units)
        kernel = np.concatenate([kernel, shut[None]])
    weights = map(tf.constant, (kernel, recurrent_kernel, bias))
    # The converter merges equal constants, and the operation overwrites its states. Negative zeros
    # differ from the zeros that other layers start from.
    states = [tf.constant(np.full(state.shape, -0.0, "float32")) for state in states]
    _, outputs, h, c, _ = _lstm_by_tensors(x, *states, *weights)
    # In int8 the operation's output has the scale of its states, but the converter assigns it the
    # scale of the tensor that it is concatenated with. A product with almost 1 separates the two.
    outputs = outputs[:, 1:] if forgets else outputs * _ALMOST_ONE
    return outputs, [outputs[:, -1], c]


def _lstm_by_tensors(*tensors):
    @tf.function(autograph=False, experimental_attributes=_FUSED)
    def lstm(x, h, c, kernel, recurrent_kernel, bias):
        z = tf.transpose(tf.matmul(x, kernel) + bias, (1, 0, 2))
        steps = tf.shape(z)[0]
        outputs = tf.TensorArray(x.dtype, steps, element_shape=h.shape)

        def body(t, h, c, outputs):
            i, f, g, o = tf.split(z[t] + tf.matmul(h, recurrent_kernel), 4, axis=-1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            return t + 1, h, c, outputs.write(t, h)

        _, h, c, outputs = tf.while_loop(
            lambda t, *_: t < steps, body, (tf.constant(0), h, c, outputs)
        )
        return h, tf.transpose(outputs.stack(), (1, 0, 2)), h, c, tf.constant(0.0)

    return lstm(*tensors)


TARGET = portable.Target(
    "litert", one_operation, gives_states=False, grows_lists=False, sorts=False
)
portable.comes_from(TARGET, "keras.src.export.litert", "tensorflow.lite.")
