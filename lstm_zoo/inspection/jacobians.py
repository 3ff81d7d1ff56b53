"""Exact Jacobians: how strongly the last state of a layer depends on its earlier states."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks, display
from lstm_zoo.backend import needs_tensorflow, tf
from lstm_zoo.inspection.equations import equations_of
from lstm_zoo.inspection.finding import checked_x


@dataclass(frozen=True, repr=False)
class JacobianNorms:
    """How strongly the last state depends on the earlier states, from `jacobian_norms`.

    Norms are largest singular values, `(batch, timesteps)`. Index t is step t of the input, for
    layers that read backwards too. T is the last step that the layer reads.

    Args:
        hidden: the norm of dh_T/dh_t; 1 at T.
        cell: the norm of dc_T/dc_t; 1 at T; None for layers without a cell state.
        one_step: the norm of the Jacobian of all states at step t with respect to the states at the
            previous step. Over many steps these Jacobians multiply, and the norm of their product
            is at most the product of their norms. If all norms are below some number below 1,
            gradients vanish. Gradients can explode only if some norms exceed 1.
        spectral_radius: the largest absolute eigenvalue of this Jacobian. It decides whether
            gradients vanish (below 1) or explode (above 1) only if the Jacobian is equal at every
            step. Products of different Jacobians can do either: [[0, 2], [0, 0]] and
            [[0, 0], [2, 0]] have radius 0 each, but ten pairs of them have norm 4^10.
    """

    hidden: np.ndarray
    cell: np.ndarray | None
    one_step: np.ndarray
    spectral_radius: np.ndarray

    def __repr__(self) -> str:
        batch, timesteps = self.hidden.shape
        first = display.number(display.mean(display.mean(self.hidden, 0)[:1]))
        return f"JacobianNorms({batch} x {timesteps} steps: mean norm of dh_T/dh_0 {first})"


@needs_tensorflow
def jacobian_norms(layer: keras.layers.RNN, x: npt.ArrayLike) -> JacobianNorms:
    """The norms of dh_T/dh_t, of dc_T/dc_t, and of the Jacobian of each step.

    The Jacobians are exact. Each sequence runs once for every unit, so use a few sequences and
    layers with up to about 100 units.

    Args:
        layer: a recurrent layer that `trace` supports; for a `Bidirectional`, pass its
            `forward_layer` or `backward_layer`.
        x: the layer's input, `(batch, timesteps, features)`; for a layer inside a model, the
            `inputs` of its `Trace`.

    Returns:
        `JacobianNorms`.

    Raises:
        ValueError: if `layer` is not a supported recurrent layer, if `x` is empty, not finite or
            not of rank 3, or if Keras's backend is not TensorFlow.

    Example:
        >>> norms = jacobian_norms(keras.layers.SimpleRNN(4), np.ones((1, 10, 2)))
        >>> norms.hidden.shape
        (1, 10)

    Source:
        Pascanu, Mikolov & Bengio 2013, https://proceedings.mlr.press/v28/pascanu13.html.
    """
    if not isinstance(layer, keras.layers.RNN):
        raise ValueError(f"layer must be one recurrent layer, got {layer!r}")
    x = tf.cast(checked_x(layer, checks.array("x", x)), layer.compute_dtype)
    if not layer.built:
        layer.build(x.shape)
    states = layer.states if layer.stateful else layer.get_initial_state(len(x))
    states = [tf.convert_to_tensor(state) for state in states]
    order = slice(None, None, -1 if layer.go_backwards else 1)
    in_order, equations = x[:, order], equations_of(layer.cell)
    norms = {
        name: _norms_to_last(equations, in_order, states, k)[:, order]
        for k, name in enumerate(equations.state_names)
        if name in ("hidden_state", "cell_state")
    }
    one_step, radius = _one_step(equations, in_order, states)
    return JacobianNorms(
        norms["hidden_state"], norms.get("cell_state"), one_step[:, order], radius[:, order]
    )


def _norms_to_last(equations, x, states, which):
    """The norm of the Jacobian of the last state `which` with respect to that state at each step.

    Copy k of the batch gives row k of all Jacobians, because its gradient starts at unit k. One
    backward pass thus computes all rows and steps.
    """
    size = states[which].shape[-1]
    copies = tf.repeat(x, size, axis=0)
    states = [tf.repeat(state, size, axis=0) for state in states]
    seen = []
    with tf.GradientTape() as tape:
        tape.watch(copies)
        for t in range(x.shape[1]):
            _, states = equations.step(copies[:, t], states)
            seen.append(states[which])
        last = _one_unit_each(seen[-1])
    jacobians = tape.gradient(last, seen, unconnected_gradients="zero")
    return np.stack([_largest_singular_value(_by_sample(j)) for j in jacobians], axis=1)


def _one_step(equations, x, states):
    """The norm and the spectral radius of the Jacobian of all states over each step."""
    sizes = [state.shape[-1] for state in states]
    norms, radii = [], []
    for t in range(x.shape[1]):
        before = tf.repeat(tf.concat(states, axis=-1), sum(sizes), axis=0)
        with tf.GradientTape() as tape:
            tape.watch(before)
            inputs = tf.repeat(x[:, t], sum(sizes), axis=0)
            _, after = equations.step(inputs, tf.split(before, sizes, axis=-1))
            picked = _one_unit_each(tf.concat(after, axis=-1))
        jacobian = _by_sample(tape.gradient(picked, before, unconnected_gradients="zero"))
        norms.append(_largest_singular_value(jacobian))
        radii.append(np.abs(np.linalg.eigvals(jacobian)).max(axis=-1))
        states = [state[:: sum(sizes)] for state in after]
    return np.stack(norms, axis=1), np.stack(radii, axis=1)


def _one_unit_each(copies):
    """The sum over k of unit k in copy k of a batch, with one copy per unit."""
    units = copies.shape[-1]
    return tf.reduce_sum(
        copies * tf.tile(tf.eye(units, dtype=copies.dtype), [len(copies) // units, 1])
    )


def _by_sample(rows):
    units = rows.shape[-1]
    return tf.cast(rows, "float32").numpy().reshape(-1, units, units)


def _largest_singular_value(matrices):
    return np.linalg.norm(matrices, ord=2, axis=(-2, -1))
