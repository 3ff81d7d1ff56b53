"""Keras's own loop, which runs any cell."""

import keras
from keras import ops

from lstm_zoo.recurrence.engines.base import Engine, register


@register
class KerasLoop(Engine):
    """The loop of `keras.layers.RNN`, with the same masked outputs on JAX as on other backends.

    Keras's loop for JAX returns the initial state instead of zeros before the first unmasked step.
    """

    name, what, place = "keras", "Keras's own loop", 1000

    def why_not(self, call):
        return None

    def run(self, call):
        layer, sequences, drawn = call.layer, call.sequences, call.draw()
        if drawn:  # a loop on JAX can't draw numbers, so they are passed as further features
            drawn = {name: ops.cast(a, sequences.dtype) for name, a in drawn.items()}
            layer = _loop_of(layer, GivenItsDraws(layer.cell, sequences.shape[-1], drawn))
            sequences = ops.concatenate([sequences, *drawn.values()], axis=-1)
        last, outputs, states = keras.layers.RNN.inner_loop(
            layer, sequences, call.states, call.mask, call.training
        )
        if call.mask is not None and keras.backend.backend() == "jax":
            outputs, last = call.outputs_as_keras_masks(outputs, last)
        return last, outputs, states


class GivenItsDraws:
    """A cell for Keras's loop whose input contains the drawn numbers after its features."""

    def __init__(self, cell, features, drawn):
        self.cell, self.state_size, self.names = cell, cell.state_size, tuple(drawn)
        widths = [features, *(a.shape[-1] for a in drawn.values())]
        self.edges = [sum(widths[: k + 1]) for k in range(len(drawn))]

    def call(self, inputs, states):
        x, *drawn = ops.split(inputs, self.edges, axis=-1)
        return self.cell(x, states, training=True, drawn=dict(zip(self.names, drawn)))

    def __call__(self, inputs, states):
        return self.call(inputs, states)


def _loop_of(layer, cell):
    """Keras's layer that loops over time as `layer` does, around another cell."""
    return keras.layers.RNN(
        cell,
        return_sequences=layer.return_sequences,
        go_backwards=layer.go_backwards,
        stateful=layer.stateful,
        unroll=layer.unroll,
        zero_output_for_mask=layer.zero_output_for_mask,
        name=layer.name,  # an automatic name would change the names of later layers
    )
