"""Layers that run on one step of a sequence at a time and carry their states to the next step.

To make your own layer run step by step, write a subclass of `OneStep` and register it for the layer
with `one_step_of`. A layer that acts on each step independently only needs `each_step_alone`.
"""

import keras
from keras import ops

from lstm_zoo.backend import wide
from lstm_zoo.cells import Cell


def state_names(cell) -> list[str]:
    """The name of each state of a cell, in the order in which a layer returns them."""
    count = len(keras.tree.flatten(cell.state_size))
    usual = {1: ("hidden_state",), 2: ("hidden_state", "cell_state")}.get(count)
    if isinstance(cell, keras.layers.StackedRNNCells) or not usual:
        usual = [f"state_{k}" for k in range(count)]
    return [*getattr(cell, "state_names", usual)]


class OneStep(keras.layers.Layer):
    """Runs a layer on one step, given its state after the previous steps.

    A subclass defines `states_of` and `call`; its states are zeros before the first step.

    Args:
        layer: the original layer, whose weights are shared.
        name: the name of the new layer.

    Call arguments:
        sequence: `(batch, 1, features)`.
        states: a list of `(batch, width)`, in the order of `states_of`.
        mask: `(batch, 1)`, or None.

    Returns:
        The layer's output for all steps so far, and the states after the step.
    """

    gives_sequences = False  # whether the output has a time axis

    def __init__(self, layer: keras.layers.Layer, name: str):
        super().__init__(name=name, dtype=layer.dtype_policy, autocast=False)
        self.layer = layer
        self.built = True

    def states_of(self, features: int) -> list[tuple[str, int, str]]:
        """The name, width and dtype of each state, for inputs with `features` features."""
        raise NotImplementedError

    def compute_mask(self, sequence, mask=None):
        # Only a sequence has a mask, not the states.
        states = self.states_of(sequence.shape[-1])
        return (mask if self.gives_sequences else None, *[None] * len(states))


_CLASSES: dict[type, type[OneStep]] = {}


def one_step_of(*layer_classes: type):
    """Decorator that registers a subclass of `OneStep` for layers of exactly these classes."""

    def decorate(one_step_class):
        _CLASSES.update(dict.fromkeys(layer_classes, one_step_class))
        return one_step_class

    return decorate


def one_step_class(layer) -> type[OneStep] | None:
    """The `OneStep` class for a layer, or None.

    All recurrent layers have one, because their cell defines a step, and so do registered classes.
    """
    if isinstance(layer, keras.layers.RNN):
        return Recurrence
    return _CLASSES.get(type(layer))


def renewed(new, old, mask):
    """The new states, except for samples whose step is masked: they keep their old states."""
    if mask is None:
        return new
    return [ops.where(mask[:, :1], n, o) for n, o in zip(new, old)]


class Recurrence(OneStep):
    """One step of a recurrent layer."""

    def __init__(self, layer, name):
        if layer.go_backwards:
            raise ValueError(
                f"layer {layer.name!r} must have go_backwards=False to be streamed, got True"
            )
        if layer.return_state:
            raise ValueError(
                f"layer {layer.name!r} must have return_state=False to be streamed, got True"
            )
        super().__init__(layer, name)
        self.gives_sequences = layer.return_sequences
        first = map(ops.convert_to_numpy, keras.tree.flatten(layer.get_initial_state(1)))
        learned = getattr(layer, "learned_initial_state", False)
        self.starts_from_zeros = not (learned or any(state.any() for state in first))

    def states_of(self, _):
        cell = self.layer.cell
        names, sizes = state_names(cell), keras.tree.flatten(cell.state_size)
        if not _gives_its_first_state(cell):
            names, sizes = [*names, "output"], [*sizes, cell.output_size]
        if not self.starts_from_zeros:  # before the first unmasked step, the output is zeros
            names, sizes = [*names, "seen"], [*sizes, 1]
        return [(name, size, self._dtype_of_states()) for name, size in zip(names, sizes)]

    def _dtype_of_states(self):
        """Float32 for half precision too, as in a run over a whole sequence."""
        own_call = getattr(type(self.layer.cell), "call", None) is not Cell.call
        return self.layer.compute_dtype if own_call else wide(self.layer.compute_dtype)

    def call(self, sequence, states, mask=None):
        cell, states = self.layer.cell, list(states)
        seen = 1 if self.starts_from_zeros else states.pop()
        if not self.starts_from_zeros:  # the states are stored as differences from the first
            first = keras.tree.flatten(self.layer.get_initial_state(1))
            first += [0.0] * (len(states) - len(first))  # for a stored output
            states = [ops.add(state, one) for state, one in zip(states, first)]
        structure = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [0]
        flat = states[: len(keras.tree.flatten(structure))]
        x = ops.cast(sequence[:, 0], self.layer.compute_dtype)
        if self._dtype_of_states() != self.layer.compute_dtype:  # a call would round the states
            now = cell.values(ops.cast(x, self._dtype_of_states()), flat)
            after = [now[name] for name in cell.state_names]
            output = ops.cast(after[0], self.layer.compute_dtype)
        else:
            output, after = cell(x, keras.tree.pack_sequence_as(structure, flat), training=False)
            after = keras.tree.flatten(after)
        if len(states) > len(flat):
            after.append(output)
        after = renewed(after, states, mask)
        if mask is not None:
            last = after[0] if len(states) == len(flat) else after[-1]
            if self.layer.zero_output_for_mask:
                last = ops.zeros_like(output)
            output = ops.where(mask[:, :1], output, ops.cast(last * seen, output.dtype))
        if not self.starts_from_zeros:
            after = [ops.subtract(state, one) for state, one in zip(after, first)]
            after += renewed([ops.ones_like(seen)], [seen], mask)
        if self.layer.return_sequences:
            output = ops.expand_dims(output, 1)
        return (output, *after)


def _gives_its_first_state(cell):
    of_keras = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)
    return isinstance(cell, (Cell, *of_keras))
