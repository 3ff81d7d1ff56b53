"""The base class of engines, their registry, and the choice of the engine for a call."""

from lstm_zoo.cells.base import Cell
from lstm_zoo.recurrence.engines.call import LayerCall
from lstm_zoo.registry import Registry


class Engine:
    """One way to run a cell over time.

    Attributes:
        name: its name in the code.
        what: its name in `lz.explain`.
        place: its position; the engine with the smallest (the fastest) is asked first.
        label: its name in the table `lz.cells.list()`.
        explained: whether `lz.explain` says why it can't run a layer.
    """

    name: str
    what: str
    place: int
    label: str = ""
    explained: bool = True

    def why_not(self, call: LayerCall) -> str | None:
        """The reason why it can't run a call, without a full stop, or None if it can.

        The call may have no numbers (`LayerCall.of_size`).
        """
        raise NotImplementedError

    def run(self, call: LayerCall) -> tuple:
        """Run a call for which `why_not` is None.

        Returns:
            The same as `inner_loop` of a Keras layer: the last output `(batch, width)`, all outputs
            `(batch, timesteps, width)` (without `return_sequences` the last is enough), and the
            last states. `call.result` makes this tuple from the outputs and the last states.
        """
        raise NotImplementedError

    def in_words(self, call: LayerCall) -> str:
        """The text for `lz.explain` if it runs a call: `what`, with any condition."""
        return self.what

    def made_for(self, cell_class: type[Cell]) -> bool:
        """Whether the table `lz.cells.list()` lists it for cells of this class."""
        return False


ENGINES: Registry[Engine] = Registry("engine", Engine)


def register(engine_class: type[Engine]) -> type[Engine]:
    """Decorator that registers a subclass of `Engine`, so that it can run layers.

    Raises:
        ValueError: if its name is taken, or if it is not an `Engine`.

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
    """The first engine that can run a call."""
    return next(engine for engine in listed() if engine.why_not(call) is None)


def labels_for(cell_class: type[Cell]) -> str:
    """The labels of the engines made for a class of cells, or "XLA", which runs every cell.

    >>> from lstm_zoo.cells import PeepholeLSTMCell
    >>> labels_for(PeepholeLSTMCell)
    'C'
    """
    labels = [engine.label for engine in listed() if engine.made_for(cell_class)]
    return ", ".join(labels) or "XLA"


def why_only_keras(call: LayerCall) -> str | None:
    """Why only Keras's own loop can run a call, or None if the cell's `step` is enough."""
    layer, cell = call.layer, call.cell
    if not isinstance(cell, Cell):
        return "its cell is not one of lstm_zoo's"
    if not getattr(layer, "chooses_engine", False):
        return f"{type(layer).__name__} is Keras's own layer; lstm_zoo.RNN runs the same cell"
    for method in ("call", "values", "project", "recur"):
        if getattr(type(cell), method) is not getattr(Cell, method):
            return f"{type(cell).__name__} overrides {method}(), which only Keras's loop calls"
    return None
