"""The operations in C for the plain, peephole and coupled LSTM on a CPU."""

from lstm_zoo.backend import sees_a_gpu
from lstm_zoo.recurrence import native
from lstm_zoo.recurrence.custom_gradient import in_xla
from lstm_zoo.recurrence.engines.base import Engine, register
from lstm_zoo.recurrence.engines.xla import XLA, on_tensorflow


@register
class Native(Engine):
    """`lstm_zoo.recurrence.native`, which says what cells its operations know."""

    name, what, place = "native", "the native operation of lstm_zoo (C)", 200
    label = "C"

    def made_for(self, cell_class):
        return cell_class in native.CELLS

    def why_not(self, call):
        if not native.knows(call.cell):
            return "it knows the plain, peephole and coupled LSTM, with tanh or relu, and sigmoid"
        if call.cell.compute_dtype == "float64":
            return "it computes in float32"
        if getattr(call.layer, "recompute", False):
            return "recompute=True asks for less memory than it takes"
        if sees_a_gpu():
            return "TensorFlow sees a GPU, and it runs on the CPU"
        # What keeps XLA away (another backend, unroll, own methods) does so here.
        reason = native.WHY_NOT or XLA().why_not(call)
        if reason is None and in_xla():
            return "XLA compiles the function around it"
        return reason

    def run(self, call):
        return on_tensorflow(call, use_native=True)
