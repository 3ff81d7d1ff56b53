"""One step after the other in keras.ops: on JAX and PyTorch, and where a loop is written out."""

from lstm_zoo.recurrence import loop
from lstm_zoo.recurrence.engines.base import Engine, register, why_only_keras


@register
class Loop(Engine):
    """`lstm_zoo.recurrence.loop`, which every backend of Keras runs."""

    name, what, place = "loop", "the loop of lstm_zoo, step after step", 500

    def why_not(self, call):
        return why_only_keras(call)

    def run(self, call):
        outputs, states = loop.run(
            call.cell,
            call.sequences,
            call.states,
            call.mask,
            **call.random_arguments(),
            go_backwards=call.layer.go_backwards,
            unroll=call.layer.unroll,
        )
        return call.result(outputs, states)
