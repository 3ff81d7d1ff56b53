r"""A cell run over time, and its backward pass (BPTT) written by hand.

Forward, with :math:`W` the kernel, :math:`U` the recurrent kernel and :math:`b` the bias:

.. math::
    z_t = x_t W + h_{t-1} U + b, \qquad c_t = C(z_t, c_{t-1}), \qquad h_t = H(z_t, c_t)

Backward. Let :math:`dh_t = dL/dh_t` and :math:`dc_t = dL/dc_t` count every later use of the two
states. :math:`h_t` is made of :math:`c_t` and of the output gate's :math:`z`, and :math:`c_t` of
the other gates' :math:`z` and of :math:`c_{t-1}`, so the chain rule gives, from the last step to
the first,

.. math::
    dc_t &\mathrel{+}= dh_t\, \frac{\partial h_t}{\partial c_t} \\
    dz_t &= dc_t\, \frac{\partial c_t}{\partial z_t} + dh_t\, \frac{\partial h_t}{\partial z_t} \\
    dh_{t-1} &= dy_{t-1} + dz_t\, U^\top \\
    dc_{t-1} &= dc_t\, \frac{\partial c_t}{\partial c_{t-1}} \\
    dW &= \sum_t x_t^\top dz_t, \qquad dU = \sum_t h_{t-1}^\top dz_t, \qquad db = \sum_t dz_t

The four factors are the cell's local derivatives; they do not depend on what comes from later, and
neither do the sums for the weights have to grow inside the loop. So the backward pass goes over the
sequence in segments, and in each one

1. computes the gates and the local derivatives of all its steps at once, from :math:`z` and the
   states before each step, which are all that the forward pass keeps;
2. walks back through its steps, where only :math:`dh`, :math:`dc` and one product a step remain;
3. adds its share of each weight's gradient in one matrix product.

With `recompute` the forward pass keeps the states at the segments' borders only, and the backward
pass runs each segment forward again: what is kept grows like the square root of the steps.

Both passes are compiled with XLA wherever they are called from, and run on some rows of the batch
on each core (`lstm_zoo.programs`).

Sources: Werbos 1990, https://doi.org/10.1109/5.58337 (BPTT); Chen et al. 2016,
https://arxiv.org/abs/1604.06174, and Gruslys et al. 2016, https://arxiv.org/abs/1606.03401
(recomputation).
"""

import collections
import math

import keras

from lstm_zoo.cells import LSTMCell
from lstm_zoo.programs import compiled, on_tensors

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

SEGMENT = 32  # steps; more would no longer fit in a core's cache, fewer would make small products


def why_not_fast(layer):
    """Why a layer runs in Keras's own loop rather than in this module's, or None if it does not.

    Args:
        layer: a recurrent layer.

    Returns:
        A sentence without a full stop, or None.

    Example:
        >>> import lstm_zoo as lz
        >>> why_not_fast(lz.LSTM(8, unroll=True))
        'unroll=True asks for a loop that is written out'
    """
    cell = getattr(layer, "cell", None)
    if not isinstance(cell, LSTMCell):
        return "its cell is not one of lstm_zoo's"
    if keras.backend.backend() != "tensorflow":
        return f"the Keras backend is {keras.backend.backend()}, not tensorflow"
    for method in ("call", "project"):
        if getattr(type(cell), method) is not getattr(LSTMCell, method):
            return (
                f"{type(cell).__name__} has a {method}() of its own, which only Keras's loop runs"
            )
    if layer.unroll:
        return "unroll=True asks for a loop that is written out"
    return None


def run(
    cell,
    sequences,
    states,
    mask=None,
    *,
    input_mask=None,
    recurrent_mask=None,
    training=False,
    return_sequences=False,
    go_backwards=False,
    recompute=False,
):
    """Run a cell over a batch of sequences; its gradient is the hand-written backward pass.

    Args:
        cell: a built `LSTMCell` or variant.
        sequences: `(batch, timesteps, features)`.
        states: `[h, c]` before the first step, each `(batch, units)`.
        mask: `(batch, timesteps)` of booleans or None; at a masked step the states stay.
        input_mask: dropout mask of the input `(batch, features)`, a list of one per gate, or None.
        recurrent_mask: the same of the hidden state, `(batch, units)`.
        training: whether to keep what the backward pass needs. It can be had without, and then
            starts with another forward pass.
        return_sequences: whether to return the hidden state of every step.
        go_backwards: whether to go from the last step to the first.
        recompute: whether to keep the states at the borders of segments only.

    Returns:
        The hidden states `(batch, timesteps, units)` in the order they were computed, or None
        without `return_sequences`; and the last `[h, c]`.

    Example:
        >>> cell = LSTMCell(8)
        >>> cell.build((None, 3))
        >>> _, (h, c) = run(cell, keras.ops.ones((2, 5, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(h.shape)
        (2, 8)
    """
    dtype = cell.compute_dtype
    weights = [tf.cast(w, dtype) for w in _weights(cell)]
    x = tf.cast(sequences, dtype)
    # Eager calls come in many lengths: they share the programs of those that are not known before.
    steps = None if tf.executing_eagerly() else x.shape[1]
    mask = None if mask is None else tf.cast(mask, tf.bool)
    if go_backwards:
        x, mask = tf.reverse(x, [1]), None if mask is None else tf.reverse(mask, [1])
    if input_mask is not None and not isinstance(input_mask, list):
        x, input_mask = x * input_mask[:, None], None
    drop = _dropout_of_all_inputs(cell, x, input_mask, recurrent_mask)
    if x.shape[2] == 1:
        # XLA turns a product over one feature into a slow broadcast; a second one, zero, saves it.
        x, weights[1] = tf.pad(x, [[0, 0], [0, 0], [0, 1]]), tf.pad(weights[1], [[0, 1], [0, 0]])
    plan = Plan(
        segment=_segment(steps, recompute),
        keep=("borders" if recompute else "steps") if training else "nothing",
        outputs=return_sequences,
    )
    if steps is None:
        steps = tf.shape(x)[1]
        x, mask = _pad_to_bucket(x), None if mask is None else _pad_to_bucket(mask)
    outputs, h, c = _differentiable(cell, plan, steps, mask, drop)(x, *states, *weights)
    return outputs[:, :steps] if return_sequences else None, [h, c]


# segment: its number of steps; keep: "nothing", "borders" or "steps"; outputs:
# whether the hidden state of every step is wanted.
Plan = collections.namedtuple("Plan", "segment keep outputs")


def _segment(steps, recompute):
    """Steps per segment: few are wasted on the last one; for `recompute` the root of all steps."""
    if steps is None:
        return SEGMENT
    if recompute:
        return math.ceil(math.sqrt(steps))
    return math.ceil(steps / math.ceil(steps / SEGMENT))


def _pad_to_bucket(x):
    """Zeros after the last step, so that sequences of all lengths share a few compiled sizes."""
    steps = tf.shape(x)[1]
    octave = tf.math.log(tf.cast(steps, tf.float32) / SEGMENT) / math.log(2.0)
    bucket = tf.cast(2 ** tf.math.ceil(tf.maximum(octave, 0.0)), tf.int32) * SEGMENT
    return tf.pad(x, [[0, 0], [0, bucket - steps]] + [[0, 0]] * (len(x.shape) - 2))


def _weights(cell):
    """The recurrent kernel, the kernel, the bias if there is one, and those that `gates` uses."""
    usual = [cell.recurrent_kernel, cell.kernel, *([] if cell.bias is None else [cell.bias])]
    return usual + [w for w in cell.weights if not any(w is u for u in usual)]


def _dropout_of_all_inputs(cell, x, input_mask, recurrent_mask):
    """For each gate a factor to `h` and one to `x`, each `(batch, gates, ...)`; or None."""
    if input_mask is None and recurrent_mask is None:
        return None
    rows, (features, width) = tf.shape(x)[0], cell.kernel.shape
    gates = width // cell.units
    h_mask = recurrent_mask or [tf.ones((rows, cell.units), x.dtype)] * gates
    x_mask = input_mask or [tf.ones((rows, features), x.dtype)] * gates
    return tuple(tf.stop_gradient(tf.stack(m, axis=1)) for m in (h_mask, x_mask))


def _differentiable(cell, plan, steps, mask, drop):
    """The compiled forward pass, with the compiled backward pass for its gradient."""

    @tf.custom_gradient
    def forward(x, h, c, *weights):
        # No tape may look inside the compiled passes: it would make them keep every value.
        inputs = (x, h, c, mask, drop), (steps, weights)
        rows, shared = on_tensors(tf.stop_gradient, inputs)
        results, _, kept = _forward(cell, plan, rows, shared)

        def gradient(*upstream):
            return once_differentiable(x, h, c, *weights, *upstream)

        @tf.custom_gradient
        def once_differentiable(*all_inputs):
            upstream = on_tensors(tf.stop_gradient, all_inputs[-3:])
            of_rows, of_weights, _ = _backward(cell, plan, (*rows, *upstream), shared, kept)
            return (*of_rows, *of_weights), lambda *further: _second(
                cell, plan, steps, mask, drop, all_inputs, further
            )

        return results, gradient

    return forward


def _second(cell, plan, steps, mask, drop, inputs, further):
    """The gradient of a gradient, by autodiff of the plain loop: right, but not fast."""
    with tf.GradientTape() as outer:
        outer.watch(inputs)
        (x, h, c, *weights), upstream = inputs[:-3], inputs[-3:]
        with tf.GradientTape() as inner:
            inner.watch(inputs[:-3])
            plain, rows = plan._replace(keep="nothing"), (x, h, c, mask, drop)
            results, _, _ = _forward.plain(cell, plain, rows, (steps, weights))
        grads = inner.gradient(results, inputs[:-3], upstream, unconnected_gradients="zero")
    return outer.gradient(grads, inputs, further, unconnected_gradients="zero")


@compiled
def _forward(cell, plan, rows, shared, _=None):
    (x, h, c, mask, drop), (steps, weights) = rows, shared
    net = _Net(cell, drop, weights)
    x, mask = _time_major(x, plan), _time_major(mask, plan)
    outputs, h, c, kept = _walk(net, x, mask, h, c, steps, plan.keep, plan.segment, plan.outputs)
    outputs = tf.transpose(outputs, (1, 0, 2)) if plan.outputs else h[:, None, :0]
    return (outputs, h, c), [], kept


@compiled
def _backward(cell, plan, rows, shared, kept):
    (x, h, c, mask, drop, dy, dh, dc), (steps, weights) = rows, shared
    net = _Net(cell, drop, weights)
    S, F = plan.segment, x.shape[-1]
    xs, masks = _time_major(x, plan), _time_major(mask, plan)
    if plan.keep == "nothing":
        *_, kept = _walk(net, xs, masks, h, c, steps, "steps", S)
    xs, masks = _segments(xs, S), _segments(masks, S)
    dys = _segments(_time_major(dy, plan), S) if plan.outputs else None
    if plan.keep != "borders":
        kept = [_segments(k, S) for k in kept]
    last = (steps - 1) // S
    all_whole = isinstance(steps, int) and steps % S == 0
    wide = tf.float32 if x.dtype.size == 2 else x.dtype  # sums of halves lose too much

    def body(n, dh, dc, dx, *sums):
        mask = None if masks is None else masks[n]
        *z, hs, cs = [k[n] for k in kept]
        here = S if all_whole else tf.minimum(S, steps - n * S)
        if plan.keep == "borders":
            *_, (*z, hs, cs) = _walk(net, xs[n], mask, hs, cs, here, "steps", S)
        dy = None if dys is None else dys[n]
        dz, dh, dc, dextras = net.walk_back(z[0], hs, cs, mask, dy, dh, dc, here)
        grads = [_kernel_gradient(hs, dz, net.h_drop), _kernel_gradient(xs[n], dz, net.x_drop)]
        grads += dextras if net.b is None else [tf.reduce_sum(dz, axis=(0, 1)), *dextras]
        sums = [total + tf.cast(grad, wide) for total, grad in zip(sums, grads)]
        return n - 1, dh, dc, dx.write(n, _product(dz, net.W_T, net.x_drop, back=True)), *sums

    dx = tf.TensorArray(x.dtype, xs.shape[0] or tf.shape(xs)[0]).unstack(tf.zeros_like(xs))
    sums = [tf.zeros(w.shape, wide) for w in weights]
    _, dh, dc, dx, *sums = tf.while_loop(
        lambda n, *_: n >= 0, body, (tf.convert_to_tensor(last), dh, dc, dx, *sums)
    )
    dx = tf.reshape(dx.stack(), (-1, tf.shape(x)[0], F))[: tf.shape(x)[1]]
    sums = [tf.cast(total, x.dtype) for total in sums]
    return (tf.transpose(dx, (1, 0, 2)), dh, dc), sums, []


def _time_major(a, plan):
    """`(batch, timesteps, ...)` to `(timesteps in whole segments, batch, ...)`."""
    if a is None:
        return None
    if len(a.shape) == 2:
        a = a[..., None]
    a = tf.transpose(a, (1, 0, 2))
    missing = -(a.shape[0] or 0) % plan.segment
    return tf.pad(a, [[0, missing], [0, 0], [0, 0]]) if missing else a


def _segments(a, size):
    """`(timesteps, ...)` to `(segments, size, ...)`."""
    if a is None:
        return None
    count = -1 if a.shape[0] is None else a.shape[0] // size
    return tf.reshape(a, (count, size, tf.shape(a)[1], a.shape[2]))


def _walk(net, x, mask, h, c, steps, keep, segment, want_outputs=False):
    """From the first step to the last.

    Returns the hidden states, the last `h` and `c`, and what the backward pass starts from: `z`
    and the states before it of every step, or the states at the borders of segments.
    """
    length = x.shape[0] or tf.shape(x)[0]
    kept = {
        "nothing": [],
        "borders": [_room(length // segment + 1, a) for a in (h, c)],
        "steps": [
            _room(length, a, width) for a, width in ((h, net.W.shape[1]), (h, None), (c, None))
        ],
    }[keep]
    outputs = [_room(length, h)] if want_outputs else []

    def body(t, h, c, kept, outputs):
        z = net.z(h, x[t])
        if keep == "borders":
            # Each write goes to the place of the next border, so the border itself has the last.
            kept = [a.write((t + segment - 1) // segment, s) for a, s in zip(kept, (h, c))]
        else:
            kept = [a.write(t, s) for a, s in zip(kept, (z, h, c))]
        h_new, c_new = net.step(z, h, c)
        if mask is not None:
            h_new, c_new = tf.where(mask[t], h_new, h), tf.where(mask[t], c_new, c)
        return t + 1, h_new, c_new, kept, [a.write(t, h_new) for a in outputs]

    _, h, c, kept, outputs = tf.while_loop(
        lambda t, *_: t < steps, body, (tf.constant(0), h, c, kept, outputs)
    )
    return outputs[0].stack() if outputs else None, h, c, [a.stack() for a in kept]


def _room(count, like, width=None):
    """A `TensorArray` full of zeros; of unknown rows, an empty one compiles for longer."""
    shape = (count, tf.shape(like)[0], width or like.shape[1])
    return tf.TensorArray(like.dtype, count).unstack(tf.zeros(shape, like.dtype))


class _Net:
    """A cell at given values of its weights: all that the two passes ask of it."""

    def __init__(self, cell, drop, weights):
        self.cell, (self.h_drop, self.x_drop) = cell, drop or (None, None)
        self.U, self.W, *rest = weights
        self.b = None if cell.bias is None else rest.pop(0)
        self.extras = rest
        # Turned over once and not at every step.
        self.U_T, self.W_T = tf.transpose(self.U), tf.transpose(self.W)

    def z(self, h, x):
        z = _product(h, self.U, self.h_drop) + _product(x, self.W, self.x_drop)
        return z if self.b is None else z + self.b

    def step(self, z, h, c):
        now = self._with_extras(self.cell.gates, z, [h, c])
        return now["hidden_state"], now["cell_state"]

    def _with_extras(self, method, *args):
        """Call a method of the cell that then sees `self.extras` for the values of its weights."""
        if not self.extras:
            return method(*args)
        with keras.StatelessScope(zip(_weights(self.cell)[-len(self.extras) :], self.extras)):
            return method(*args)

    def walk_back(self, z, hs, cs, mask, dy, dh, dc, steps):
        """From the last step of a segment to its first.

        `z` and the states before each step `hs`, `cs` are `(timesteps, batch, ...)`. Returns `dz`
        of every step, `dh` and `dc` before the segment, and the gradients of the extra weights.
        """
        if self.cell.knows_local_derivatives():
            return self._walk_back_by_hand(z, hs, cs, mask, dy, dh, dc, steps)
        return self._walk_back_by_autodiff(z, hs, cs, mask, dy, dh, dc, steps)

    def _walk_back_by_hand(self, z, hs, cs, mask, dy, dh, dc, steps):
        by_z, h_by_c, c_by_c = self._with_extras(self.cell.local_derivatives, z, [hs, cs])
        if mask is not None:
            by_z, h_by_c = tf.where(mask, by_z, 0), tf.where(mask, h_by_c, 0)
            c_by_c = tf.where(mask, c_by_c, 1)

        def body(s, dh, dc, dzs):
            dh = dh if dy is None else dh + dy[s]
            dc = dc + dh * h_by_c[s]
            upstream = [dc if enters else dh for enters in self.cell.enters_cell_state]
            dzs = dzs.write(s, by_z[s] * tf.concat(upstream, axis=-1))
            dh_before = _product(dzs.read(s), self.U_T, self.h_drop, back=True)
            if mask is not None:
                dh_before += tf.where(~mask[s], dh, 0)
            return s - 1, dh_before, dc * c_by_c[s], dzs

        dzs = tf.TensorArray(z.dtype, z.shape[0]).unstack(tf.zeros_like(z))
        _, dh, dc, dzs = tf.while_loop(
            lambda s, *_: s >= 0, body, (tf.convert_to_tensor(steps - 1), dh, dc, dzs)
        )
        dz = dzs.stack()
        return dz, dh, dc, self._with_extras(self.cell.extra_gradients, z, [hs, cs], dz)

    def _walk_back_by_autodiff(self, z, hs, cs, mask, dy, dh, dc, steps):
        def body(s, dh, dc, dzs, dextras):
            dh = dh if dy is None else dh + dy[s]
            m = None if mask is None else mask[s]
            sources = [z[s], hs[s], cs[s], *self.extras]
            with tf.GradientTape() as tape:
                tape.watch(sources)
                results = self.step(*sources[:3])
            upstream = [dh, dc] if m is None else [tf.where(m, dh, 0), tf.where(m, dc, 0)]
            dz, dh_before, dc_before, *more = tape.gradient(
                results, sources, upstream, unconnected_gradients="zero"
            )
            dh_before += _product(dz, self.U_T, self.h_drop, back=True)
            if m is not None:
                dh_before, dc_before = (
                    dh_before + tf.where(~m, dh, 0),
                    dc_before + tf.where(~m, dc, 0),
                )
            dextras = [total + d for total, d in zip(dextras, more)]
            return s - 1, dh_before, dc_before, dzs.write(s, dz), dextras

        dzs = tf.TensorArray(z.dtype, z.shape[0]).unstack(tf.zeros_like(z))
        _, dh, dc, dzs, dextras = tf.while_loop(
            lambda s, *_: s >= 0,
            body,
            (tf.convert_to_tensor(steps - 1), dh, dc, dzs, [tf.zeros_like(w) for w in self.extras]),
        )
        return dzs.stack(), dh, dc, dextras


def _product(a, kernel, drop, back=False):
    """`a @ kernel`, each gate with its own dropout of `a`, or `back` through that product."""
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
    return tf.reshape(flat, (a.shape[0], tf.shape(a)[1], b.shape[1]))


def _kernel_gradient(a, dz, drop):
    """`(timesteps, batch, m)` and `(timesteps, batch, n)` to `(m, n)`, over all steps at once."""
    if drop is not None:
        parts = zip(tf.unstack(drop, axis=1), tf.split(dz, drop.shape[1], axis=-1))
        return tf.concat([_kernel_gradient(a * m, d, None) for m, d in parts], axis=1)
    a, dz = tf.reshape(a, (-1, a.shape[2])), tf.reshape(dz, (-1, dz.shape[2]))
    return tf.matmul(a, dz, transpose_a=True)
