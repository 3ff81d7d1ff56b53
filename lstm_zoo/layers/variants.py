"""The layers for LSTM variants, and `layer_for`, which finds the layer for any cell."""

import inspect

import keras

from lstm_zoo import cells, checks
from lstm_zoo.cells import Cell, CoupledLSTMCell, PeepholeLSTMCell
from lstm_zoo.layers.base import RNN
from lstm_zoo.layers.lstm import LSTM, layer_class_of, runs
from lstm_zoo.layers.states import LearnsInitialState

# The options that belong to the layer; all others belong to the cell.
OF_THE_LAYER = {
    *("return_sequences", "return_state", "go_backwards", "stateful", "unroll"),
    *("zero_output_for_mask", "recompute", "activity_regularizer", "name", "dtype", "trainable"),
    *("learned_initial_state", "parallel"),
}


@runs(PeepholeLSTMCell)
class PeepholeLSTM(LSTM):
    """An `LSTM` layer with the cell `lstm_zoo.PeepholeLSTMCell` (Gers & Schmidhuber 2000).

    Args:
        units, ...: the arguments of `LSTM`.
        peephole_initializer: initializer of the peephole weights; zeros by default.

    Example:
        >>> layer = PeepholeLSTM(8)
        >>> tuple(layer(keras.ops.ones((2, 5, 3))).shape)
        (2, 8)
    """

    cell_arguments = (*LSTM.cell_arguments, "peephole_initializer")


@runs(CoupledLSTMCell)
class CoupledLSTM(LSTM):
    """An `LSTM` layer with the cell `lstm_zoo.cells.CoupledLSTMCell` (Greff et al. 2017).

    Example:
        >>> layer = CoupledLSTM(8)
        >>> tuple(layer(keras.ops.ones((2, 5, 3))).shape)
        (2, 8)
    """


def reads_times(cell) -> bool:
    """Whether a cell, or the cell of this name, reads a time feature (`Cell.reads_times`).

    >>> reads_times("time_gap"), reads_times("gru")
    (True, False)
    """
    if isinstance(cell, str) and cell in cells.names():
        cell = cells.get(cell)
    return getattr(cell, "reads_times", False)


def _makes_layers(layer_class):
    """Whether this is a recurrent layer class that takes `units`."""
    recurrent = isinstance(layer_class, type) and issubclass(layer_class, keras.layers.RNN)
    return recurrent and "units" in inspect.signature(layer_class.__init__).parameters


def _makes_cells(cell_class):
    """Whether Keras can run this class as a cell, called with inputs and states."""
    if (
        not isinstance(cell_class, type)
        or issubclass(cell_class, keras.layers.RNN)
        or not hasattr(cell_class, "call")
    ):
        return False
    _, *given = inspect.signature(cell_class.call).parameters.values()
    return sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in given) >= 2


def _around(layer_class, cell_class, units, options):
    """A layer around a new cell; each gets the options that belong to it."""
    of_cell = {k: v for k, v in options.items() if k not in OF_THE_LAYER}
    of_layer = {k: v for k, v in options.items() if k in OF_THE_LAYER}
    return layer_class(cell_class(units, dtype=options.get("dtype"), **of_cell), **of_layer)


def _check_stateful(layer_class, options):
    """Refuse stateful Keras layers on backends where they lose their states or fail to train."""
    backend = keras.backend.backend()
    if (
        options.get("stateful")
        and backend != "tensorflow"
        and not issubclass(layer_class, LearnsInitialState)
    ):
        raise ValueError(
            f"stateful must be False for {layer_class.__name__} on the {backend} backend, where "
            "Keras's own layers lose their states; use a cell of lstm_zoo, or "
            "KERAS_BACKEND=tensorflow"
        )


def names() -> list[str]:
    """The names that `layer_for` knows: those of all registered cells.

    >>> "gru" in names()
    True
    """
    return cells.names()


def layer_for(cell: str | type, units: int, **options) -> keras.layers.RNN:
    """The fastest layer that runs a given cell.

    Args:
        cell: one of `names()`; or a class that takes `units`, of a cell or of a recurrent layer,
            from LSTM Zoo, from Keras or your own.
        units: size of the state.
        **options: arguments of `keras.layers.RNN`, such as `return_sequences` and `name`, and of
            the cell, such as `recurrent_dropout` and `kernel_regularizer`.

    Returns:
        A recurrent layer.

    Raises:
        ValueError: if `cell` is none of these, or `units` is not a whole number of at least 1; or
            if `stateful` is True for a layer or cell of Keras on JAX or PyTorch, which does not
            keep its states in `fit` and `predict`.

    Example:
        >>> type(layer_for(PeepholeLSTMCell, 8)).__name__
        'PeepholeLSTM'
    """
    units = checks.count("units", units)
    if isinstance(cell, str):
        cell = cells.get(cell)
    if _makes_layers(cell):
        _check_stateful(cell, options)
        return cell(units, **options)
    if isinstance(cell, type) and issubclass(cell, Cell):
        layer_class = layer_class_of(cell)
        if layer_class is not None:
            return layer_class(units, **options)
        return _around(RNN, cell, units, options)
    if _makes_cells(cell):
        _check_stateful(cell, options)
        return _around(keras.layers.RNN, cell, units, options)
    raise ValueError(
        f"cell must be one of {checks.listed(names())}, or a cell class such as LSTMCell, "
        f"got {cell!r}"
    )
