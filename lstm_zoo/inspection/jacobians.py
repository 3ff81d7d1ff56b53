"""How strongly the last state of a layer depends on the earlier ones: exact Jacobians."""

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
    """How strongly the last state of a layer depends on the earlier ones, from `jacobian_norms`.

    Norms are largest singular values, each `(batch, timesteps)`. Index t is step t of the input,
    whichever way the layer reads; T is the last step read.

    Args:
        hidden: of dh_T/dh_t; 1 at T.
        cell: of dc_T/dc_t; 1 at T; None without a cell state.
        one_step: of the Jacobian that takes all states from the step read before into step t. Over
            many steps these Jacobians multiply, and their product's norm is at most the product of
            the norms. So where none exceeds some number below 1, gradients vanish; they can explode
            only where some exceed 1.
        spectral_radius: the largest magnitude of an eigenvalue of that Jacobian. It tells whether
            gradients vanish (below 1) or explode (above 1) only where the Jacobian is the same at
            every step. Products of different ones can do either: [[0, 2], [0, 0]] and
            [[0, 0], [2, 0]] have radius 0 each, and ten pairs of them the norm 4^10.
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
        ValueError: if `layer` is no recurrent layer of a known kind, if `x` is empty, not finite or
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
    """The norm of the Jacobian of state `which` at the last step by that at each step.

    Row k of every Jacobian comes from a copy k of the batch, whose gradient starts at unit k: one
    backward pass for all rows and steps.
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
