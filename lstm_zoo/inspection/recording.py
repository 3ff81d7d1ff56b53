"""Records every quantity in the equations of a recurrent layer's cell at each step.

`recorded` replaces the layer's loop over time during a call. The two loops below compute the same
as the layer, and also return the values of each step.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from typing import Any, NamedTuple

import keras
from keras import ops

from lstm_zoo.backend import tf, wide
from lstm_zoo.cells import Cell
from lstm_zoo.inspection.equations import equations_of
from lstm_zoo.inspection.finding import directions

_LOOPS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # layer -> its compiled loop
_ALONE = threading.RLock()  # held while a layer is changed, so that one thread records at a time


class Call(NamedTuple):
    """The input of one call of a layer, and the values that its cell computed.

    Args:
        inputs: `(batch, timesteps, features)`.
        mask: `(batch, timesteps)`, or None.
        initial: a dict from state name to `(batch, width)`, before the first step read.
        values: the values from the loop, in the order of the input.
    """

    inputs: Any
    mask: Any
    initial: dict
    values: Any


@contextlib.contextmanager
def recorded(layer, loop):
    """Context that records the calls of `layer`, which computes the same as usual.

    Other threads may use the model in the meantime; their calls are not recorded.

    Args:
        layer: a `keras.layers.RNN` of any kind.
        loop: `compiled_loop` or `eager_loop`.

    Yields:
        The growing list of calls.
    """
    calls: list[Call] = []
    recorder, own_loop = threading.get_ident(), layer.inner_loop

    def inner_loop(sequences, initial_state, mask, training=False):
        if threading.get_ident() != recorder:
            return own_loop(sequences, initial_state, mask, training)
        if not tf.executing_eagerly():
            raise ValueError(
                f"layer {layer.name!r} must run eagerly to be traced, but the model calls it "
                "inside a compiled function; pass the layer itself and its input instead"
            )
        names = equations_of(layer.cell).state_names
        batch, timesteps, _ = sequences.shape
        states = [ops.broadcast_to(s, (batch, *s.shape[1:])) for s in initial_state]
        if isinstance(layer.cell, Cell):  # half precision keeps float32 states between steps
            sequences, *states = (
                ops.cast(a, wide(layer.cell.compute_dtype)) for a in (sequences, *states)
            )
        mask = keras.tree.flatten(mask)[0]  # a list if initial states were passed
        if mask is not None:
            mask = ops.broadcast_to(ops.reshape(mask, (-1, timesteps)), (batch, timesteps))
        # Reverse the mask here: when going backwards, Keras's unrolled loop zeroes outputs by the
        # mask in forward order.
        order = slice(None, None, -1 if layer.go_backwards else 1)
        in_order = None if mask is None else mask[:, order]
        values, *results = loop(layer, sequences[:, order], states, in_order)
        values = (
            values[order]
            if isinstance(values, list)
            else {name: value[:, order] for name, value in values.items()}
        )
        calls.append(Call(sequences, mask, dict(zip(names, states)), values))
        return results

    # Keras has no hook inside the loop over time, so we run our own loop to see each step.
    instead = {"inner_loop": inner_loop}
    if hasattr(layer, "use_cudnn") and tf.config.list_logical_devices("GPU"):
        instead["use_cudnn"] = False  # else a Bidirectional on a GPU bypasses its two layers
    with unchanged([layer]), _replaced(layer, **instead):
        yield calls


def compiled_loop(layer, sequences, states, mask):
    """A dict of the values at all steps, `(batch, timesteps, width)`, and the loop's own results.

    The loop is compiled once for each layer and kept as long as the layer.
    """
    if layer not in _LOOPS:
        loop = _loop(layer, _RecordingCell(layer.cell), unroll=False)
        # TensorFlow warns about repeated retracing of functions with the same code; a partial has
        # no code.
        _LOOPS[layer] = tf.function(
            functools.partial(loop.inner_loop), reduce_retracing=True, autograph=False
        )
    last, values, states = _LOOPS[layer](sequences, states, mask)
    output = equations_of(layer.cell).state_names[0]
    return values, last[output], values[output], states


def eager_loop(layer, sequences, states, mask):
    """Like `compiled_loop`, but with a list over the steps of dicts of `(batch, width)`.

    It runs in eager Python, so that a `tf.GradientTape` can differentiate with respect to each
    value.
    """
    steps: list[dict] = []
    loop = _loop(layer, _ListingCell(layer.cell, steps), unroll=True)
    return steps, *loop.inner_loop(sequences, states, mask)


def _loop(layer, cell, unroll):
    """A Keras layer that loops over time like `layer`, with a cell that outputs all values."""
    return keras.layers.RNN(
        cell,
        return_sequences=True,
        zero_output_for_mask=layer.zero_output_for_mask,
        unroll=unroll,
    )


class _RecordingCell:
    """A cell that outputs every quantity of its equations by name at each step."""

    def __init__(self, cell):
        self.state_size = cell.state_size
        self.equations = equations_of(cell)

    def call(self, x, states):
        return self.equations.step(x, states)

    def __call__(self, x, states):
        return self.call(x, states)


class _ListingCell(_RecordingCell):
    """A cell that appends these quantities to a list and has the same output as `cell`."""

    def __init__(self, cell, steps):
        super().__init__(cell)
        self.steps = steps

    def call(self, x, states):
        values, states = self.equations.step(x, states)
        self.steps.append(values)
        return states[0], states


@contextlib.contextmanager
def mapped_outputs(layers, function):
    """Context in which `function` transforms the output of the given layers.

    Args:
        layers: layers of any kind with one input.
        function: takes the layer, its input and its output; returns the output to use instead.
    """
    caller = threading.get_ident()

    def instead(layer, own_call):
        def call(inputs, *args, **options):
            output = own_call(inputs, *args, **options)
            return output if threading.get_ident() != caller else function(layer, inputs, output)

        return call

    with unchanged([]), contextlib.ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_replaced(layer, call=instead(layer, layer.call)))
        yield


@contextlib.contextmanager
def unchanged(layers):
    """Context that restores what a call in inference changes: layer states and dropout seeds.

    Only one thread at a time can enter it, because two would undo each other's changes.
    """
    with _ALONE, _restored(layers):
        yield


@contextlib.contextmanager
def _restored(layers):
    layers = [one for layer in layers for one in directions(layer).values()]
    variables = [
        variable
        for layer in layers
        for variable in (*layer.non_trainable_variables, *keras.tree.flatten(layer.states or []))
    ]
    values = [variable.numpy() for variable in variables]
    stateless = [layer for layer in layers if layer.states is None]
    try:
        yield
    finally:
        for variable, value in zip(variables, values):
            variable.assign(value)
        for layer in stateless:
            layer.reset_state()


@contextlib.contextmanager
def _replaced(thing, **attributes):
    """Context that sets attributes of an instance, bypassing Keras's bookkeeping."""
    own = vars(thing)
    before = {name: own[name] for name in attributes if name in own}
    own.update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            del own[name]
        own.update(before)
