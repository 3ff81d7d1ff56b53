"""How much one thing inside a recurrent model depends on another: gradients and Jacobians.

Reached through `lstm_zoo.inspection`. All derivatives are total, as in backpropagation through
time: that of the cell state c_t counts what c_t does through h_t too.
"""

import contextlib
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from lstm_zoo.unrolling import (
    checked_x,
    directions,
    equations_of,
    finite,
    known,
    recurrent_layers,
    watched,
)

STATES = {"hidden": "hidden_state", "cell": "cell_state"}


@dataclass(frozen=True)
class GradientFlow:
    """How much of a model's loss reaches each step of its recurrent layers, from `gradient_flow`.

    Args:
        hidden: by layer, `(batch, timesteps)`, the norm over the units of dL/dh_t; NaN at masked
            steps. A `Bidirectional` has two entries, "name/forward" and "name/backward". Index t is
            step t of the layer's input, whichever way the layer reads.
        cell: the same of dL/dc_t, for the layers with a cell state.
        backwards: names of the entries whose layer reads from the end.
    """

    hidden: dict[str, np.ndarray]
    cell: dict[str, np.ndarray]
    backwards: frozenset[str] = frozenset()

    def mean(self, layer=None, state="hidden"):
        """The norms of a layer averaged over the batch, `(timesteps,)`.

        Args:
            layer: one of the names in `hidden`; the first if None.
            state: "hidden" or "cell".

        Returns:
            An array; NaN at a step that is masked in every sequence.

        Raises:
            ValueError: if there is no such layer or state.
        """
        return _mean(self._norms(layer, state)[1])

    def horizon(self, layer=None, state="hidden"):
        """How many steps back the norm, averaged, has fallen to 1 % of that of the last step read.

        Sequences of unequal length are lined up at the last step that is not masked.

        Args:
            layer, state: as in `mean`.

        Returns:
            Steps, an int: the memory horizon. It is `timesteps` if the norm never falls so far.

        Raises:
            ValueError: if there is no such layer or state.
        """
        name, norms = self._norms(layer, state)
        back = norms if name in self.backwards else norms[:, ::-1]
        lined_up = np.full_like(back, np.nan)
        for row, norm in zip(lined_up, back):
            norm = norm[~np.isnan(norm)]
            row[: len(norm)] = norm
        curve = _mean(lined_up)
        fallen = np.flatnonzero(curve <= 0.01 * curve[0])
        return int(fallen[0]) if len(fallen) else len(curve)

    def _norms(self, layer, state):
        entries = {"hidden": self.hidden, "cell": self.cell}[known("state", state, list(STATES))]
        if not entries:
            raise ValueError('state must be "hidden": no layer here has a cell state, got "cell"')
        name = next(iter(entries)) if layer is None else known("layer", layer, list(entries))
        return name, entries[name]


def gradient_flow(model, x, y, loss=None):
    """The norms of dL/dh_t and dL/dc_t at every step of every recurrent layer.

    Where they shrink towards the past, the loss cannot teach the layer about the past: the
    vanishing gradient (Hochreiter 1991; Bengio et al. 1994). The model runs without dropout. Of a
    layer that the model calls several times, this is the first call.

    Args:
        model: a `keras.Model` with recurrent layers of the kinds that `trace` knows.
        x: what the model takes, mostly `(batch, timesteps, features)`.
        y: targets, one for each of the batch.
        loss: what L is: a Keras loss, its name, or a function of y and the prediction, averaged
            over the batch; the loss that the model was compiled with if None.

    Returns:
        A `GradientFlow`.

    Raises:
        ValueError: if `x` or `y` is empty, not finite, or of the wrong rank or length, if the model
            has no recurrent layer, or if `loss` is None and the model is not compiled.

    Example:
        >>> model = keras.Sequential([keras.layers.LSTM(8, name="memory"), keras.layers.Dense(1)])
        >>> flow = gradient_flow(model, np.ones((2, 20, 3)), np.ones((2, 1)), loss="mse")
        >>> flow.hidden["memory"].shape
        (2, 20)

    Sources:
        Bengio, Simard & Frasconi 1994, https://doi.org/10.1109/72.279181;
        Pascanu, Mikolov & Bengio 2013, https://proceedings.mlr.press/v28/pascanu13.html.
    """
    x, y = checked_x_and_y(model, x, y, loss)
    readers = {
        name + ending: one
        for name, layer in recurrent_layers(model).items()
        for ending, one in directions(layer).items()
    }
    with contextlib.ExitStack() as stack, tf.GradientTape(persistent=True) as tape:
        calls = {
            name: stack.enter_context(watched(layer, step_by_step=True))
            for name, layer in readers.items()
        }
        for layer in readers.values():
            tape.watch([weight.value for weight in layer.weights])  # frozen layers too
        value = loss_of(model, x, y, loss)
    norms = {"hidden_state": {}, "cell_state": {}}
    for state, by_layer in norms.items():
        for name, seen in calls.items():
            if seen and state in seen[0].values[0]:
                by_layer[name] = _norms(tape, value, state, seen[0])
    backwards = frozenset(name for name, layer in readers.items() if layer.go_backwards)
    return GradientFlow(norms["hidden_state"], norms["cell_state"], backwards)


def _mean(norms):
    """Over the batch, without a warning where all is masked."""
    counted = np.sum(~np.isnan(norms), axis=0)
    return np.where(counted, np.nansum(norms, axis=0) / np.maximum(counted, 1), np.nan)


def _norms(tape, loss, state, call):
    steps = [values[state] for values in call.values]
    gradients = tape.gradient(loss, steps, unconnected_gradients="zero")
    norms = np.linalg.norm(np.stack(gradients, axis=1).astype("float32"), axis=-1)
    return norms if call.mask is None else np.where(call.mask, norms, np.nan)


def checked_x_and_y(model, x, y, loss):
    """`x` and `y` as arrays, refused unless the model can be given a loss on them."""
    x = checked_x(model, x)
    y = keras.tree.map_structure(lambda part: finite("y", part), y)
    samples, targets = (len(keras.tree.flatten(part)[0]) for part in (x, y))
    if samples != targets:
        raise ValueError(f"x and y must be equally long, got {samples} and {targets}")
    if loss is None and not getattr(model, "compiled", False):
        raise ValueError("loss must be given, as the model is not compiled; got None")
    return x, y


def loss_of(model, x, y, loss):
    """The loss of a model on a batch, without dropout: its own if `loss` is None."""
    prediction = model(x, training=False)
    if loss is None:
        return model.compute_loss(x=x, y=y, y_pred=prediction, training=False)
    y = tf.cast(y, prediction.dtype) if np.asarray(y).dtype.kind == "f" else tf.convert_to_tensor(y)
    return tf.reduce_mean(keras.losses.get(loss)(y, prediction))


@dataclass(frozen=True)
class JacobianNorms:
    """How strongly the last state of a layer depends on the earlier ones, from `jacobian_norms`.

    Norms are largest singular values, each `(batch, timesteps)`. Index t is step t of the input,
    whichever way the layer reads; T is the last step read.

    Args:
        hidden: of dh_T/dh_t; 1 at T.
        cell: of dc_T/dc_t; 1 at T; None without a cell state.
        one_step: of the Jacobian that takes all states from the step read before into step t.
        spectral_radius: the largest magnitude of an eigenvalue of that Jacobian. Below 1
            throughout, gradients vanish; above 1, they can explode.
    """

    hidden: np.ndarray
    cell: np.ndarray | None
    one_step: np.ndarray
    spectral_radius: np.ndarray


def jacobian_norms(layer, x):
    """The norms of dh_T/dh_t, of dc_T/dc_t and of each single step's Jacobian.

    The exact Jacobians, by running each sequence once for every unit: meant for a few sequences of
    layers of up to some 100 units.

    Args:
        layer: a recurrent layer of the kinds that `trace` knows; of a `Bidirectional`, one of its
            `forward_layer` and `backward_layer`.
        x: `(batch, timesteps, features)`, what the layer reads: for one inside a model, the
            `inputs` of its `Trace`.

    Returns:
        `JacobianNorms`.

    Raises:
        ValueError: if `layer` is no recurrent layer of a known kind, or `x` is empty, not finite or
            not of rank 3.

    Example:
        >>> norms = jacobian_norms(keras.layers.SimpleRNN(4), np.ones((1, 10, 2)))
        >>> norms.hidden.shape
        (1, 10)

    Source:
        Pascanu, Mikolov & Bengio 2013, https://proceedings.mlr.press/v28/pascanu13.html.
    """
    if not isinstance(layer, keras.layers.RNN):
        raise ValueError(f"layer must be one recurrent layer, got {layer!r}")
    x = tf.cast(checked_x(layer, x), layer.compute_dtype)
    if not layer.built:
        layer.build(x.shape)
    states = layer.states if layer.stateful else layer.get_initial_state(len(x))
    states = [tf.convert_to_tensor(state) for state in states]
    order = slice(None, None, -1 if layer.go_backwards else 1)
    in_order, equations = x[:, order], equations_of(layer.cell)

    first, _ = equations(layer.cell, in_order[:, 0], states)
    norms = {
        name: _norms_to_last(layer.cell, in_order, states, name)[:, order]
        for name in STATES.values()
        if name in first
    }
    one_step, radius = _one_step(layer.cell, in_order, states)
    return JacobianNorms(
        norms["hidden_state"], norms.get("cell_state"), one_step[:, order], radius[:, order]
    )


def _norms_to_last(cell, x, states, name):
    """The norm of the Jacobian of a state at the last step by that at each step.

    Row k of every Jacobian comes from a copy k of the batch, whose gradient starts at unit k: one
    backward pass for all rows and steps.
    """
    size = equations_of(cell)(cell, x[:, 0], states)[0][name].shape[-1]
    copies = tf.repeat(x, size, axis=0)
    states = [tf.repeat(state, size, axis=0) for state in states]
    seen = []
    with tf.GradientTape() as tape:
        tape.watch(copies)
        for t in range(x.shape[1]):
            values, states = equations_of(cell)(cell, copies[:, t], states)
            seen.append(values[name])
        last = _one_unit_each(seen[-1])
    jacobians = tape.gradient(last, seen, unconnected_gradients="zero")
    return np.stack([_largest_singular_value(_by_sample(j)) for j in jacobians], axis=1)


def _one_step(cell, x, states):
    """The norm and the spectral radius of the Jacobian of all states over each step."""
    sizes = [state.shape[-1] for state in states]
    norms, radii = [], []
    for t in range(x.shape[1]):
        before = tf.repeat(tf.concat(states, axis=-1), sum(sizes), axis=0)
        with tf.GradientTape() as tape:
            tape.watch(before)
            inputs = tf.repeat(x[:, t], sum(sizes), axis=0)
            _, after = equations_of(cell)(cell, inputs, tf.split(before, sizes, axis=-1))
            picked = _one_unit_each(tf.concat(after, axis=-1))
        jacobian = _by_sample(tape.gradient(picked, before, unconnected_gradients="zero"))
        norms.append(_largest_singular_value(jacobian))
        radii.append(np.abs(np.linalg.eigvals(jacobian)).max(axis=-1))
        states = [state[:: sum(sizes)] for state in after]
    return np.stack(norms, axis=1), np.stack(radii, axis=1)


def _one_unit_each(copies):
    """The sum of unit k of copy k, over as many copies of a batch as there are units."""
    units = copies.shape[-1]
    return tf.reduce_sum(
        copies * tf.tile(tf.eye(units, dtype=copies.dtype), [len(copies) // units, 1])
    )


def _by_sample(rows):
    units = rows.shape[-1]
    return tf.cast(rows, "float32").numpy().reshape(-1, units, units)


def _largest_singular_value(matrices):
    return np.linalg.norm(matrices, ord=2, axis=(-2, -1))
