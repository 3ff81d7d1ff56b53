"""What an engine is, which engines there are, and which one runs a call."""

from lstm_zoo.cells.base import Cell
from lstm_zoo.recurrence.engines.call import LayerCall
from lstm_zoo.registry import Registry


class Engine:
    """One way to run a cell over time.

    Attributes:
        name: what the code calls it.
        what: what `lz.explain` calls it.
        place: the engine of the smallest place is asked first; the fastest comes first.
        label: what the table of `lz.cells.list()` calls it.
        explained: whether `lz.explain` says why it can't run a layer.
    """

    name: str
    what: str
    place: int
    label: str = ""
    explained: bool = True

    def why_not(self, call: LayerCall) -> str | None:
        """Why it can't run a call, without a full stop, or None if it can.

        It is asked about calls without numbers too: `LayerCall.of_size`.
        """
        raise NotImplementedError

    def run(self, call: LayerCall) -> tuple:
        """Run a call for which `why_not` is None.

        Returns:
            As `inner_loop` of a Keras layer: the last output `(batch, width)`, all outputs
            `(batch, timesteps, width)` (without `return_sequences` the last alone will do), and
            the last states. `call.result` makes it of the outputs and the last states.
        """
        raise NotImplementedError

    def in_words(self, call: LayerCall) -> str:
        """What `lz.explain` says of it where it runs a call: `what`, and any condition."""
        return self.what

    def made_for(self, cell_class: type[Cell]) -> bool:
        """Whether the table of `lz.cells.list()` names it for cells of this class."""
        return False


ENGINES: Registry[Engine] = Registry("engine", Engine)


def register(engine_class: type[Engine]) -> type[Engine]:
    """Let an engine run layers: a decorator for a subclass of `Engine`.

    Raises:
        ValueError: if its name is taken, or it is no `Engine`.

    Example:
        >>> @register
        ... class Slow(Engine):
        ...     name, what, place = "slow", "a slow loop", 2000
        ...     def why_not(self, call):
        ...         return "it is slow"
        >>> listed()[-1].what
        'a slow loop'
        >>> del ENGINES["slow"]
    """
    return ENGINES.register(engine_class.name)(engine_class)


def listed() -> list[Engine]:
    """All engines, in the order in which they are asked."""
    return sorted((engine() for engine in ENGINES.values()), key=lambda one: one.place)


def engine_for(call: LayerCall) -> Engine:
    """The engine that runs a call: the first that can."""
    return next(engine for engine in listed() if engine.why_not(call) is None)


def labels_for(cell_class: type[Cell]) -> str:
    """The engines that were made for a class of cells, or XLA, which runs every cell.

    >>> from lstm_zoo.cells import PeepholeLSTMCell
    >>> labels_for(PeepholeLSTMCell)
    'C'
    """
    labels = [engine.label for engine in listed() if engine.made_for(cell_class)]
    return ", ".join(labels) or "XLA"


def why_only_keras(call: LayerCall) -> str | None:
    """Why Keras's own loop alone can run a call, or None if the cell's `step` is all there is."""
    layer, cell = call.layer, call.cell
    if not isinstance(cell, Cell):
        return "its cell is not one of lstm_zoo's"
    if not getattr(layer, "chooses_engine", False):
        return f"{type(layer).__name__} is Keras's own layer; lstm_zoo.RNN runs the same cell"
    for method in ("call", "values", "project", "recur"):
        if getattr(type(cell), method) is not getattr(Cell, method):
            return (
                f"{type(cell).__name__} has a {method}() of its own, which only Keras's loop runs"
            )
    return None
