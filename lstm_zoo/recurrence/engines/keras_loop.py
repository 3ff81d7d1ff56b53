"""Keras's own loop, which runs any cell."""

import keras
from keras import ops

from lstm_zoo.recurrence.engines.base import Engine, register


@register
class KerasLoop(Engine):
    """The loop of `keras.layers.RNN`; under a mask, JAX then gives what other backends give.

    Keras's loop for JAX puts out the first state, and not zeros, before the first unmasked step.
    """

    name, what, place = "keras", "Keras's own loop", 1000

    def why_not(self, call):
        return None

    def run(self, call):
        sequences, drawn = call.sequences, call.draw()
        if drawn is not None:  # no loop of JAX may draw
            sequences = ops.concatenate([sequences, ops.cast(drawn, sequences.dtype)], axis=-1)
        last, outputs, states = keras.layers.RNN.inner_loop(
            call.layer, sequences, call.states, call.mask, call.training
        )
        if call.mask is not None and keras.backend.backend() == "jax":
            outputs, last = call.outputs_as_keras_masks(outputs, last)
        return last, outputs, states
