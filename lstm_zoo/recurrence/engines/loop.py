"""A step-by-step loop in keras.ops, for JAX, PyTorch and unrolled loops."""

import keras
from keras import ops

from lstm_zoo.backend import wide
from lstm_zoo.recurrence.engines.base import Engine, register, why_only_keras
from lstm_zoo.recurrence.engines.call import over_time


@register
class Loop(Engine):
    """A loop that every backend of Keras runs."""

    name, what, place = "loop", "the loop of lstm_zoo, step by step", 500

    def why_not(self, call):
        return why_only_keras(call)

    def run(self, call):
        outputs, states = run_in_loop(
            call.cell,
            call.sequences,
            call.states,
            call.mask,
            **call.random_arguments(),
            go_backwards=call.layer.go_backwards,
            unroll=call.layer.unroll,
        )
        return call.result(outputs, states)


def run_in_loop(
    cell,
    sequences,
    states,
    mask=None,
    *,
    input_mask=None,
    recurrent_mask=None,
    drawn=None,
    go_backwards: bool = False,
    unroll: bool = False,
) -> tuple:
    """Run a cell over a batch of sequences; takes the arguments of `recurrence.run`.

    With `unroll`, the number of timesteps must be known; on JAX and PyTorch it always is. In half
    precision, the states and everything else between two steps are float32.

    Returns:
        The outputs `(batch, timesteps, width)` in the order they were computed, and the last
        states.

    Example:
        >>> import lstm_zoo as lz
        >>> cell = lz.LSTMCell(8)
        >>> cell.build((None, 3))
        >>> states = cell.get_initial_state(2)
        >>> outputs, _ = run_in_loop(cell, ops.ones((2, 5, 3)), states, unroll=True)
        >>> tuple(outputs.shape)
        (2, 5, 8)
    """
    x = ops.cast(sequences, wide(cell.compute_dtype))
    if go_backwards:
        x, mask = ops.flip(x, axis=1), None if mask is None else ops.flip(mask, axis=1)
    x, extra = cell.split_inputs(x)
    extra |= {name: ops.cast(a, x.dtype) for name, a in (drawn or {}).items()}
    # The input's part of z is one product for all steps.
    every = {"z": cell.project(x, over_time(input_mask)), "extra": extra}
    every |= {} if mask is None else {"mask": mask}
    every = keras.tree.map_structure(lambda a: ops.swapaxes(a, 0, 1), every)

    def step(states, now):
        z = now["z"] + cell.recur(states, recurrent_mask)
        values = cell.step(z, states, **now["extra"], **cell.dropout_of_step(recurrent_mask))
        after = [values[name] for name in cell.state_names]
        if mask is not None:
            seen = ops.expand_dims(ops.cast(now["mask"], "bool"), -1)
            after = [ops.where(seen, new, old) for new, old in zip(after, states)]
        return after, after[0]

    states = [ops.cast(state, x.dtype) for state in states]
    if not unroll:
        states, outputs = ops.scan(step, states, every)
        return ops.swapaxes(outputs, 0, 1), states
    outputs = []
    for t in range(sequences.shape[1]):
        states, output = step(states, keras.tree.map_structure(lambda a, t=t: a[t], every))
        outputs.append(output)
    return ops.stack(outputs, axis=1), states
