r"""Runs a cell over time, with a hand-written backward pass (BPTT).

Forward, with the kernel :math:`W`, the recurrent kernel :math:`U`, the bias :math:`b`, the states
:math:`s_t`, and the recurrent states :math:`r_t` among them (the hidden state):

.. math::
    z_t = x_t W + r_{t-1} U + b, \qquad s_t = S(z_t, s_{t-1})

Backward. Let :math:`ds_t = dL/ds_t` include every later use of a state, and let :math:`dy_t` be the
gradient of the output of step t, which is the first state. Unit k of a new state depends only on
unit k of the gates' :math:`z` and of the previous states, so each derivative of :math:`S` is one
number per unit. (For cells with `elementwise = False`, TensorFlow differentiates each step, see
`lstm_zoo.recurrence.bound_cell`.) The chain rule gives, from the last step to the first,

.. math::
    dz_t &= ds_t\, \frac{\partial s_t}{\partial z_t} \\
    ds_{t-1} &= ds_t\, \frac{\partial s_t}{\partial s_{t-1}} + dy_{t-1},
        \qquad dr_{t-1} \mathrel{+}= dz_t\, U^\top \\
    dW &= \sum_t x_t^\top dz_t, \qquad dU = \sum_t r_{t-1}^\top dz_t, \qquad db = \sum_t dz_t

For the LSTM, where :math:`h_t` depends on :math:`c_t` and on the output gate's :math:`z`, this is

.. math::
    dc_t \mathrel{+}= dh_t\, \frac{\partial h_t}{\partial c_t}, \qquad
    dz_t = dc_t\, \frac{\partial c_t}{\partial z_t} + dh_t\, \frac{\partial h_t}{\partial z_t},
    \qquad dc_{t-1} = dc_t\, \frac{\partial c_t}{\partial c_{t-1}}

The derivatives do not depend on later steps, and the sums for the weights do not have to be inside
the loop. So the backward pass processes the sequence in segments. For each segment it

1. computes the derivatives of all steps at once, from :math:`z` and the states before each step,
   which are all that the forward pass stores;
2. goes backwards through the steps, where only :math:`ds` and one matrix product per step remain;
3. adds its share of each weight's gradient in one matrix product.

With `recompute`, the forward pass stores only the states at the borders of segments, and the
backward pass runs each segment forward again. Memory then grows with the square root of the number
of steps.

The plain LSTM on a CPU computes the same in C, `lstm_zoo.recurrence.native`.

Sources: Werbos 1990, https://doi.org/10.1109/5.58337 (BPTT); Chen et al. 2016,
https://arxiv.org/abs/1604.06174, and Gruslys et al. 2016, https://arxiv.org/abs/1606.03401
(recomputation).
"""

from typing import Any, NamedTuple

from lstm_zoo.backend import tf
from lstm_zoo.recurrence.bound_cell import BoundCell
from lstm_zoo.recurrence.segments import in_segments, time_major


class Batch(NamedTuple):
    """The tensors with a value per sequence; their first axis is the batch."""

    x: Any  # (batch, timesteps, features)
    extra_inputs: Any  # the cell's extra inputs by name, each (batch, timesteps, width)
    drawn: Any  # the cell's random numbers, in the same form
    states: Any  # before the first step, each (batch, width)
    mask: Any  # (batch, timesteps, 1) of booleans, or None
    drop: Any  # Dropout, or None


class Shared(NamedTuple):
    """The values that all sequences of a batch share."""

    steps: Any  # number of timesteps before the padding
    weights: Any  # CellWeights


class Inputs(NamedTuple):
    """The inputs of every step, each `(timesteps, batch, ...)`."""

    x: Any
    extra_inputs: Any  # by name
    drawn: Any  # by name

    @property
    def by_name(self):
        """The keyword arguments of a cell's step."""
        return {**self.extra_inputs, **self.drawn}

    def at(self, t):
        """The inputs of one step, or of one segment."""
        return tf.nest.map_structure(lambda a: a[t], self)


class EveryStep(NamedTuple):
    """The values that a pass stores for every step, each `(timesteps, batch, ...)`."""

    z: Any
    states: Any  # before the step


class EveryBorder(NamedTuple):
    """The states that a pass stores at the start of every segment, `(segments, batch, width)`."""

    states: Any


class PassResult(NamedTuple):
    """The results of a pass."""

    per_sequence: Any  # results or gradients, nested; the first axis is the batch
    sums: Any  # gradients of the weights, summed over the batch
    kept: Any  # for a later pass: an EveryStep, an EveryBorder, or () for nothing


def forward(cells, plan, batch, shared, kept=()):
    """The outputs of all steps (none without `plan.outputs`), and the last states.

    Args:
        cells: the `EqualCells` of the cell.
        plan: a `Plan`.
        batch: a `Batch`.
        shared: a `Shared`.
        kept: (); `backward` has the same arguments.

    Returns:
        A `PassResult`.
    """
    bound = BoundCell(cells.cell, batch.drop, shared.weights)
    inputs, mask = _time_major(batch, plan), time_major(batch.mask, plan)
    if plan.training:
        kept = (
            _at_borders(inputs, batch.states, plan)
            if plan.recompute
            else _at_steps(bound, inputs, batch)
        )
    outputs, states, kept = _walk(bound, inputs, mask, batch.states, shared.steps, kept, plan)
    outputs = tf.transpose(outputs, (1, 0, 2)) if plan.outputs else states[0][:, None, :0]
    return PassResult((outputs, states), [], kept)


def backward(cells, plan, batch_and_gradients, shared, kept):
    """The gradients of `x`, extra inputs and initial states, and the sums for the weights.

    Takes and returns the same as `forward`, except that the batch comes with the gradients of the
    results of the forward pass, `(dy, ds)`, and that `kept` holds its stored values.
    """
    batch, (dy, ds) = batch_and_gradients
    bound = BoundCell(cells.cell, batch.drop, shared.weights)
    inputs, masks = _time_major(batch, plan), time_major(batch.mask, plan)
    again = plan._replace(outputs=False)
    if not kept:
        empty = _at_steps(bound, inputs, batch)
        *_, kept = _walk(bound, inputs, masks, batch.states, shared.steps, empty, again)
    if isinstance(kept, EveryStep):
        kept = tf.nest.map_structure(lambda a: in_segments(a, plan), kept)
    inputs = tf.nest.map_structure(lambda a: in_segments(a, plan), inputs)
    masks = in_segments(masks, plan)
    dys = in_segments(time_major(dy, plan), plan) if plan.outputs else None
    steps, size = shared.steps, plan.segment
    all_whole = isinstance(steps, int) and steps % size == 0
    wide = (
        tf.float32 if batch.x.dtype.size == 2 else batch.x.dtype
    )  # sums in half precision lose too much

    def body(n, ds, dxs, sums):
        segment = inputs.at(n)
        mask = None if masks is None else masks[n]
        here = size if all_whole else tf.minimum(size, steps - n * size)
        before = tf.nest.map_structure(lambda a: a[n], kept)
        if isinstance(before, EveryBorder):
            empty = _at_steps(bound, segment, batch)
            *_, before = _walk(bound, segment, mask, before.states, here, empty, again)
        dy = None if dys is None else dys[n]
        dz, dextra_inputs, ds, dextras = bound.walk_back(before, segment, mask, dy, ds, here)
        gradients = [
            *bound.weight_gradients(before.states, segment.x, dz),
            *dextras,
        ]
        sums = [total + tf.cast(gradient, wide) for total, gradient in zip(sums, gradients)]
        dx = bound.input_gradient(dz), dextra_inputs
        dxs = tf.nest.map_structure(lambda array, d: array.write(n, d), dxs, dx)
        return n - 1, ds, dxs, sums

    def zeros_like(a):
        return tf.TensorArray(a.dtype, a.shape[0] or tf.shape(a)[0]).unstack(tf.zeros_like(a))

    def batch_major(array, like):
        a = tf.reshape(array.stack(), (-1, tf.shape(like)[0], like.shape[2]))
        return tf.transpose(a[: tf.shape(like)[1]], (1, 0, 2))

    dxs = tf.nest.map_structure(zeros_like, (inputs.x, inputs.extra_inputs))
    sums = [tf.zeros(w.shape, wide) for w in tf.nest.flatten(shared.weights) if w is not None]
    last = tf.convert_to_tensor((steps - 1) // size)
    _, ds, dxs, sums = tf.while_loop(lambda n, *_: n >= 0, body, (last, list(ds), dxs, sums))
    dx = tf.nest.map_structure(batch_major, dxs, (batch.x, batch.extra_inputs))
    return PassResult((*dx, ds), [tf.cast(total, batch.x.dtype) for total in sums], ())


def _time_major(batch, plan):
    inputs = Inputs(batch.x, batch.extra_inputs, batch.drawn)
    return tf.nest.map_structure(lambda a: time_major(a, plan), inputs)


def _walk(bound, inputs, mask, states, steps, kept, plan):
    """Run all steps; returns the outputs, the last states, and the stored values.

    `kept` is an `EveryStep` or `EveryBorder` of empty `TensorArray`s to be filled, or ().
    """
    length = inputs.x.shape[0] or tf.shape(inputs.x)[0]
    outputs = [_zeros(length, states[0])] if plan.outputs else []

    def body(t, states, kept, outputs):
        now = inputs.at(t)
        z = bound.z(states, now.x)
        if isinstance(kept, EveryStep):
            kept = EveryStep(kept.z.write(t, z), _write(kept.states, t, states))
        elif isinstance(kept, EveryBorder):
            # Each write goes to the slot of the next border, so the last one before it remains.
            kept = EveryBorder(_write(kept.states, (t + plan.segment - 1) // plan.segment, states))
        after = bound.step(z, states, now)
        if mask is not None:
            after = [tf.where(mask[t], new, old) for new, old in zip(after, states)]
        return t + 1, after, kept, [a.write(t, after[0]) for a in outputs]

    _, states, kept, outputs = tf.while_loop(
        lambda t, *_: t < steps, body, (tf.constant(0), list(states), kept, outputs)
    )
    kept = tf.nest.map_structure(lambda a: a.stack(), kept)
    return outputs[0].stack() if outputs else None, states, kept


def _at_steps(bound, inputs, batch):
    """An `EveryStep` to be filled."""
    length = inputs.x.shape[0] or tf.shape(inputs.x)[0]
    z = _zeros(length, batch.states[0], bound.z_width(inputs.x))
    return EveryStep(z, [_zeros(length, state) for state in batch.states])


def _at_borders(inputs, states, plan):
    """An `EveryBorder` to be filled."""
    length = inputs.x.shape[0] or tf.shape(inputs.x)[0]
    return EveryBorder([_zeros(length // plan.segment + 1, state) for state in states])


def _zeros(count, like, width=None):
    """A `TensorArray` of zeros; if the batch size is unknown, an empty one compiles more slowly."""
    shape = (count, tf.shape(like)[0], width or like.shape[1])
    return tf.TensorArray(like.dtype, count).unstack(tf.zeros(shape, like.dtype))


def _write(arrays, place, values):
    return [array.write(place, value) for array, value in zip(arrays, values)]
