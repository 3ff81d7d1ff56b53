"""A cell bound to given weights, with the parts of its forward and backward pass.

The passes are compiled for all cells that compute the same, and take the weights as tensors. So a
pass binds a cell to these tensors instead of the cell's own variables.
"""

from typing import Any, NamedTuple

import keras

from lstm_zoo.backend import tf
from lstm_zoo.cells.registry import derivatives


class CellWeights(NamedTuple):
    """The weights of a cell, as variables or as tensors."""

    recurrent_kernel: Any  # this and the next two compute z; each may be None
    kernel: Any
    bias: Any
    extras: Any  # a list of the weights that only `step` uses


class Dropout(NamedTuple):
    """Dropout factors of each gate for the recurrent states and the input; None means 1."""

    h: Any  # (batch, gates, width)
    x: Any  # (batch, gates, features)


def variables_of(cell):
    """The variables of a cell, as `CellWeights`."""
    usual = [cell.weight_of_z(name) for name in ("recurrent_kernel", "kernel", "bias")]
    extras = [w for w in cell.weights if not any(w is u for u in usual)]
    extras = [w for w in extras if keras.backend.is_float_dtype(w.dtype)]
    return CellWeights(*usual, extras)


class BoundCell:
    """A cell with given weights and dropout masks.

    Args:
        cell: a built `lstm_zoo.cells.Cell`.
        drop: a `Dropout`, or None.
        weights: a `CellWeights` of tensors.
    """

    def __init__(self, cell, drop, weights):
        self.cell, self.weights = cell, weights
        self.h_drop, self.x_drop = drop or (None, None)
        self.U, self.W, self.b, self.extras = weights
        # Transpose once instead of at every step.
        self.U_T, self.W_T = (None if w is None else tf.transpose(w) for w in (self.U, self.W))

    def z(self, states, x):
        """The pre-activations `(batch, width)` from the states before a step and its input."""
        if self.W is None:
            return x
        z = product(x, self.W, self.x_drop)
        if self.U is not None:
            z += product(self.recurrent_part(states), self.U, self.h_drop)
        return z if self.b is None else z + self.b

    def z_width(self, x):
        """The width of `z`."""
        return x.shape[-1] if self.W is None else self.W.shape[1]

    def weight_gradients(self, states, x, dz):
        """The gradients of the weights that compute `z`, over all steps of a segment."""
        r = None if self.U is None else self.recurrent_part(states)
        return [
            *([] if self.U is None else [kernel_gradient(r, dz, self.h_drop)]),
            *([] if self.W is None else [kernel_gradient(x, dz, self.x_drop)]),
            *([] if self.b is None else [tf.reduce_sum(dz, axis=(0, 1))]),
        ]

    def input_gradient(self, dz):
        """The gradient of `x`, from the gradient of `z`."""
        return dz if self.W is None else product(dz, self.W_T, self.x_drop, back=True)

    def recurrent_part(self, states):
        """The states that the recurrent kernel multiplies, concatenated."""
        return self.cell.recurrent_part(states)

    def step(self, z, states, inputs):
        """The new states; the step reads the named values in `Inputs`."""
        masks = None if self.h_drop is None else tf.unstack(self.h_drop, axis=1)
        by_name = {**inputs.by_name, **self.cell.dropout_of_step(masks)}
        now = self._at_these_weights(self.cell.step, z, states, **by_name)
        return [now[name] for name in self.cell.state_names]

    def _replace_extras(self, extras):
        drop = Dropout(self.h_drop, self.x_drop)
        return BoundCell(self.cell, drop, self.weights._replace(extras=extras))

    def _at_these_weights(self, function, *args, **by_name):
        """Call a function while the cell's weights have the values in `self.extras`."""
        if not self.extras:
            return function(*args, **by_name)
        with keras.StatelessScope(zip(variables_of(self.cell).extras, self.extras)):
            return function(*args, **by_name)

    def walk_back(self, kept, inputs, mask, dy, ds, steps):
        """Go backwards from the last step of a segment to its first.

        `kept` is the `EveryStep` of the segment, `inputs` its `Inputs`, `dy`
        `(timesteps, batch, width)` or None, and `ds` the gradients of the states after the segment.
        Returns the gradients of `z` and of the extra inputs at every step, of the states before the
        segment, and of the extra weights.
        """
        if self.cell.elementwise:
            return self._walk_back_elementwise(kept, inputs, mask, dy, ds, steps)
        return self._walk_back_by_autodiff(kept, inputs, mask, dy, ds, steps)

    def _walk_back_elementwise(self, kept, inputs, mask, dy, ds, steps):
        cell, (z, states) = self.cell, kept
        slopes = self._slopes(z, states, inputs)
        others = inputs.extra_inputs, self.extras
        if mask is not None:
            slopes = {names: tf.where(mask, slope, 0) for names, slope in slopes.items()}

        def body(s, ds, dzs, upstreams):
            ds = [ds[0] if dy is None else ds[0] + dy[s], *ds[1:]]
            total = dict(zip(cell.state_names, ds))

            def gradient(by):
                """The gradient of `by`, from those of all new states that depend on it."""
                parts = [slopes[of, by][s] * d for of, d in total.items() if (of, by) in slopes]
                return tf.add_n(parts) if parts else tf.zeros_like(ds[0])

            for later in cell.state_names[1:]:  # a state may depend on later states in this order
                total[later] += gradient(later)
            dz = tf.concat([gradient(gate) for gate in cell.gate_names], axis=-1)
            dzs = dzs.write(s, dz)
            before = [gradient(f"previous_{name}") for name in cell.state_names]
            upstreams = [a.write(s, d) for a, d in zip(upstreams, ds)]
            return s - 1, self._with_recurrence(before, dzs.read(s), mask, s, ds), dzs, upstreams

        dzs = _like(z)
        upstreams = [_like(state) for state in states] if any(others) else []
        _, ds, dzs, upstreams = tf.while_loop(
            lambda s, *_: s >= 0, body, (tf.convert_to_tensor(steps - 1), ds, dzs, upstreams)
        )
        if not any(others):
            return dzs.stack(), {}, ds, []
        upstreams = [a.stack() for a in upstreams]
        if mask is not None:
            upstreams = [tf.where(mask, d, 0) for d in upstreams]
        gradients = tf.gradients(
            self.step(z, states, inputs),
            tf.nest.flatten(others),
            upstreams,
            stop_gradients=[z, *states],  # with `recompute`, they depend on these weights too
            unconnected_gradients="zero",
        )
        dextra_inputs, dextras = tf.nest.pack_sequence_as(others, gradients)
        return dzs.stack(), dextra_inputs, ds, dextras

    def _walk_back_by_autodiff(self, kept, inputs, mask, dy, ds, steps):
        """For cells whose step mixes units: TensorFlow differentiates each step in turn."""
        z, states = kept

        def body(s, ds, dzs, dextras):
            ds = [ds[0] if dy is None else ds[0] + dy[s], *ds[1:]]
            now, extras = inputs.at(s), [tf.identity(w) for w in self.extras]
            here = z[s], [state[s] for state in states]
            after = self._replace_extras(extras).step(*here, now)
            upstream = ds if mask is None else [tf.where(mask[s], d, 0) for d in ds]
            sources = (here[0], now.extra_inputs), here[1], extras
            gradients = tf.gradients(
                after, tf.nest.flatten(sources), upstream, unconnected_gradients="zero"
            )
            dz, before, more = tf.nest.pack_sequence_as(sources, gradients)
            dextras = [total + d for total, d in zip(dextras, more)]
            dzs = tf.nest.map_structure(lambda array, d: array.write(s, d), dzs, dz)
            return s - 1, self._with_recurrence(before, dz[0], mask, s, ds), dzs, dextras

        dextras = [tf.zeros_like(w) for w in self.extras]
        dzs = tf.nest.map_structure(_like, (z, inputs.extra_inputs))
        _, ds, dzs, dextras = tf.while_loop(
            lambda s, *_: s >= 0, body, (tf.convert_to_tensor(steps - 1), ds, dzs, dextras)
        )
        dz, dextra_inputs = tf.nest.map_structure(lambda array: array.stack(), dzs)
        return dz, dextra_inputs, ds, dextras

    def _with_recurrence(self, before, dz, mask, s, ds):
        """The gradients of the states before a step, through the recurrent product and the mask."""
        names, before = self.cell.state_names, list(before)
        if self.U is not None:
            sizes = [before[names.index(name)].shape[-1] for name in self.cell.recurrent_names]
            dr = product(dz, self.U_T, self.h_drop, back=True)
            for name, part in zip(self.cell.recurrent_names, tf.split(dr, sizes, axis=-1)):
                before[names.index(name)] += part
        if mask is not None:
            before = [new + tf.where(~mask[s], d, 0) for new, d in zip(before, ds)]
        return before

    def _slopes(self, z, states, inputs):
        """The derivatives of each new state, as a dict by `(of, by)`, for all steps."""
        by_hand = derivatives(self.cell)
        if by_hand is not None:
            return self._at_these_weights(by_hand, self.cell, z, states, **inputs.by_name)
        names, slopes = self.cell.state_names, {}
        after = self.step(z, states, inputs)
        # Steps are elementwise, so the gradient of a state's sum over units is its derivative.
        for of, new in zip(names, after):
            dz, *ds = tf.gradients(new, [z, *states])
            if dz is not None:
                gates = tf.split(dz, len(self.cell.gate_names), axis=-1)
                slopes |= {(of, by): slope for by, slope in zip(self.cell.gate_names, gates)}
            slopes |= {(of, f"previous_{by}"): d for by, d in zip(names, ds) if d is not None}
        return slopes


def _like(a):
    return tf.TensorArray(a.dtype, a.shape[0]).unstack(tf.zeros_like(a))


def product(a, kernel, drop, back=False):
    """`a @ kernel` with separate dropout of `a` for each gate; `back` goes through it backwards."""
    if drop is None:
        return _matmul(a, kernel)
    gates = drop.shape[1]
    if back:
        parts = zip(tf.unstack(drop, axis=1), tf.split(a, gates, axis=-1), tf.split(kernel, gates))
        return tf.add_n([m * _matmul(d, k) for m, d, k in parts])
    parts = zip(tf.unstack(drop, axis=1), tf.split(kernel, gates, axis=1))
    return tf.concat([_matmul(a * m, k) for m, k in parts], axis=-1)


def _matmul(a, b):
    if len(a.shape) == 2:
        return tf.matmul(a, b)
    flat = tf.matmul(tf.reshape(a, (-1, a.shape[2])), b)
    return tf.reshape(flat, (a.shape[0] or tf.shape(a)[0], tf.shape(a)[1], b.shape[1]))


def kernel_gradient(a, dz, drop):
    """`(timesteps, batch, m)` and `(timesteps, batch, n)` to `(m, n)`, over all steps at once."""
    if drop is not None:
        parts = zip(tf.unstack(drop, axis=1), tf.split(dz, drop.shape[1], axis=-1))
        return tf.concat([kernel_gradient(a * m, d, None) for m, d in parts], axis=1)
    a, dz = tf.reshape(a, (-1, a.shape[2])), tf.reshape(dz, (-1, dz.shape[2]))
    return tf.matmul(a, dz, transpose_a=True)
