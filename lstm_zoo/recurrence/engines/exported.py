"""The plain loop in exported files, or the operation of a file's format for a recurrence."""

from lstm_zoo.backend import tf, wide
from lstm_zoo.recurrence.engines.base import Engine, register, why_only_keras
from lstm_zoo.recurrence.portable import list_of, target


@register
class Exported(Engine):
    """TensorFlow's plain loop, or the operation of a file's format for a recurrence."""

    name, what, place = "exported", "the plain loop of exported files", 0
    explained = False  # it is not chosen for speed

    def why_not(self, call):
        reason = why_only_keras(call)
        if reason is None and target() is None:
            return "no file is being written"
        return reason

    def run(self, call):
        outputs, states = run_in_file(target(), call.layer, call.sequences, call.states, call.mask)
        return call.result(outputs, states)


def run_in_file(target, layer, sequences, states, mask):
    """The output of every step and the last states of a layer, in a graph that goes into a file.

    Args:
        target: the file's format.
        layer: a layer whose cell is a `lstm_zoo.cells.Cell`.
        sequences: `(batch, timesteps, features)`.
        states: the states before the first step, each `(batch, width)`.
        mask: `(batch, timesteps)` of booleans, or None.
    """
    cell = layer.cell
    x = tf.cast(sequences, wide(cell.compute_dtype))
    mask = None if mask is None else tf.cast(mask, tf.bool)
    if layer.go_backwards:
        x, mask = tf.reverse(x, [1]), None if mask is None else tf.reverse(mask, [1])
    needs_states = layer.return_state or layer.stateful
    if (
        target.whole
        and cell.compute_dtype == "float32"
        and not (needs_states and not target.gives_states)
    ):
        results = _seen_steps_first(target, cell, x, states, mask)
        if results is not None:
            return results
    return _loop(target, cell, x, states, mask)


def _seen_steps_first(target, cell, x, states, mask):
    """The whole recurrence as one operation, which supports lengths but not masks.

    Unmasked steps move to the front of their row, and the results move back to their original
    steps. A masked step repeats the previous output.
    """
    if mask is None:
        return target.whole(cell, x, states, None)
    # Whole numbers are float32, because LiteRT for Microcontrollers can't add others up.
    seen = tf.cast(mask, tf.float32)
    count = tf.cumsum(seen, axis=1)
    order = _order(target, mask, count)
    count = tf.cast(count, tf.int32)
    lengths = tf.cast(tf.reduce_sum(seen, axis=1), tf.int32)
    results = target.whole(cell, tf.gather(x, order, batch_dims=1), states, lengths)
    if results is None:
        return None
    outputs, last = results
    before = tf.expand_dims(states[0], 1)
    outputs = tf.concat([before, outputs], axis=1)
    outputs = tf.gather(outputs, count, batch_dims=1)
    last = [outputs[:, -1], *last[1:]]  # some runtimes return the output of the very last step
    some = tf.expand_dims(lengths > 0, 1)
    return outputs, [tf.where(some, new, old) for new, old in zip(last, states)]


_MOST_COUNTED = 1024  # steps; more take too much memory


def _order(target, mask, count):
    """The unmasked steps of each row, then any others.

    Args:
        target: the file's format.
        mask: `(batch, timesteps)` of booleans.
        count: the number of unmasked steps so far, `(batch, timesteps)` in float32.
    """
    steps = mask.shape[1]
    if not target.sorts and steps is not None and steps <= _MOST_COUNTED:
        # As many steps come before unmasked step k as have counted at most k.
        before = count[:, None] <= tf.range(steps, dtype=tf.float32)[:, None]
        order = tf.reduce_sum(tf.cast(before, tf.float32), axis=-1)
        return tf.cast(tf.minimum(order, steps - 1.0), tf.int32)
    steps = tf.shape(mask)[1]
    place = tf.range(steps)
    order = tf.where(mask, place, place + steps)
    return tf.math.top_k(-tf.cast(order, tf.float32), steps).indices


def _loop(target, cell, x, states, mask):
    """Step after step."""
    x, extra = cell.split_inputs(tf.transpose(x, (1, 0, 2)))
    z_of_x = cell.project(x)
    mask = None if mask is None else tf.expand_dims(tf.transpose(mask), -1)
    steps = tf.shape(z_of_x)[0]
    width = cell.state_size[0]
    outputs = list_of(target, steps, (tf.shape(x)[1], width), x.dtype)

    def body(t, states, outputs):
        extra_now = {name: a[t] for name, a in extra.items()}
        now = cell.step(z_of_x[t] + cell.recur(states), states, **extra_now)
        after = [now[name] for name in cell.state_names]
        if mask is not None:
            after = [tf.where(mask[t], new, old) for new, old in zip(after, states)]
        return t + 1, after, outputs.write(t, after[0])

    states = [tf.cast(state, x.dtype) for state in states]
    _, states, outputs = tf.while_loop(
        lambda t, *_: t < steps, body, (tf.constant(0), states, outputs)
    )
    # Some runtimes join the outputs of a loop's steps where the standard stacks them.
    outputs = tf.reshape(outputs.stack(), [steps, tf.shape(x)[1], width])
    return tf.transpose(outputs, (1, 0, 2)), states
