"""The plain LSTM as LiteRT's fused operation, UNIDIRECTIONAL_SEQUENCE_LSTM.

Every converter to LiteRT gets it: that of `lz.export`, of Keras's `model.export`, and
`tf.lite.TFLiteConverter` itself.
"""

import numpy as np

from lstm_zoo.backend import tf
from lstm_zoo.cells.lstm import LSTMCell, has_usual_activations
from lstm_zoo.recurrence import portable

_FUSED = {  # what LiteRT's converter knows a function by
    "api_implements": "lstm_of_lstm_zoo",
    "api_preferred_device": "CPU",
    "time_major": False,
    "go_backwards": False,
}
_ALMOST_ONE = np.float32(1 - 2**-24)  # of 1 the converter would make nothing
_SHUT = -1e4  # what a gate sees when it shuts whatever the weights are


def fused(cell, x, states, lengths, forgets=True):
    """LiteRT's UNIDIRECTIONAL_SEQUENCE_LSTM: its converter takes it for a function so marked.

    The function's six arguments must be tensors, of a known batch size, and the states zeros. The
    operation goes past `lengths`, gives no last states (those here are not part of it), and starts
    where it stopped the last time the file was run. Unless `forgets` is False, an extra step whose
    extra feature shuts all gates stands before the first, and makes it start from zeros.
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
    # The converter keeps one tensor for equal constants, and the operation writes to its states:
    # zeros of its own sign are not those that another layer starts from.
    states = [tf.constant(np.full(state.shape, -0.0, "float32")) for state in states]
    _, outputs, h, c, _ = _lstm_by_tensors(x, *states, *weights)
    # In int8 the operation keeps the scale of its own states for what it gives, while the converter
    # gives that the scale of what it is joined with: a product stands between, of almost 1.
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


TARGET = portable.Target("litert", fused, gives_states=False, grows_lists=False)
portable.comes_from(TARGET, "keras.src.export.litert", "tensorflow.lite.")
