"""`run` runs a cell over a batch of sequences; its gradient is the hand-written backward pass."""

from lstm_zoo.backend import needs_tensorflow, sees_a_gpu, tf, wide
from lstm_zoo.recurrence import bptt, native, portable
from lstm_zoo.recurrence.bound_cell import Dropout, variables_of
from lstm_zoo.recurrence.bptt import Batch, Shared
from lstm_zoo.recurrence.compiled import equal_cells_of, traced, two_features
from lstm_zoo.recurrence.segments import Plan, pad_to_bucket, segment_of
from lstm_zoo.recurrence.shards import in_shards

if tf is not None:
    # TensorFlow's only way to find out whether an outer function is compiled as a whole.
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext


def in_xla() -> bool:
    """Whether XLA compiles the function that is being traced."""
    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


@needs_tensorflow
def run(
    cell,
    sequences,
    states,
    mask=None,
    *,
    input_mask=None,
    recurrent_mask=None,
    drawn=None,
    training: bool = False,
    return_sequences: bool = False,
    go_backwards: bool = False,
    recompute: bool = False,
    use_native: bool = False,
) -> tuple:
    """Run a cell over a batch of sequences; its gradient is the hand-written backward pass.

    Args:
        cell: a built `lstm_zoo.cells.Cell`.
        sequences: `(batch, timesteps, features)`.
        states: the states before the first step, each `(batch, width)`, in the order of
            `state_names`.
        mask: `(batch, timesteps)` of booleans or None; a masked step keeps the states.
        input_mask: dropout mask of the input `(batch, features)`, a list of one per gate, or None.
        recurrent_mask: the same for the recurrent states, `(batch, width)`.
        drawn: the random numbers from the cell's `draw` for every step, by name, or None.
        training: whether to store the values that the backward pass needs. Without them, the
            backward pass starts with another forward pass.
        return_sequences: whether to return the output of every step.
        go_backwards: whether to go from the last step to the first.
        recompute: whether to store only the states at the borders of segments.
        use_native: whether the C operations may run the call, unless XLA compiles it or it is
            traced for a file.

    Returns:
        The outputs `(batch, timesteps, width)` in the order they were computed, or None without
        `return_sequences`; and the last states.

    Example:
        >>> import lstm_zoo as lz
        >>> cell = lz.LSTMCell(8)
        >>> cell.build((None, 3))
        >>> _, (h, c) = run(cell, tf.ones((2, 5, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(h.shape)
        (2, 8)
    """
    x, states = tf.cast(sequences, cell.compute_dtype), list(states)
    mask = None if mask is None else tf.cast(mask, tf.bool)[..., None]
    if go_backwards:
        x, mask = tf.reverse(x, [1]), None if mask is None else tf.reverse(mask, [1])
    x, extra_inputs = cell.split_inputs(x)
    drawn = {name: tf.cast(a, x.dtype) for name, a in (drawn or {}).items()}
    if input_mask is not None and not isinstance(input_mask, list):
        x, input_mask = x * input_mask[:, None], None
    drop = _dropout_of_all_gates(input_mask, recurrent_mask)
    weights = tf.nest.map_structure(
        lambda w: None if w is None else tf.cast(w, cell.compute_dtype), variables_of(cell)
    )
    compiled_around = in_xla()
    use_native = use_native and not (compiled_around or portable.target())
    if not sees_a_gpu():  # on a CPU half precision is slower and loses precision in sums
        tensors = x, extra_inputs, drawn, states, weights, drop
        x, extra_inputs, drawn, states, weights, drop = _cast(tensors, wide(cell.compute_dtype))
    if not use_native:
        x, kernel = two_features(x, weights.kernel)
        weights = weights._replace(kernel=kernel)
    batch = Batch(x, extra_inputs, drawn, states, mask, drop)
    # One program for all sizes: the C code does not need them, and eager calls have too many.
    any_size = use_native or tf.executing_eagerly()
    plan = Plan(
        segment=segment_of(None if any_size else x.shape[1], recompute),
        training=bool(training),
        recompute=recompute,
        outputs=return_sequences,
        split=not (use_native or compiled_around or sees_a_gpu()),
        native=use_native,
    )
    cells = equal_cells_of(cell)
    specs = _of_any_size(batch) if any_size else batch
    tensors = [a for a in tf.nest.flatten((batch, weights)) if a is not None]
    results = _differentiable.program(cells, plan, specs, weights)(*tensors)
    outputs, *states = [tf.cast(a, cell.compute_dtype) for a in results]
    for state in states:
        state.set_shape((x.shape[0], None))
    if not return_sequences:
        return None, states
    outputs.set_shape((*x.shape[:2], None))
    return outputs, states


def _cast(tensors, dtype):
    return tf.nest.map_structure(lambda a: None if a is None else tf.cast(a, dtype), tensors)


def _of_any_size(batch):
    """Tensor specifications that calls of all sizes share."""

    def unknown(axes, structure):
        def spec(a):
            return None if a is None else tf.TensorSpec([None] * axes + a.shape[axes:], a.dtype)

        return tf.nest.map_structure(spec, structure)

    in_time = batch.x, batch.extra_inputs, batch.drawn, batch.mask
    x, extra_inputs, drawn, mask = unknown(2, in_time)
    states, drop = unknown(1, (batch.states, batch.drop))
    return Batch(x, extra_inputs, drawn, states, mask, drop)


def _dropout_of_all_gates(input_mask, recurrent_mask):
    """`Dropout` from lists with one mask per gate or None; None if there are no masks."""
    if input_mask is None and recurrent_mask is None:
        return None
    return Dropout(
        *(
            None if masks is None else tf.stop_gradient(tf.stack(masks, axis=1))
            for masks in (recurrent_mask, input_mask)
        )
    )


if tf is not None:
    _forward = in_shards(traced(bptt.forward, jit_compile=True))
    _backward = in_shards(traced(bptt.backward, jit_compile=True))


def _with_gradient(cells, plan, batch, weights):
    """The outputs and the last states, in a graph; the backward pass is their gradient."""
    forward, backward = (native.forward, native.backward) if plan.native else (_forward, _backward)
    steps = batch.x.shape[1]
    if steps is None:
        steps = tf.shape(batch.x)[1]
        if not plan.native:
            every = batch.x, batch.extra_inputs, batch.drawn, batch.mask
            x, extra_inputs, drawn, mask = tf.nest.map_structure(pad_to_bucket, every)
            batch = Batch(x, extra_inputs, drawn, batch.states, mask, batch.drop)
    sources = (batch.x, batch.extra_inputs, batch.states, weights)
    given = (batch.drawn, batch.mask, batch.drop, steps)  # these get no gradient
    places = [a is not None for a in tf.nest.flatten(sources)]

    def inputs_of_a_pass(tensors, given):
        tensors, (drawn, mask, drop, steps) = iter(tensors), given
        flat = [next(tensors) if there else None for there in places]
        x, extra_inputs, states, weights = tf.nest.pack_sequence_as(sources, flat)
        return Batch(x, extra_inputs, drawn, states, mask, drop), Shared(steps, weights)

    @tf.custom_gradient
    def results(*tensors):
        # Tapes must not record inside the compiled passes, which would then store every value.
        passed = forward(cells, plan, *inputs_of_a_pass(tensors, given))
        kept = tf.nest.map_structure(tf.stop_gradient, passed.kept)

        def gradient(*upstream):
            # A gradient is a separate graph, and its own gradient only sees tensors in this graph.
            here = tf.nest.map_structure(lambda a: tf.identity(a) if tf.is_tensor(a) else a, given)

            @tf.custom_gradient
            def gradients(*inputs):
                batch, shared = inputs_of_a_pass(inputs, here)
                dy, *ds = inputs[len(tensors) :]
                back = backward(cells, plan, (batch, (dy, ds)), shared, kept)
                return [*tf.nest.flatten(back.per_sequence), *back.sums], lambda *further: second(
                    inputs, here, further
                )

            return gradients(*map(tf.identity, tensors), *upstream)

        return tf.nest.flatten(passed.per_sequence), gradient

    def second(inputs, given, further):
        """The gradient of the gradient, by autodiff of the plain loop: correct, but slow."""
        # Use tf.gradients, because tapes do not record during forward-mode differentiation.
        inputs, count = [tf.identity(a) for a in inputs], sum(places)
        batch, shared = inputs_of_a_pass(inputs, given)
        again = bptt.forward(cells, plan._replace(training=False), batch, shared)
        again, zero = tf.nest.flatten(again.per_sequence), {"unconnected_gradients": "zero"}
        grads = tf.gradients(again, inputs[:count], inputs[count:], **zero)
        return tf.gradients(grads, inputs, further, **zero)

    outputs, *states = results(*(a for a in tf.nest.flatten(sources) if a is not None))
    return [outputs[:, :steps], *states]


if tf is not None:
    _differentiable = traced(_with_gradient)
