r"""A cell run over time, and its backward pass (BPTT) written by hand.

Forward, with :math:`K` the recurrent kernel, the kernel and the bias stacked, one product a step:

.. math::
    z_t = [h_{t-1}, x_t, 1]\, K, \qquad c_t = C(z_t, c_{t-1}), \qquad h_t = H(z_t, c_t)

Backward. Let :math:`dh_t = dL/dh_t` and :math:`dc_t = dL/dc_t` count every later use of the two
states. :math:`h_t` is made of :math:`c_t` and of the output gate's :math:`z`, and :math:`c_t` of
the other gates' :math:`z` and of :math:`c_{t-1}`, so the chain rule gives, from the last step to
the first,

.. math::
    dc_t &\mathrel{+}= dh_t\, \frac{\partial h_t}{\partial c_t} \\
    dz_t &= dc_t\, \frac{\partial c_t}{\partial z_t} + dh_t\, \frac{\partial h_t}{\partial z_t} \\
    dh_{t-1} &= dy_{t-1} + dz_t\, U^\top \\
    dc_{t-1} &= dc_t\, \frac{\partial c_t}{\partial c_{t-1}} \\
    dK &= \sum_t [h_{t-1}, x_t, 1]^\top dz_t

The four factors are the cell's local derivatives; they do not depend on what comes from later, and
neither does the sum for :math:`dK` have to wait inside the loop. So the backward pass goes over the
sequence in segments, and in each one

1. computes :math:`z`, the gates and the local derivatives of all its steps at once, from the states
   before each step, which are all that the forward pass keeps;
2. walks back through its steps, where only :math:`dh`, :math:`dc` and one product a step remain;
3. adds its share of :math:`dK` in one matrix product.

With `recompute` the forward pass keeps the states at the segments' borders only, and the backward
pass runs each segment forward again: memory then grows like the square root of the number of steps.

Both passes are compiled with XLA wherever they are called from.

Sources: Werbos 1990, https://doi.org/10.1109/5.58337 (BPTT); Chen et al. 2016,
https://arxiv.org/abs/1604.06174, and Gruslys et al. 2016, https://arxiv.org/abs/1606.03401
(recomputation).
"""

import collections
import math

import keras

from lstm_zoo.cells import LSTMCell

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
        >>> _, (h, c) = run(cell, ops.ones((2, 5, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(h.shape)
        (2, 8)
    """
    dtype = cell.compute_dtype
    weights = [cell.recurrent_kernel, cell.kernel]
    weights += [] if cell.bias is None else [cell.bias[None]]
    K = tf.concat([tf.cast(w, dtype) for w in weights], axis=0)
    extras = [tf.cast(w, dtype) for w in _extra_weights(cell)]
    x, steps = tf.cast(sequences, dtype), sequences.shape[1]
    mask = None if mask is None else tf.cast(mask, tf.bool)
    if go_backwards:
        x, mask = tf.reverse(x, [1]), None if mask is None else tf.reverse(mask, [1])
    if input_mask is not None and not isinstance(input_mask, list):
        x, input_mask = x * input_mask[:, None], None
    drop = _dropout_of_all_inputs(cell, x, input_mask, recurrent_mask)
    plan = Plan(
        segment=_segment(steps, recompute),
        bias=cell.bias is not None,
        keep=("borders" if recompute else "steps") if training else "nothing",
        outputs=return_sequences,
    )
    if steps is None:
        steps = tf.shape(x)[1]
        x, mask = _pad_to_bucket(x), None if mask is None else _pad_to_bucket(mask)
    outputs, h, c = _differentiable(cell, plan, steps, mask, drop)(x, *states, K, *extras)
    return outputs[:, :steps] if return_sequences else None, [h, c]


# segment: steps; bias: whether K has a row for it; keep: "nothing", "borders" or "steps"; outputs:
# whether the hidden state of every step is wanted.
Plan = collections.namedtuple("Plan", "segment bias keep outputs")


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


def _extra_weights(cell):
    """The variables that `gates` uses besides the kernels and the bias."""
    usual = [id(cell.kernel), id(cell.recurrent_kernel), id(cell.bias)]
    return [w for w in cell.weights if id(w) not in usual]


def _dropout_of_all_inputs(cell, x, input_mask, recurrent_mask):
    """For each gate a factor to `[h, x, 1]`, `(gates, batch, units + features + 1)`, or None."""
    if input_mask is None and recurrent_mask is None:
        return None
    rows, (features, width) = tf.shape(x)[0], cell.kernel.shape
    gates = width // cell.units
    h_mask = recurrent_mask or [tf.ones((rows, cell.units), x.dtype)] * gates
    x_mask = input_mask or [tf.ones((rows, features), x.dtype)] * gates
    ones = [] if cell.bias is None else [tf.ones((gates, rows, 1), x.dtype)]
    return tf.stop_gradient(tf.concat([tf.stack(h_mask), tf.stack(x_mask), *ones], axis=-1))


def _differentiable(cell, plan, steps, mask, drop):
    """The compiled forward pass, with the compiled backward pass for its gradient."""

    @tf.custom_gradient
    def forward(*inputs):
        # No tape may look inside the compiled passes: it would make them keep every value.
        hidden = [tf.stop_gradient(a) for a in inputs]
        results, kept = _forward(cell, plan, steps, mask, drop, *hidden)

        def gradient(*upstream):
            return once_differentiable(*inputs, *upstream)

        @tf.custom_gradient
        def once_differentiable(*inputs_and_upstream):
            hidden = [tf.stop_gradient(a) for a in inputs_and_upstream]
            grads = _backward(cell, plan, steps, mask, drop, kept, *hidden)
            return grads, lambda *further: _second(
                cell, plan, steps, mask, drop, inputs_and_upstream, further
            )

        return results, gradient

    return forward


def _second(cell, plan, steps, mask, drop, inputs_and_upstream, further):
    """The gradient of a gradient, by autodiff of the plain loop: right, but not fast."""
    count = len(inputs_and_upstream) - 3
    with tf.GradientTape() as outer:
        outer.watch(inputs_and_upstream)
        inputs, upstream = inputs_and_upstream[:count], inputs_and_upstream[count:]
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            plain = plan._replace(keep="nothing")
            results, _ = _forward.python_function(cell, plain, steps, mask, drop, *inputs)
        grads = inner.gradient(results, inputs, upstream, unconnected_gradients="zero")
    return outer.gradient(grads, inputs_and_upstream, further, unconnected_gradients="zero")


def compiled(function):
    """`function` as one XLA program, if there is a TensorFlow to compile it."""
    if keras.backend.backend() != "tensorflow":
        return function
    return tf.function(function, jit_compile=True, autograph=False, reduce_retracing=True)


@compiled
def _forward(cell, plan, steps, mask, drop, x, h, c, K, *extras):
    net = _Net(cell, K, drop, extras)
    x, mask = _time_major(x, plan, ones=plan.bias), _time_major(mask, plan)
    outputs, h, c, kept = _walk(net, x, mask, h, c, steps, plan.keep, plan.segment, plan.outputs)
    # The state before a step is the output of the step before.
    outputs = tf.transpose(outputs, (1, 0, 2)) if plan.outputs else tf.zeros((), x.dtype)
    return (outputs, h, c), kept


@compiled
def _backward(cell, plan, steps, mask, drop, kept, x, h, c, K, *extras_and_upstream):
    *extras, dy, dh, dc = extras_and_upstream
    net = _Net(cell, K, drop, extras)
    S, F = plan.segment, x.shape[-1]
    xs, masks = _time_major(x, plan, ones=plan.bias), _time_major(mask, plan)
    if plan.keep == "nothing":
        *_, kept = _walk(net, xs, masks, h, c, steps, "steps", S)
    xs, masks = _segments(xs, S), _segments(masks, S)
    dys = _segments(_time_major(dy, plan), S) if plan.outputs else None
    if plan.keep != "borders":
        kept = [_segments(k, S) for k in kept]
    last = (steps - 1) // S
    all_whole = isinstance(steps, int) and steps % S == 0
    wide = tf.float32 if K.dtype.size == 2 else K.dtype  # sums of halves lose too much

    def body(n, dh, dc, dx, *sums):
        mask = None if masks is None else masks[n]
        *z, hs, cs = [k[n] for k in kept]
        here = S if all_whole else tf.minimum(S, steps - n * S)
        if plan.keep == "borders":
            *_, (*z, hs, cs) = _walk(net, xs[n], mask, hs, cs, here, "steps", S)
        hx = tf.concat([hs, xs[n]], axis=-1)
        dy = None if dys is None else dys[n]
        dz, dh, dc, dextras = net.walk_back(z[0], hs, cs, mask, dy, dh, dc, here)
        grads = [net.kernel_gradient(hx, dz), *dextras]
        sums = [total + tf.cast(grad, wide) for total, grad in zip(sums, grads)]
        return n - 1, dh, dc, dx.write(n, net.back_to_x(dz)), *sums

    dx = tf.TensorArray(x.dtype, xs.shape[0] or tf.shape(xs)[0], element_shape=(S, x.shape[0], F))
    sums = [tf.zeros(tf.shape(w), wide) for w in (K, *extras)]
    _, dh, dc, dx, *sums = tf.while_loop(
        lambda n, *_: n >= 0, body, (tf.convert_to_tensor(last), dh, dc, dx, *sums)
    )
    dx = tf.reshape(dx.stack(), (-1, tf.shape(x)[0], F))[: tf.shape(x)[1]]
    sums = [tf.cast(total, K.dtype) for total in sums]
    return tf.transpose(dx, (1, 0, 2)), dh, dc, *sums


def _time_major(a, plan, ones=False):
    """`(batch, timesteps, ...)` to `(timesteps in whole segments, batch, ...)`."""
    if a is None:
        return None
    if len(a.shape) == 2:
        a = a[..., None]
    if ones:
        a = tf.concat([a, tf.ones_like(a[..., :1])], axis=-1)
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
    rows = x.shape[0] or tf.shape(x)[0]

    def room(count, width):
        return tf.TensorArray(h.dtype, count, element_shape=(h.shape[0], width))

    U, width = h.shape[1], net.K.shape[1]
    kept = {
        "nothing": [],
        "borders": [room(rows // segment + 1, U) for _ in range(2)],
        "steps": [room(rows, width), room(rows, U), room(rows, U)],
    }[keep]
    outputs = [room(rows, U)] if want_outputs else []

    def body(t, h, c, kept, outputs):
        z = net.z(tf.concat([h, x[t]], axis=-1))
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


class _Net:
    """A cell at given values of its weights: all that the two passes ask of it."""

    def __init__(self, cell, K, drop, extras):
        self.cell, self.K, self.drop, self.extras = cell, K, drop, list(extras)
        # Turned over once and not at every step.
        self.K_to_h = tf.transpose(K[: cell.units])
        self.K_to_x = tf.transpose(K[cell.units : cell.units + cell.kernel.shape[0]])

    def z(self, hx):
        """`[h, x, 1]`, `(..., batch, inputs)`, times `K`, each gate with its own dropout."""
        if self.drop is None:
            return _matmul(hx, self.K)
        blocks = tf.split(self.K, self.drop.shape[0], axis=1)
        return tf.concat([_matmul(hx * m, k) for m, k in zip(tf.unstack(self.drop), blocks)], -1)

    def back_to_h(self, dz):
        """The gradient of `h` in `[h, x, 1]`, from that of `z`."""
        drop = None if self.drop is None else self.drop[..., : self.cell.units]
        return _back(dz, self.K_to_h, drop)

    def back_to_x(self, dz):
        """The gradient of `x` in `[h, x, 1]`, from that of `z`."""
        U, F = self.cell.units, self.K_to_x.shape[1]
        return _back(dz, self.K_to_x, None if self.drop is None else self.drop[..., U : U + F])

    def kernel_gradient(self, hx, dz):
        if self.drop is None:
            return _matmul_over_steps(hx, dz)
        parts = zip(tf.unstack(self.drop), tf.split(dz, self.drop.shape[0], axis=-1))
        return tf.concat([_matmul_over_steps(hx * m, d) for m, d in parts], axis=1)

    def step(self, z, h, c):
        now = self._with_extras(self.cell.gates, z, [h, c])
        return now["hidden_state"], now["cell_state"]

    def _with_extras(self, method, *args):
        """Call a method of the cell that then sees `self.extras` for the values of its weights."""
        if not self.extras:
            return method(*args)
        with keras.StatelessScope(zip(_extra_weights(self.cell), self.extras)):
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
            dh_before = self.back_to_h(dzs.read(s))
            if mask is not None:
                dh_before += tf.where(~mask[s], dh, 0)
            return s - 1, dh_before, dc * c_by_c[s], dzs

        dzs = tf.TensorArray(z.dtype, z.shape[0], element_shape=z.shape[1:])
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
                results = _Net(self.cell, self.K, self.drop, sources[3:]).step(*sources[:3])
            upstream = [dh, dc] if m is None else [tf.where(m, dh, 0), tf.where(m, dc, 0)]
            dz, dh_before, dc_before, *more = tape.gradient(
                results, sources, upstream, unconnected_gradients="zero"
            )
            dh_before += self.back_to_h(dz)
            if m is not None:
                dh_before, dc_before = (
                    dh_before + tf.where(~m, dh, 0),
                    dc_before + tf.where(~m, dc, 0),
                )
            dextras = [total + d for total, d in zip(dextras, more)]
            return s - 1, dh_before, dc_before, dzs.write(s, dz), dextras

        dzs = tf.TensorArray(z.dtype, z.shape[0], element_shape=z.shape[1:])
        _, dh, dc, dzs, dextras = tf.while_loop(
            lambda s, *_: s >= 0,
            body,
            (tf.convert_to_tensor(steps - 1), dh, dc, dzs, [tf.zeros_like(w) for w in self.extras]),
        )
        return dzs.stack(), dh, dc, dextras


def _back(dz, K_transposed, drop):
    if drop is None:
        return _matmul(dz, K_transposed)
    gates = drop.shape[0]
    parts = zip(tf.unstack(drop), tf.split(dz, gates, axis=-1), tf.split(K_transposed, gates))
    return tf.add_n([m * _matmul(d, k) for m, d, k in parts])


def _matmul(a, b):
    if len(a.shape) == 2:
        return tf.matmul(a, b)
    flat = tf.matmul(tf.reshape(a, (-1, a.shape[2])), b)
    return tf.reshape(flat, (a.shape[0], tf.shape(a)[1], b.shape[1]))


def _matmul_over_steps(a, b):
    """`(timesteps, batch, m)` and `(timesteps, batch, n)` to `(m, n)`."""
    a, b = tf.reshape(a, (-1, a.shape[2])), tf.reshape(b, (-1, b.shape[2]))
    return tf.matmul(a, b, transpose_a=True)
