"""Recurrent layers: the LSTM and its variants, GRU and SimpleRNN, in either direction."""

import keras
import numpy as np

from lstm_zoo.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell
from lstm_zoo.layers import GRU, LSTM, RNN, CoupledLSTM, PeepholeLSTM, SimpleRNN
from lstm_zoo.layers.one_step import Recurrence
from lstm_zoo.serving.layers.places import combined
from lstm_zoo.serving.layers.plain import affine
from lstm_zoo.serving.layers.registry import mask_after, serves
from lstm_zoo.serving.packing import rounded
from lstm_zoo.serving.tracing import Array, Unserved

LSTM_CELL, GRU_CELL, SIMPLE_CELL, RESET_BEFORE_CELL = range(4)  # as in recurrent.h
_MERGED = {"sum": 0, "mul": 2, "ave": 5}


class Cell:
    """A cell as the C code reads it: its kind, its weights in Keras's order, its candidate.

    Raises:
        Unserved: if the C code does not know the cell.
    """

    def __init__(self, cell):
        if type(cell) not in _CELLS:
            raise Unserved(f"the C code does not know the cell {type(cell).__name__}")
        self.kind, self.states, weights = _CELLS[type(cell)](cell)
        self.units = cell.units
        self.weights = [np.asarray(keras.ops.convert_to_numpy(w), "float32") for w in weights]
        tanh, relu = keras.activations.tanh, keras.activations.relu
        if cell.activation not in (tanh, relu):
            raise Unserved("its activation is neither tanh nor relu")
        if getattr(cell, "recurrent_activation", None) not in (None, keras.activations.sigmoid):
            raise Unserved("its recurrent_activation is not sigmoid")
        self.relu = cell.activation is relu


def _bias(cell, shape):
    return np.zeros(shape) if cell.bias is None else keras.ops.convert_to_numpy(cell.bias)


def _lstm(cell):
    return LSTM_CELL, 2, [cell.kernel, cell.recurrent_kernel, _bias(cell, 4 * cell.units)]


def _peephole(cell):
    kind, states, weights = _lstm(cell)
    return kind, states, [*weights, cell.peephole_kernel]


def _coupled(cell):
    """The input gate is `1 - sigmoid(z) = sigmoid(-z)` of the forget gate's z."""
    weights = [cell.kernel, cell.recurrent_kernel, _bias(cell, 3 * cell.units)]
    weights = [keras.ops.convert_to_numpy(weight) for weight in weights]
    four = [np.concatenate([-w[..., : cell.units], w], axis=-1) for w in weights]
    return LSTM_CELL, 2, four


def _gru(cell):
    if not cell.reset_after:
        bias = _bias(cell, 3 * cell.units)
        return RESET_BEFORE_CELL, 1, [cell.kernel, cell.recurrent_kernel, bias]
    bias = np.reshape(_bias(cell, 6 * cell.units), (2, 3 * cell.units))
    return GRU_CELL, 1, [cell.kernel, cell.recurrent_kernel, bias]


def _simple(cell):
    return SIMPLE_CELL, 1, [cell.kernel, cell.recurrent_kernel, _bias(cell, cell.units)]


_CELLS = {
    LSTMCell: _lstm,
    PeepholeLSTMCell: _peephole,
    CoupledLSTMCell: _coupled,
    GRUCell: _gru,
    SimpleRNNCell: _simple,
    keras.layers.LSTMCell: _lstm,
    keras.layers.GRUCell: _gru,
    keras.layers.SimpleRNNCell: _simple,
}


class Run:
    """One layer, or one of its stacked cells, over one sequence."""

    def __init__(self, writer, layer, x, mask, initial_state, cell=None):
        if layer.stateful:
            raise Unserved("it is stateful")
        if x.dtype != "float32" or len(x.shape) != 2:
            raise Unserved("its input is no sequence of float32")
        self.writer, self.layer, self.x = writer, layer, x
        self.mask, self.cell = mask, Cell(cell or layer.cell)
        self.mask_after = mask_after(x, mask)
        self.sequences, self.backwards = layer.return_sequences, layer.go_backwards
        self.first = self._first_states(initial_state)

    def _first_states(self, given):
        if given is not None:
            return [given] if not isinstance(given, (list, tuple)) else list(given)
        return learned_states(self.writer, self.layer)

    def write(self, output=None, column=0, flipped=False, carried=False):
        """Its output, in an array of its own unless one is given, and its last states.

        With `carried` the first states are those after an earlier step.
        """
        layer, cell, writer = self.layer, self.cell, self.writer
        sequences = self.sequences
        if output is None:
            shape = (self.x.steps, cell.units) if sequences else (cell.units,)
            output = writer.array(shape, self.mask_after if sequences else None)
        states = [writer.array((cell.units,)) for _ in range(cell.states)]
        weights = list(cell.weights)
        if writer.half:
            weights[:2] = map(rounded, weights[:2])
        first = [*self.first, None, None][:2]
        writer.step(
            "recurrent",
            [self.x, self.mask, *first],
            [output if sequences else None, None if sequences else output, *states],
            [
                cell.kind,
                cell.units,
                self.backwards,
                flipped,
                column,
                getattr(layer, "zero_output_for_mask", False),
                cell.relu,
                carried,
                writer.half,
            ],
            weights=weights,
        )
        return output, states


def learned_states(writer, layer):
    """The states that a layer has learned to start from, the same for each row; none if zeros."""
    if not getattr(layer, "learned_initial_state", False):
        return []
    arrays = []
    for state in keras.tree.flatten(layer.get_initial_state(1)):
        arrays.append(writer.array((state.shape[-1],)))
        writer.step("constant", [], [arrays[-1]], weights=[state[0]])
    return arrays


def stacked(writer, layer, x, mask, states=None, carried=False):
    """The cells of a layer one after the other: the output of the last, all states after."""
    if mask is not None and layer.go_backwards:
        raise Unserved("its stacked cells read backwards under a mask")
    cells, states, after = layer.cell.cells, list(states or ()), []
    for cell in cells:
        run = Run(writer, layer, x, mask, [], cell)
        run.sequences |= cell is not cells[-1]
        run.backwards &= not after
        if carried:
            run.first, states = states[: run.cell.states], states[run.cell.states :]
        x, last = run.write(carried=carried)
        after += last
    return x, after


@serves(
    LSTM,
    PeepholeLSTM,
    CoupledLSTM,
    GRU,
    SimpleRNN,
    RNN,
    keras.layers.LSTM,
    keras.layers.GRU,
    keras.layers.SimpleRNN,
    keras.layers.RNN,
)
def recurrent(writer, layer, x, initial_state=None, mask=None, **_):
    """One direction."""
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        if layer.return_state or initial_state is not None:
            raise Unserved("its stacked cells take or return states")
        return stacked(writer, layer, x, mask)[0]
    output, states = Run(writer, layer, x, mask, initial_state).write()
    return [output, *states] if layer.return_state else output


@serves(keras.layers.Bidirectional)
def bidirectional(writer, layer, x, initial_state=None, mask=None, **_):
    """Both directions; each writes its half of the output where they are put side by side."""
    halves = [None, None]
    if initial_state is not None:
        half = len(initial_state) // 2
        halves = [initial_state[:half], initial_state[half:]]
    layers = (layer.forward_layer, layer.backward_layer)
    if layers[0].go_backwards or not layers[1].go_backwards:
        raise Unserved("its layers do not read forwards and backwards")
    runs = [Run(writer, one, x, mask, first) for one, first in zip(layers, halves)]
    sequences, units = layer.return_sequences, [run.cell.units for run in runs]
    if layer.merge_mode == "concat":
        shape = (x.steps, sum(units)) if sequences else (sum(units),)
        output = writer.array(shape, runs[0].mask_after if sequences else None)
        states = [
            run.write(output, column, way)[1]
            for run, column, way in zip(runs, (0, units[0]), (False, True))
        ]
    elif layer.merge_mode in _MERGED:
        (forward, *a), (backward, *b) = (
            run.write(flipped=way) for run, way in zip(runs, (False, True))
        )
        output, states = combined(writer, _MERGED[layer.merge_mode], forward, backward), [*a, *b]
    else:
        raise Unserved("its merge_mode is None")
    return [output, *states[0], *states[1]] if layer.return_state else output


@serves(Recurrence)
def recurrence(writer, layer, x, states, mask=None, **_):
    """One step of a stream."""
    if len(states) != len(layer.states_of(x.width)):
        raise Unserved("it carries other states than its cell's")
    if isinstance(layer.layer.cell, keras.layers.StackedRNNCells):
        output, after = stacked(writer, layer.layer, x, mask, states, carried=True)
        hidden = after[-Cell(layer.layer.cell.cells[-1]).states]  # the output of a masked step
        return (output, *after, hidden)
    if layer.starts_from_zeros:
        output, after = Run(writer, layer.layer, x, mask, states).write(carried=True)
        return (output, *after)
    return _from_learned_states(writer, layer.layer, x, list(states), mask)


def _from_learned_states(writer, layer, x, states, mask):
    """States are kept as differences from the first; the output is zeros before a step counts."""
    seen, first = states.pop(), learned_states(writer, layer)
    if len(first) != len(states):
        raise Unserved("it does not start from zeros")
    now = [combined(writer, 0, state, one) for state, one in zip(states, first)]
    output, after = Run(writer, layer, x, mask, now).write(carried=True)
    after = [combined(writer, 1, state, one) for state, one in zip(after, first)]
    if mask is None:
        return (output, *after, affine(writer, seen, 0, 0, 1))
    seen = combined(writer, 3, seen, Array(mask.number, (1,)))
    shown = Array(seen.number, (1, 1)) if layer.return_sequences else seen
    return (combined(writer, 2, output, shown), *after, seen)
