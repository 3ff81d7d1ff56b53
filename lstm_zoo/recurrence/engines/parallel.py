"""All steps computed side by side, for cells whose gates see the input alone."""

from lstm_zoo.backend import sees_a_gpu
from lstm_zoo.recurrence import scan
from lstm_zoo.recurrence.engines.base import Engine, register


@register
class Parallel(Engine):
    """A scan over time, or what a cell says all steps are: `lstm_zoo.recurrence.scan`."""

    name, what, place = "parallel", "all steps side by side", 300
    label = "XLA, parallel"  # XLA where the number of timesteps is open

    def made_for(self, cell_class):
        return scan.is_parallel(cell_class)

    def why_not(self, call):
        cell, wanted = call.cell, getattr(call.layer, "parallel", False)
        if not scan.is_parallel(cell):
            return "the gates of its cell see the states"
        if not wanted:
            return "parallel=False"
        if wanted == "auto" and not (sees_a_gpu() or hasattr(cell, "in_parallel")):
            return "on a CPU one step after the other is quicker"
        if call.layer.unroll:
            return "unroll=True asks for a loop that is written out"
        if scan.serves(cell, call.timesteps):
            return None
        return f"it serves where {scan.limit(cell)}"

    def in_words(self, call):
        return f"{self.what} where {scan.limit(call.cell)}"

    def run(self, call):
        random = call.random_arguments()
        outputs, states = scan.run(
            call.cell,
            call.sequences,
            call.states,
            call.mask,
            input_mask=random["input_mask"],
            drawn=random["drawn"],
            go_backwards=call.layer.go_backwards,
        )
        return call.result(outputs, states)
