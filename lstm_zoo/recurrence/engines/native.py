"""The native C operations for the LSTM, the GRU and the SimpleRNN on a CPU."""

from lstm_zoo.backend import sees_a_gpu
from lstm_zoo.recurrence import native
from lstm_zoo.recurrence.custom_gradient import in_xla
from lstm_zoo.recurrence.engines.base import Engine, register
from lstm_zoo.recurrence.engines.xla import XLA, on_tensorflow
from lstm_zoo.recurrence.native.cells import FORMS, knows


@register
class Native(Engine):
    """Runs `lstm_zoo.recurrence.native`, which declares the cells that it supports."""

    name, what, place = "native", "the native operation of lstm_zoo (C)", 200
    label = "C"

    def made_for(self, cell_class):
        return cell_class in FORMS

    def why_not(self, call):
        if not knows(call.cell):
            return (
                "it only supports the plain, peephole and coupled LSTM, the GRU and the SimpleRNN, "
                "with sigmoid gates"
            )
        if call.cell.compute_dtype == "float64":
            return "it only computes in float32"
        if getattr(call.layer, "recompute", False):
            return "it does not support recompute=True"
        if sees_a_gpu():
            return "it runs on the CPU, but TensorFlow sees a GPU"
        # The reasons against XLA (another backend, unroll, overridden methods) hold here too.
        reason = native.WHY_NOT or XLA().why_not(call)
        if reason is None and in_xla():
            return "XLA compiles the surrounding function"
        return reason

    def run(self, call):
        return on_tensorflow(call, use_native=True)
