"""The equations of one step of a cell, with named quantities, for LSTM Zoo's and Keras's cells.

Both use the standard names of the quantities.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from lstm_zoo.cells import Cell, LSTMCell


class Equations(NamedTuple):
    """One step of a cell.

    Args:
        values: a function of `x` and `states` that returns every quantity by name, including the
            new states.
        state_names: the names of the states; the first is the output.
        gate_names: the names of the gates, in the order of their blocks in the kernels.
    """

    values: Callable
    state_names: tuple[str, ...]
    gate_names: tuple[str, ...]

    def step(self, x, states):
        """The values by name, and the new states."""
        values = self.values(x, states)
        return values, [values[name] for name in self.state_names]


def equations_of(cell) -> Equations:
    """The equations of a cell; raises a `ValueError` if they are unknown."""
    if isinstance(cell, Cell) and not _computes_more_than_its_values(cell):
        return Equations(cell.values, cell.state_names, cell.gate_names)
    for cell_class, (values, *names) in _OF_KERAS.items():
        if isinstance(cell, cell_class) and type(cell).call is cell_class.call:
            return Equations(functools.partial(values, cell), *names)
    known = ", ".join(cell_class.__name__ for cell_class in _OF_KERAS)
    raise ValueError(
        f"layer must have a cell with known equations: {known} of Keras, or a subclass of "
        f"lstm_zoo.cells.Cell that defines step() or values(), got {type(cell).__name__}"
    )


def _computes_more_than_its_values(cell):
    cell_class = type(cell)
    return cell_class.call is not Cell.call and cell_class.values is Cell.values


def _lstm(cell, x, states):
    z = ops.matmul(x, cell.kernel) + ops.matmul(states[0], cell.recurrent_kernel)
    z = z if cell.bias is None else z + cell.bias
    return LSTMCell.step(cell, z, states)  # Keras's cell has the same names of activations


def _gru(cell, x, states):
    """Cho et al. 2014; with `reset_after` the variant of cuDNN."""
    [h], units = states, cell.units
    inner, outer = ops.split(cell.recurrent_kernel, [2 * units], axis=1)
    x_bias = h_bias = ops.zeros_like(cell.kernel[0])
    if cell.bias is not None:
        x_bias, h_bias = (cell.bias[0], cell.bias[1]) if cell.reset_after else (cell.bias, h_bias)
    x_z, x_r, x_g = ops.split(ops.matmul(x, cell.kernel) + x_bias, 3, axis=-1)
    h_z, h_r = ops.split(ops.matmul(h, inner) + h_bias[: 2 * units], 2, axis=-1)
    z = cell.recurrent_activation(x_z + h_z)
    r = cell.recurrent_activation(x_r + h_r)
    if cell.reset_after:
        g = cell.activation(x_g + r * (ops.matmul(h, outer) + h_bias[2 * units :]))
    else:
        g = cell.activation(x_g + ops.matmul(r * h, outer))
    h = z * h + (1 - z) * g
    return {"update_gate": z, "reset_gate": r, "candidate": g, "hidden_state": h}


def _simple_rnn(cell, x, states):
    z = ops.matmul(x, cell.kernel) + ops.matmul(states[0], cell.recurrent_kernel)
    return {"hidden_state": cell.activation(z if cell.bias is None else z + cell.bias)}


_HIDDEN = ("hidden_state",)
_OF_KERAS = {
    keras.layers.LSTMCell: (_lstm, LSTMCell.state_names, LSTMCell.gate_names),
    keras.layers.GRUCell: (_gru, _HIDDEN, ("update_gate", "reset_gate", "candidate")),
    keras.layers.SimpleRNNCell: (_simple_rnn, _HIDDEN, _HIDDEN),
}
