"""The plain loop of exported files, which needs no library of ours."""

from lstm_zoo.recurrence import portable
from lstm_zoo.recurrence.engines.base import Engine, register, why_only_keras


@register
class Exported(Engine):
    """TensorFlow's plain loop, or the operation that a file's format has for a recurrence."""

    name, what, place = "exported", "the plain loop of exported files", 0
    explained = False  # nobody chooses it for speed

    def why_not(self, call):
        reason = why_only_keras(call)
        if reason is None and portable.target() is None:
            return "no file is being written"
        return reason

    def run(self, call):
        target = portable.target()
        return call.result(
            *portable.run(target, call.layer, call.sequences, call.states, call.mask)
        )
