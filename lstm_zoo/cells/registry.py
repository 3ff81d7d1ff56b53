"""The registered cells by name, and the hand-written derivatives of some of them."""

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
_NAMES_OF_ENGINES: list[Callable[[type[Cell]], str]] = []  # `engines_from` adds functions


def register(name: str) -> Callable[[type[Cell]], type[Cell]]:
    """Decorator that registers a cell class under a name for builders, `layer_for` and tests.

    The class can then also be saved: Keras registers it as "lstm_zoo>" and the name of the class.

    Args:
        name: a new name, such as "peephole".

    Returns:
        A decorator for a subclass of `Cell`.

    Raises:
        ValueError: if the name is not a string or belongs to another class, or if the class is not
            a `Cell`.

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


register_cell = register  # exported as `lz.register_cell`


def names(pattern: str = "*") -> list[str]:
    """The names of all registered cells, or of those that match a pattern with wildcards.

    >>> names("min_*")
    ['min_gru', 'min_lstm']
    """
    checks.text("pattern", pattern)
    return [name for name in _CELLS if fnmatch.fnmatchcase(name, pattern)]


class Entry(NamedTuple):
    """One row of the table of cells."""

    name: str  # for `cell=`
    what: str  # the first sentence of its docstring, which names the paper
    states: tuple[str, ...]
    engine: str  # the fastest engine that can run it


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
        head = ("cell", "engine", "states", "description")
        return display.table(f"{len(self)} cells", head, rows)


def table(pattern: str = "*") -> Table:
    """A table of the registered cells: name, fastest engine, states, and description with paper.

    Args:
        pattern: a pattern for the names, with wildcards.

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
    """Register the function that tells `table` the engines of a class; recurrence/ calls this."""
    _NAMES_OF_ENGINES.append(function)


def get(name: str) -> type[Cell]:
    """The class of a registered cell; raises a `ValueError` that suggests the nearest name.

    >>> get("lstm").__name__
    'LSTMCell'
    """
    return _CELLS[checks.one_of("cell", name, _CELLS)]


def derivatives_of(
    cell_class: type[Cell], when: Callable[[Cell], bool] = lambda cell: True
) -> Callable:
    """Decorator that registers derivatives of the `step` of one class; subclasses don't inherit it.

    The decorated function takes `cell, z, states` and the keyword arguments of `step`. It returns a
    dict from `(of, by)` to the derivative of `of` with respect to `by`, each `(..., units)`. `of`
    is a name in `state_names`. `by` is a name in `gate_names` (the gate's block of `z`),
    "previous_" plus a state name (the state before the step), or the name of a later state in
    `state_names` (a direct dependence of `of` on that new state).

    Args:
        cell_class: a subclass of `Cell` whose `step` is elementwise.
        when: a function that tells whether the derivatives hold for a cell of that class.
    """

    def decorate(function):
        _DERIVATIVES[cell_class] = function, when
        return function

    return decorate


def derivatives(cell: Cell) -> Callable | None:
    """The function registered for exactly the class of `cell`, if it holds for it, else None."""
    function, when = _DERIVATIVES.get(type(cell), (None, bool))
    return function if function is not None and when(cell) else None
