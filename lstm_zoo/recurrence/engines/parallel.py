"""Computes all steps in parallel, for cells whose gates only see the input.

The states of these cells are a linear recurrence, which a parallel scan computes in about
log2(timesteps) rounds (Hillis & Steele 1986; Martin & Cundy 2018,
https://arxiv.org/abs/1709.04057). Other cells define all steps themselves (`in_parallel`).
"""

from keras import ops

from lstm_zoo.backend import sees_a_gpu, wide
from lstm_zoo.recurrence.engines.base import Engine, register
from lstm_zoo.recurrence.engines.call import over_time

LONGEST = 512  # steps; the memory of a parallel matrix memory grows with their square


@register
class Parallel(Engine):
    """A parallel scan over time, or the cell's own parallel form."""

    name, what, place = "parallel", "the parallel form of lstm_zoo, all steps at once", 300
    label = "XLA, parallel"  # XLA if the number of timesteps is unknown

    def made_for(self, cell_class):
        return is_parallel(cell_class)

    def why_not(self, call):
        cell, wanted = call.cell, getattr(call.layer, "parallel", False)
        if not is_parallel(cell):
            return "the gates of its cell see the states"
        if not wanted:
            return "parallel=False"
        if wanted == "auto" and not (sees_a_gpu() or hasattr(cell, "in_parallel")):
            return "on a CPU a loop is faster"
        if call.layer.unroll:
            return "unroll=True asks for an unrolled loop"
        if serves(cell, call.timesteps):
            return None
        return f"it only runs if {limit(cell)}"

    def in_words(self, call):
        return f"{self.what} if {limit(call.cell)}"

    def run(self, call):
        random = call.random_arguments()
        outputs, states = run_in_parallel(
            call.cell,
            call.sequences,
            call.states,
            call.mask,
            input_mask=random["input_mask"],
            drawn=random["drawn"],
            go_backwards=call.layer.go_backwards,
        )
        return call.result(outputs, states)


def is_parallel(cell) -> bool:
    """Whether a cell defines how to compute all steps in parallel."""
    return hasattr(cell, "coefficients") or hasattr(cell, "in_parallel")


def serves(cell, timesteps: int | None) -> bool:
    """Whether this number of timesteps is computed in parallel; None means unknown."""
    return timesteps is not None and (hasattr(cell, "coefficients") or timesteps <= LONGEST)


def limit(cell) -> str:
    """The condition of `serves` in words."""
    known = "the number of timesteps is known"
    return known if hasattr(cell, "coefficients") else f"{known} and at most {LONGEST}"


def linear_scan(a, b, h):
    r"""Compute all :math:`h_t = a_t h_{t-1} + b_t` at once.

    Args:
        a, b: `(batch, timesteps, width)`, with a known number of timesteps.
        h: the state before the first step, `(batch, width)`.

    Returns:
        `(batch, timesteps, width)`.

    Example:
        >>> ones = ops.ones((1, 4, 1))
        >>> linear_scan(0.5 * ones, ones, ops.zeros((1, 1)))[0, :, 0].numpy().tolist()
        [1.0, 1.5, 1.75, 1.875]
    """
    distance = 1
    while distance < a.shape[1]:  # each step now combines `distance` steps and is the last of them
        before = [[0, 0], [distance, 0], [0, 0]]
        b = b + a * ops.pad(b[:, :-distance], before)
        a = a * ops.pad(a[:, :-distance], before, constant_values=1)
        distance *= 2
    return a * ops.expand_dims(h, 1) + b


def run_in_parallel(
    cell,
    sequences,
    states,
    mask=None,
    *,
    input_mask=None,
    drawn=None,
    go_backwards: bool = False,
):
    """Run such a cell over a batch of sequences; takes and returns the same as `recurrence.run`."""
    x = ops.cast(sequences, wide(cell.compute_dtype))
    if go_backwards:
        x, mask = ops.flip(x, axis=1), None if mask is None else ops.flip(mask, axis=1)
    x, extra = cell.split_inputs(x)
    extra |= {name: ops.cast(a, x.dtype) for name, a in (drawn or {}).items()}
    z = cell.project(x, over_time(input_mask))
    states = [ops.cast(state, x.dtype) for state in states]
    mask = None if mask is None else ops.cast(mask, "bool")
    if hasattr(cell, "in_parallel"):
        outputs, after = cell.in_parallel(z, states, mask, **extra)
        outputs = _carried(outputs, states[0], mask)
        states = [outputs[:, -1], *after[1:]]
    else:
        a, b, _ = cell.coefficients(z, **extra)
        if mask is not None:
            seen = ops.expand_dims(mask, -1)
            a, b = ops.where(seen, a, 1), ops.where(seen, b, 0)
        outputs = linear_scan(a, b, states[0])
        states = [outputs[:, -1]]
    return outputs, states


def _carried(outputs, first, mask):
    """The outputs; a masked step repeats the last unmasked output, or the initial state."""
    if mask is None:
        return outputs
    places = ops.arange(outputs.shape[1])
    before = ops.expand_dims(places, 1) >= ops.expand_dims(places, 0)
    counted = ops.logical_and(before, ops.expand_dims(mask, 1))
    last = ops.max(ops.where(counted, places + 1, 0), axis=-1)
    outputs = ops.concatenate([ops.expand_dims(first, 1), outputs], axis=1)
    return ops.take_along_axis(outputs, ops.expand_dims(last, -1), axis=1)
