r"""A cell run over time, and its backward pass (BPTT) written by hand.

Forward, with :math:`W` the kernel, :math:`U` the recurrent kernel, :math:`b` the bias,
:math:`s_t` the states and :math:`r_t` those of them that recur (the hidden state):

.. math::
    z_t = x_t W + r_{t-1} U + b, \qquad s_t = S(z_t, s_{t-1})

Backward. Let :math:`ds_t = dL/ds_t` count every later use of a state, and :math:`dy_t` be what
comes from the output of step t, which is the first state. Unless a cell says `elementwise = False`
(then TensorFlow differentiates each step, `lstm_zoo.recurrence.bound_cell`), unit k of a new state
is made of unit k of the gates' :math:`z` and of the states before, so each derivative of :math:`S`
is a number a unit, and the chain rule gives, from the last step to the first,

.. math::
    dz_t &= ds_t\, \frac{\partial s_t}{\partial z_t} \\
    ds_{t-1} &= ds_t\, \frac{\partial s_t}{\partial s_{t-1}} + dy_{t-1},
        \qquad dr_{t-1} \mathrel{+}= dz_t\, U^\top \\
    dW &= \sum_t x_t^\top dz_t, \qquad dU = \sum_t r_{t-1}^\top dz_t, \qquad db = \sum_t dz_t

For the LSTM this is, since :math:`h_t` is made of :math:`c_t` and of the output gate's :math:`z`,

.. math::
    dc_t \mathrel{+}= dh_t\, \frac{\partial h_t}{\partial c_t}, \qquad
    dz_t = dc_t\, \frac{\partial c_t}{\partial z_t} + dh_t\, \frac{\partial h_t}{\partial z_t},
    \qquad dc_{t-1} = dc_t\, \frac{\partial c_t}{\partial c_{t-1}}

The derivatives do not depend on what comes from later, and neither do the sums for the weights have
to grow inside the loop. So the backward pass goes over the sequence in segments, and in each one

1. computes the derivatives of all its steps at once, from :math:`z` and the states before each
   step, which are all that the forward pass keeps;
2. walks back through its steps, where only the :math:`ds` and one product a step remain;
3. adds its share of each weight's gradient in one matrix product.

With `recompute` the forward pass keeps the states at the segments' borders only, and the backward
pass runs each segment forward again: what is kept grows like the square root of the steps.

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
    """What each sequence of a batch has of its own; the first axis of each tensor is the batch."""

    x: Any  # (batch, timesteps, features)
    extra_inputs: Any  # those of the cell by name, each (batch, timesteps, width)
    drawn: Any  # what the cell drew, the same way
    states: Any  # before the first step, each (batch, width)
    mask: Any  # (batch, timesteps, 1) of booleans, or None
    drop: Any  # Dropout, or None


class Shared(NamedTuple):
    """What all sequences of a batch share."""

    steps: Any  # how many of the timesteps count; those after them are padding
    weights: Any  # CellWeights


class Inputs(NamedTuple):
    """What comes in at every step, each `(timesteps, batch, ...)`."""

    x: Any
    extra_inputs: Any  # by name
    drawn: Any  # by name

    @property
    def by_name(self):
        """What a cell's step gets by keyword."""
        return {**self.extra_inputs, **self.drawn}

    def at(self, t):
        """Those of one step, or of one segment."""
        return tf.nest.map_structure(lambda a: a[t], self)


class EveryStep(NamedTuple):
    """What a pass keeps of every step, each `(timesteps, batch, ...)`."""

    z: Any
    states: Any  # before the step


class EveryBorder(NamedTuple):
    """What a pass keeps at the start of every segment, each `(segments, batch, width)`."""

    states: Any


class PassResult(NamedTuple):
    """What a pass computes."""

    per_sequence: Any  # results or gradients, nested; the first axis is the batch
    sums: Any  # gradients of the weights, summed over the batch
    kept: Any  # for a later pass: an EveryStep, an EveryBorder or nothing, ()


def forward(cells, plan, batch, shared, kept=()):
    """The output of every step (of none without `plan.outputs`), and the last states.

    Args:
        cells: the `EqualCells` that the pass is for.
        plan: a `Plan`.
        batch: a `Batch`.
        shared: a `Shared`.
        kept: (), for the same arguments as `backward`.

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
    """The gradients of `x`, extra inputs and first states, and the sums of those of the weights.

    Arguments and result as of `forward`, but beside the batch of the forward pass stand the
    gradients of what it computed, `(dy, ds)`, and `kept` is what it kept.
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
    wide = tf.float32 if batch.x.dtype.size == 2 else batch.x.dtype  # sums of halves lose too much

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
    """From the first step to the last: the outputs, the last states, and what was kept.

    `kept` comes as an `EveryStep` or `EveryBorder` of empty `TensorArray`s to be filled, or as ().
    """
    length = inputs.x.shape[0] or tf.shape(inputs.x)[0]
    outputs = [_zeros(length, states[0])] if plan.outputs else []

    def body(t, states, kept, outputs):
        now = inputs.at(t)
        z = bound.z(states, now.x)
        if isinstance(kept, EveryStep):
            kept = EveryStep(kept.z.write(t, z), _write(kept.states, t, states))
        elif isinstance(kept, EveryBorder):
            # Each write goes to the place of the next border, so the border itself has the last.
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
    """A `TensorArray` full of zeros; if the batch size is unknown, an empty one compiles longer."""
    shape = (count, tf.shape(like)[0], width or like.shape[1])
    return tf.TensorArray(like.dtype, count).unstack(tf.zeros(shape, like.dtype))


def _write(arrays, place, values):
    return [array.write(place, value) for array, value in zip(arrays, values)]
