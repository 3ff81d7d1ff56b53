"""A recurrent layer run so that every quantity of its cell's equations can be seen.

`inspection.py` stands on the two functions here: `recurrent_layers` finds the layers of a model,
and `watched` replaces the loop of one of them by a loop that shows each step.
"""

import contextlib
import weakref

import keras
import tensorflow as tf
from keras import ops

from lstm_zoo.cells import LSTMCell

_LOOPS = weakref.WeakKeyDictionary()  # layer -> its compiled loop, kept as long as the layer


def recurrent_layers(model):
    """Every recurrent layer in a model, however deep, each `Bidirectional` as one."""
    found, inside = [], set()
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Bidirectional):
            inside |= {layer.forward_layer, layer.backward_layer}
        if isinstance(layer, (keras.layers.Bidirectional, keras.layers.RNN)):
            found.append(layer)
    return [layer for layer in found if layer not in inside]


def directions(layer):
    """The layers that read: a `Bidirectional`'s forward and backward one, else the layer itself."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


@contextlib.contextmanager
def watched(layer, on_call, step_by_step=False):
    """Within this context `layer` computes what it always does, and `on_call` sees how.

    Args:
        layer: a `keras.layers.RNN` of any kind.
        on_call: called at each call of the layer with its input `(batch, timesteps, features)`,
            its mask or None, and the values of the cell by name, each
            `(batch, timesteps, units)` in the order of the input, or, step by step, a list over
            the steps as they were read of such values, each `(batch, units)`.
        step_by_step: whether the loop runs in eager Python, so that a `tf.GradientTape` can
            differentiate with respect to the values of a step.
    """

    def inner_loop(sequences, initial_state, mask, training=False):
        if not tf.executing_eagerly():
            raise ValueError(
                f"layer {layer.name!r} runs inside a compiled function or a TimeDistributed, "
                "where its steps cannot be seen; call it on its own"
            )
        if step_by_step:
            loop = _Loop(layer, steps := [])
            values, states = loop(sequences, initial_state, mask)
            on_call(sequences, mask, steps)
        else:
            if layer not in _LOOPS:
                _LOOPS[layer] = tf.function(_Loop(layer), reduce_retracing=True)
            values, states = _LOOPS[layer](sequences, initial_state, mask)
            on_call(sequences, mask, values)
        hidden = values["hidden_state"]
        if layer.go_backwards:
            return hidden[:, 0], hidden[:, ::-1], states
        return hidden[:, -1], hidden, states

    instead = {"inner_loop": inner_loop}
    if hasattr(layer, "use_cudnn"):
        instead["use_cudnn"] = False  # else a Bidirectional on a GPU passes its two layers by
    with _unchanged(layer), _replaced(layer, **instead):
        yield


class _Loop:
    """The loop over time of a layer, which returns all values of all steps and the last states."""

    def __init__(self, layer, steps=None):
        self.rnn = keras.layers.RNN(
            _ShowingCell(layer.cell, steps),
            return_sequences=True,
            go_backwards=layer.go_backwards,
            zero_output_for_mask=layer.zero_output_for_mask,
            unroll=steps is not None,
        )

    def __call__(self, sequences, initial_state, mask):
        _, values, states = self.rnn.inner_loop(sequences, initial_state, mask)
        if self.rnn.go_backwards:
            values = {name: ops.flip(value, axis=1) for name, value in values.items()}
        return values, states


class _ShowingCell:
    """A cell whose output at each step is every quantity of its equations, by name."""

    def __init__(self, cell, steps):
        self.cell, self.steps = cell, steps
        self.state_size = cell.state_size
        self.equations = _equations(cell)

    def __call__(self, x, states):
        values, states = self.equations(self.cell, x, states)
        if self.steps is not None:
            self.steps.append(values)
        return values, states

    call = __call__


def _equations(cell):
    if callable(getattr(cell, "gates", None)):
        return _show_gates
    for kind, equations in _KERAS.items():
        if isinstance(cell, kind) and type(cell).call is kind.call:
            return equations
    known = ", ".join(kind.__name__ for kind in _KERAS)
    raise ValueError(
        f"layer must have a cell whose equations are known: one of lstm_zoo.cells, {known} of "
        "Keras, or one with a method gates(z, states) like that of lstm_zoo.LSTMCell, got "
        f"{type(cell).__name__}"
    )


def _show_gates(cell, x, states):
    """A cell of ours computes its quantities by name in `gates`; this listens there."""
    shown = {}

    def gates(z, states):
        shown.update(type(cell).gates(cell, z, states))
        return shown

    with _replaced(cell, gates=gates):
        _, states = cell(x, states)
    return shown, states


def _lstm(cell, x, states):
    z = ops.matmul(x, cell.kernel) + ops.matmul(states[0], cell.recurrent_kernel)
    z = z if cell.bias is None else z + cell.bias
    values = LSTMCell.gates(cell, z, states)  # Keras's cell names its activations as ours does
    return values, [values["hidden_state"], values["cell_state"]]


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
    return {"update_gate": z, "reset_gate": r, "candidate": g, "hidden_state": h}, [h]


def _simple_rnn(cell, x, states):
    z = ops.matmul(x, cell.kernel) + ops.matmul(states[0], cell.recurrent_kernel)
    h = cell.activation(z if cell.bias is None else z + cell.bias)
    return {"hidden_state": h}, [h]


_KERAS = {
    keras.layers.LSTMCell: _lstm,
    keras.layers.GRUCell: _gru,
    keras.layers.SimpleRNNCell: _simple_rnn,
}


@contextlib.contextmanager
def _unchanged(layer):
    """Undo what a call in inference changes: a stateful layer's states, the seeds of dropout."""
    variables = [*layer.non_trainable_variables, *keras.tree.flatten(layer.states or [])]
    values = [variable.numpy() for variable in variables]
    first_call = layer.states is None
    try:
        yield
    finally:
        for variable, value in zip(variables, values):
            variable.assign(value)
        if first_call:
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
