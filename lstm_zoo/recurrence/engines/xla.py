"""The recurrence compiled by XLA, for every cell of LSTM Zoo on TensorFlow."""

import keras

from lstm_zoo.recurrence.custom_gradient import run
from lstm_zoo.recurrence.engines.base import Engine, register, why_only_keras


@register
class XLA(Engine):
    """Runs `lstm_zoo.recurrence.run`: both passes are XLA programs, shared by equal cells."""

    name, what, place = "xla", "the compiled recurrence of lstm_zoo (XLA)", 400

    def why_not(self, call):
        reason = why_only_keras(call)
        if reason is None and keras.backend.backend() != "tensorflow":
            return f"the Keras backend is {keras.backend.backend()}, not tensorflow"
        if reason is None and call.layer.unroll:
            return "unroll=True asks for an unrolled loop"
        return reason

    def run(self, call):
        return on_tensorflow(call, use_native=False)


def on_tensorflow(call, use_native):
    """Run a call with `lstm_zoo.recurrence.run`, on the C operations or on XLA."""
    outputs, states = run(
        call.cell,
        call.sequences,
        call.states,
        call.mask,
        **call.random_arguments(),
        training=call.training,
        return_sequences=call.layer.return_sequences,
        go_backwards=call.layer.go_backwards,
        recompute=call.layer.recompute,
        use_native=use_native,
    )
    return call.result(outputs, states)
