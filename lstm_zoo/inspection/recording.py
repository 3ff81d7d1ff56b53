"""Recording what a recurrent layer computes: every quantity of its cell's equations at each step.

`recorded` replaces the layer's loop over time for the duration of a call. The two loops below
compute the same and also give the values of each step.
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
_ALONE = threading.RLock()  # held while a layer is changed: one thread records at a time


class Call(NamedTuple):
    """What one call of a layer read, and what its cell computed.

    Args:
        inputs: `(batch, timesteps, features)`.
        mask: `(batch, timesteps)`, or None.
        initial: by the name of the state, `(batch, width)`, before the first step read.
        values: what the loop gave, in the order of the input.
    """

    inputs: Any
    mask: Any
    initial: dict
    values: Any


@contextlib.contextmanager
def recorded(layer, loop):
    """Within this context `layer` computes what it always does, and its calls are recorded.

    Calls from other threads are not: they may use the model in the meantime.

    Args:
        layer: a `keras.layers.RNN` of any kind.
        loop: `compiled_loop` or `eager_loop`.

    Yields:
        The list of calls, which grows.
    """
    calls: list[Call] = []
    recorder, own_loop = threading.get_ident(), layer.inner_loop

    def inner_loop(sequences, initial_state, mask, training=False):
        if threading.get_ident() != recorder:
            return own_loop(sequences, initial_state, mask, training)
        if not tf.executing_eagerly():
            raise ValueError(
                f"layer {layer.name!r} must run eagerly to be seen, and the model calls it inside "
                "a compiled function; give the layer itself with what it reads"
            )
        names = equations_of(layer.cell).state_names
        batch, timesteps, _ = sequences.shape
        states = [ops.broadcast_to(s, (batch, *s.shape[1:])) for s in initial_state]
        if isinstance(layer.cell, Cell):  # in half precision, float32 between two steps
            sequences, *states = (
                ops.cast(a, wide(layer.cell.compute_dtype)) for a in (sequences, *states)
            )
        mask = keras.tree.flatten(mask)[0]  # a list if initial states were passed
        if mask is not None:
            mask = ops.broadcast_to(ops.reshape(mask, (-1, timesteps)), (batch, timesteps))
        # Turned round here: going backwards, Keras's unrolled loop zeroes the outputs by the mask
        # in its forward order.
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

    # Keras has no hook inside the loop over time: what a layer computes at a step can be seen only
    # by running that loop for it.
    instead = {"inner_loop": inner_loop}
    if hasattr(layer, "use_cudnn") and tf.config.list_logical_devices("GPU"):
        instead["use_cudnn"] = False  # else a Bidirectional on a GPU passes its two layers by
    with unchanged([layer]), _replaced(layer, **instead):
        yield calls


def compiled_loop(layer, sequences, states, mask):
    """By name the values at all steps, `(batch, timesteps, width)`; then what a layer's loop gives.

    The loop is compiled once for each layer and kept as long as the layer.
    """
    if layer not in _LOOPS:
        loop = _loop(layer, _RecordingCell(layer.cell), unroll=False)
        # TensorFlow takes functions of the same code for one that is retraced again and again, and
        # warns. A partial has no code.
        _LOOPS[layer] = tf.function(
            functools.partial(loop.inner_loop), reduce_retracing=True, autograph=False
        )
    last, values, states = _LOOPS[layer](sequences, states, mask)
    output = equations_of(layer.cell).state_names[0]
    return values, last[output], values[output], states


def eager_loop(layer, sequences, states, mask):
    """The same with a list over the steps, of values by name, `(batch, width)`.

    It runs in eager Python, so that a `tf.GradientTape` can differentiate with respect to each.
    """
    steps: list[dict] = []
    loop = _loop(layer, _ListingCell(layer.cell, steps), unroll=True)
    return steps, *loop.inner_loop(sequences, states, mask)


def _loop(layer, cell, unroll):
    """Keras's layer that loops over time as `layer` does, with a cell that gives all its values."""
    return keras.layers.RNN(
        cell,
        return_sequences=True,
        zero_output_for_mask=layer.zero_output_for_mask,
        unroll=unroll,
    )


class _RecordingCell:
    """A cell whose output at each step is every quantity of its equations, by name."""

    def __init__(self, cell):
        self.state_size = cell.state_size
        self.equations = equations_of(cell)

    def call(self, x, states):
        return self.equations.step(x, states)

    def __call__(self, x, states):
        return self.call(x, states)


class _ListingCell(_RecordingCell):
    """A cell that appends these quantities to a list, and whose output is that of `cell`."""

    def __init__(self, cell, steps):
        super().__init__(cell)
        self.steps = steps

    def call(self, x, states):
        values, states = self.equations.step(x, states)
        self.steps.append(values)
        return states[0], states


@contextlib.contextmanager
def mapped_outputs(layers, function):
    """Within this context, the output of each of some layers is mapped by `function`.

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
    """Undo what a call in inference changes: states of stateful layers, the seeds of dropout.

    Only one thread at a time is in such a context: two would undo each other's changes.
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
    """Set attributes of an instance for a while, past Keras's bookkeeping."""
    own = vars(thing)
    before = {name: own[name] for name in attributes if name in own}
    own.update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            del own[name]
        own.update(before)
