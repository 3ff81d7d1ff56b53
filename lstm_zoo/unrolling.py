"""A recurrent layer run so that every quantity of its cell's equations can be seen.

What `inspection.py` stands on: `recurrent_layers` finds the layers of a model, `watched` replaces
the loop of one of them by a loop that shows each step, `checked_x` refuses what no model takes.
"""

import contextlib
import difflib
import functools
import weakref
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from lstm_zoo.cells import LSTMCell

_LOOPS = weakref.WeakKeyDictionary()  # layer -> its compiled loop, kept as long as the layer


def recurrent_layers(model):
    """Every recurrent layer in a model, however deep, by name; a `Bidirectional` counts as one.

    Where several have the same name, the later ones get a number: "lstm", "lstm (2)".
    """
    found, inside = [], set()
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Bidirectional):
            inside |= set(directions(layer).values())
        if isinstance(layer, (keras.layers.Bidirectional, keras.layers.RNN)):
            found.append(layer)
    layers = {}
    for layer in found:
        if layer not in inside:
            count = sum(layer.name == other.name for other in layers.values())
            layers[f"{layer.name} ({count + 1})" if count else layer.name] = layer
    if not layers:
        raise ValueError(
            "model must hold a recurrent layer (LSTM, GRU, SimpleRNN, RNN or Bidirectional), "
            f"got {model.name!r}, which has none"
        )
    return layers


def chosen_layer(model, layer):
    """The recurrent layer of a model meant by a name, an index or itself; the first if None."""
    layers = recurrent_layers(model)
    names = list(layers)
    if layer is None:
        return layers[names[0]]
    if isinstance(layer, str):
        return layers[known("layer", layer, names)]
    if isinstance(layer, (int, np.integer)) and not isinstance(layer, bool):
        if -len(names) <= layer < len(names):
            return layers[names[layer]]
        raise ValueError(f"layer must be below {len(names)}, an index to {names}, got {layer}")
    if any(layer is one for one in layers.values()):
        return layer
    raise ValueError(f"layer must be a recurrent layer of the model, one of {names}, got {layer!r}")


def known(argument, name, names):
    """`name` if it is one of `names`; else a `ValueError` with the nearest one that is."""
    if name in names:
        return name
    nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0)[0]
    raise ValueError(f"{argument} must be one of {names}, got {name!r}; nearest: {nearest!r}")


def directions(layer):
    """By the ending of its name, each layer that reads: itself, or a `Bidirectional`'s two."""
    if isinstance(layer, keras.layers.Bidirectional):
        return {"/forward": layer.forward_layer, "/backward": layer.backward_layer}
    return {"": layer}


class Call(NamedTuple):
    """What one call of a layer read, its mask or None, and the values of its cell by name.

    Each value is `(batch, timesteps, units)` in the order of the input; or, step by step, `values`
    is a list over the steps in that order, and each value in it `(batch, units)`.
    """

    inputs: tf.Tensor
    mask: tf.Tensor | None
    values: dict | list


@contextlib.contextmanager
def watched(layer, step_by_step=False):
    """Within this context `layer` computes what it always does, and its calls are written down.

    Args:
        layer: a `keras.layers.RNN` of any kind.
        step_by_step: whether the loop runs in eager Python, so that a `tf.GradientTape` can
            differentiate with respect to the values of a step.

    Yields:
        The list of calls, which grows.
    """
    calls = []

    def inner_loop(sequences, initial_state, mask, training=False):
        mask = keras.tree.flatten(mask)[0]  # a list if initial states were passed
        if not tf.executing_eagerly():
            raise ValueError(
                f"layer {layer.name!r} must run eagerly to be seen, and the model calls it inside "
                "a compiled function; give the layer itself with what it reads"
            )
        if step_by_step:
            # Turned round here: going backwards, Keras's unrolled loop zeroes the outputs by the
            # mask in its forward order.
            order = slice(None, None, -1 if layer.go_backwards else 1)
            in_order = None if mask is None else mask[:, order]
            steps = []
            last, hidden, states = _loop(layer, steps).inner_loop(
                sequences[:, order], initial_state, in_order
            )
            calls.append(Call(sequences, mask, steps[order]))
            return last, hidden, states
        if layer not in _LOOPS:
            # TensorFlow takes functions of the same code for one that is traced again and again and
            # warns of it; a partial has no code.
            loop = functools.partial(_loop(layer).inner_loop)
            _LOOPS[layer] = tf.function(loop, reduce_retracing=True, autograph=False)
        last, values, states = _LOOPS[layer](sequences, initial_state, mask)
        order = slice(None, None, -1 if layer.go_backwards else 1)
        in_order = {name: value[:, order] for name, value in values.items()}
        calls.append(Call(sequences, mask, in_order))
        return last["hidden_state"], values["hidden_state"], states

    instead = {"inner_loop": inner_loop}
    if hasattr(layer, "use_cudnn"):
        instead["use_cudnn"] = False  # else a Bidirectional on a GPU passes its two layers by
    with unchanged([layer]), _replaced(layer, **instead):
        yield calls


def _loop(layer, steps=None):
    """Keras's layer that loops over time as `layer` does, with a cell that shows its values."""
    return keras.layers.RNN(
        _ShowingCell(layer.cell) if steps is None else _ListingCell(layer.cell, steps),
        return_sequences=True,
        go_backwards=layer.go_backwards and steps is None,
        zero_output_for_mask=layer.zero_output_for_mask,
        unroll=steps is not None,
    )


class _ShowingCell:
    """A cell whose output at each step is every quantity of its equations, by name."""

    def __init__(self, cell):
        self.cell = cell
        self.state_size = cell.state_size
        self.equations = equations_of(cell)

    def __call__(self, x, states):
        return self.equations(self.cell, x, states)

    call = __call__


class _ListingCell(_ShowingCell):
    """A cell that appends these quantities to a list, and whose output is the hidden state."""

    def __init__(self, cell, steps):
        super().__init__(cell)
        self.steps = steps

    def __call__(self, x, states):
        values, states = super().__call__(x, states)
        self.steps.append(values)
        return values["hidden_state"], states

    call = __call__


def equations_of(cell):
    """The function of cell, input and states that returns the values by name and the new states."""
    if callable(getattr(cell, "gates", None)):
        return _show_gates
    for kind, equations in _KERAS.items():
        if isinstance(cell, kind) and type(cell).call is kind.call:
            return equations
    kinds = ", ".join(kind.__name__ for kind in _KERAS)
    raise ValueError(
        f"layer must have a cell whose equations are known: one of lstm_zoo.cells, {kinds} of "
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
def unchanged(layers):
    """Undo what a call in inference changes: states of stateful layers, the seeds of dropout."""
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


def checked_x(model, x):
    """`x` as arrays, refused unless it is what the model takes."""
    if isinstance(x, dict) or (isinstance(x, (list, tuple)) and hasattr(x[0], "shape")):
        return keras.tree.map_structure(lambda part: finite("x", part), x)  # several inputs
    x = finite("x", x)
    wanted = _input_rank(model)
    if wanted is None:
        layers = model._flatten_layers()
        embeds = any(isinstance(layer, keras.layers.Embedding) for layer in layers)
        wanted = x.ndim if embeds else max(x.ndim, 3)
    if x.ndim != wanted:
        axes = {3: " (batch, timesteps, features)", 2: " (batch, timesteps)"}.get(wanted, "")
        raise ValueError(f"x must have {wanted} dimensions{axes}, got shape {x.shape}")
    return x


def finite(argument, array):
    """`array` as a NumPy array of numbers; a `ValueError` if it is empty or holds a NaN."""
    try:
        array = np.asarray(array)
    except ValueError as problem:
        raise ValueError(f"{argument} must be an array of numbers: {problem}") from problem
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{argument} must be an array of numbers, got dtype {array.dtype}")
    if array.size == 0:
        raise ValueError(f"{argument} must not be empty, got shape {array.shape}")
    wrong = array.size - np.count_nonzero(np.isfinite(array))
    if wrong:
        raise ValueError(f"{argument} must be finite, got {wrong} NaN or infinite values")
    return array


def _input_rank(model):
    """How many dimensions the one input of a model has; None if it has several or is not known."""
    if isinstance(model, (keras.layers.RNN, keras.layers.Bidirectional)):
        return 3
    shape = getattr(model, "input_shape", None)
    one_input = isinstance(shape, tuple) and not isinstance(shape[0], (tuple, list))
    return len(shape) if one_input else None
