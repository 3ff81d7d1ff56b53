"""Which cells there are by name, and the derivatives that were written by hand for some of them."""

from collections.abc import Callable

import keras

from lstm_zoo import checks
from lstm_zoo.cells.base import Cell

_CELLS: dict[str, type[Cell]] = {}
_DERIVATIVES: dict[type[Cell], tuple[Callable, Callable]] = {}


def register(name: str) -> Callable[[type[Cell]], type[Cell]]:
    """Give a cell class the name by which builders, `layer_for` and the tests know it.

    It can then be in saved files too: Keras knows it as "lstm_zoo>" and its class's name.

    Args:
        name: such as "peephole", not taken by another class.

    Returns:
        A decorator for a subclass of `Cell`.

    Raises:
        ValueError: if the name is taken, or the class is no `Cell`.

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

    def decorate(cell_class):
        if not (isinstance(cell_class, type) and issubclass(cell_class, Cell)):
            raise ValueError(f"a registered cell must be a subclass of Cell, got {cell_class!r}")
        other = _CELLS.get(name)
        if other is not None and other.__qualname__ != cell_class.__qualname__:
            raise ValueError(f"name must not be taken, got {name!r}, which is {other.__name__}")
        _CELLS[name] = cell_class
        return keras.saving.register_keras_serializable(package="lstm_zoo")(cell_class)

    return decorate


def names() -> list[str]:
    """The names of all registered cells.

    >>> {"lstm", "peephole", "coupled"} <= set(names())
    True
    """
    return list(_CELLS)


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

    The decorated function takes `cell, z, states` and returns by `(of, by)` how a new state
    changes, each `(..., units)`. `of` is a name in `state_names`; `by` a name in `gate_names`, for
    that gate's block of `z`; "previous_" and a state's name, for that state before the step; or a
    state's name that stands later in `state_names`, for what `of` owes to it.

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
