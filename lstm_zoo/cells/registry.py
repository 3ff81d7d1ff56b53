"""Which cells there are by name, and the derivatives that were written by hand for some of them."""

import fnmatch
import inspect
import re
from collections.abc import Callable
from typing import NamedTuple

import keras

from lstm_zoo import checks, display
from lstm_zoo.cells.base import Cell

_CELLS: dict[str, type[Cell]] = {}
_DERIVATIVES: dict[type[Cell], tuple[Callable, Callable]] = {}
_NAMES_OF_ENGINES: list[Callable[[type[Cell]], str]] = []  # of a class; `engines_from` adds to it


def register(name: str) -> Callable[[type[Cell]], type[Cell]]:
    """Give a cell class the name by which builders, `layer_for` and the tests know it.

    It can then be in saved files too: Keras knows it as "lstm_zoo>" and its class's name.

    Args:
        name: such as "peephole", not taken by another class.

    Returns:
        A decorator for a subclass of `Cell`.

    Raises:
        ValueError: if the name is no text or taken, or the class is no `Cell`.

    Example:
        >>> @register("quiet")
        ... class QuietCell(Cell):
        ...     gate_names = ("candidate",)
        ...     def step(self, z, states):
        ...         return {"hidden_state": 0.1 * z}
        >>> get("quiet").__name__
        'QuietCell'
        >>> del _CELLS["quiet"]
    """
    checks.text("name", name)

    def decorate(cell_class):
        if not (isinstance(cell_class, type) and issubclass(cell_class, Cell)):
            raise ValueError(f"a registered cell must be a subclass of Cell, got {cell_class!r}")
        other = _CELLS.get(name)
        if other is not None and other.__qualname__ != cell_class.__qualname__:
            raise ValueError(f"name must not be taken, got {name!r}, the name of {other.__name__}")
        _CELLS[name] = cell_class
        return keras.saving.register_keras_serializable(package="lstm_zoo")(cell_class)

    return decorate


register_cell = register  # its name at the top of the package


def names(pattern: str = "*") -> list[str]:
    """The names of all registered cells, or of those that fit a pattern with wildcards.

    >>> names("min_*")
    ['min_gru', 'min_lstm']
    """
    checks.text("pattern", pattern)
    return [name for name in _CELLS if fnmatch.fnmatchcase(name, pattern)]


class Entry(NamedTuple):
    """One line of the table of cells."""

    name: str  # as in `cell=`
    what: str  # the first sentence of its docstring, with its paper
    states: tuple[str, ...]
    engine: str  # the fastest that can run it


class Table(tuple[Entry, ...]):
    """Entries that print as a table, in a notebook too."""

    def __repr__(self):
        rows = [(e.name, e.engine, ", ".join(e.states), e.what) for e in self]
        widths = [max(map(len, column)) for column in zip(*rows)][:-1]
        return "\n".join(
            "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[-1]]) for row in rows
        )

    def _repr_html_(self):
        rows = [(e.name, e.engine, ", ".join(e.states), e.what) for e in self]
        return display.table(f"{len(self)} cells", ("cell", "engine", "states", "what it is"), rows)


def table(pattern: str = "*") -> Table:
    """The registered cells: name, what each is and its paper, its states, its fastest engine.

    Args:
        pattern: of the names, with wildcards.

    Returns:
        A tuple of `Entry` that prints as a table.

    Example:
        >>> table("coupled")[0].states
        ('hidden_state', 'cell_state')
    """
    return Table(_entry(name) for name in names(pattern))


def _entry(name):
    cell_class = _CELLS[name]
    sentence = re.split(r"\n\s*\n", inspect.getdoc(cell_class) or "")[0].replace("\n", " ")
    states = cell_class(1).state_names
    engines = ", ".join(of(cell_class) for of in _NAMES_OF_ENGINES)
    return Entry(name, sentence, tuple(states), engines)


def engines_from(function: Callable[[type[Cell]], str]) -> None:
    """Let `table` ask this function for the engines of a class; `lstm_zoo.recurrence` calls it."""
    _NAMES_OF_ENGINES.append(function)


def get(name: str) -> type[Cell]:
    """The class of a registered cell; a `ValueError` with the nearest name if there is none.

    >>> get("lstm").__name__
    'LSTMCell'
    """
    return _CELLS[checks.one_of("cell", name, _CELLS)]


def derivatives_of(
    cell_class: type[Cell], when: Callable[[Cell], bool] = lambda cell: True
) -> Callable:
    """Register the derivatives of the `step` of one class; none of its subclasses inherits them.

    The decorated function takes `cell, z, states`, and by keyword what else `step` takes. It
    returns by `(of, by)` how a new state changes, each `(..., units)`. `of` is a name in
    `state_names`; `by` a name in `gate_names`, for that gate's block of `z`; "previous_" and a
    state's name, for that state before the step; or a state's name that stands later in
    `state_names`, for what `of` owes to it.

    Args:
        cell_class: a subclass of `Cell` whose `step` is elementwise.
        when: of a cell of that class, whether the derivatives hold for it.
    """

    def decorate(function):
        _DERIVATIVES[cell_class] = function, when
        return function

    return decorate


def derivatives(cell: Cell) -> Callable | None:
    """The function that was registered for exactly the class of `cell` and holds, or None."""
    function, when = _DERIVATIVES.get(type(cell), (None, bool))
    return function if function is not None and when(cell) else None
