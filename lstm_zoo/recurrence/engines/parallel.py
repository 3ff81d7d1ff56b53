"""All steps side by side, for cells whose gates see the input alone.

Their states are a linear recurrence, which a scan over time computes in as many rounds as the
number of steps has binary digits (Hillis & Steele 1986; Martin & Cundy 2018,
https://arxiv.org/abs/1709.04057), or a cell says itself what all steps are (`in_parallel`).
"""

from keras import ops

from lstm_zoo.backend import sees_a_gpu, wide
from lstm_zoo.recurrence.engines.base import Engine, register
from lstm_zoo.recurrence.engines.call import over_time

LONGEST = 512  # steps; the parallel form of a matrix memory takes memory with their square


@register
class Parallel(Engine):
    """A scan over time, or what a cell says that all its steps are."""

    name, what, place = "parallel", "all steps side by side", 300
    label = "XLA, parallel"  # XLA where the number of timesteps is open

    def made_for(self, cell_class):
        return is_parallel(cell_class)

    def why_not(self, call):
        cell, wanted = call.cell, getattr(call.layer, "parallel", False)
        if not is_parallel(cell):
            return "the gates of its cell see the states"
        if not wanted:
            return "parallel=False"
        if wanted == "auto" and not (sees_a_gpu() or hasattr(cell, "in_parallel")):
            return "on a CPU one step after the other is quicker"
        if call.layer.unroll:
            return "unroll=True asks for a loop that is written out"
        if serves(cell, call.timesteps):
            return None
        return f"it serves where {limit(cell)}"

    def in_words(self, call):
        return f"{self.what} where {limit(call.cell)}"

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
    """Whether a cell says how all its steps are computed side by side."""
    return hasattr(cell, "coefficients") or hasattr(cell, "in_parallel")


def serves(cell, timesteps: int | None) -> bool:
    """Whether so many timesteps are computed side by side; None stands for an open number."""
    return timesteps is not None and (hasattr(cell, "coefficients") or timesteps <= LONGEST)


def limit(cell) -> str:
    """The condition of `serves` in words."""
    known = "the number of timesteps is known"
    return known if hasattr(cell, "coefficients") else f"{known} and at most {LONGEST}"


def linear_scan(a, b, h):
    r"""All :math:`h_t = a_t h_{t-1} + b_t` at once.

    Args:
        a, b: `(batch, timesteps, width)`, the number of timesteps known.
        h: before the first step, `(batch, width)`.

    Returns:
        `(batch, timesteps, width)`.

    Example:
        >>> ones = ops.ones((1, 4, 1))
        >>> linear_scan(0.5 * ones, ones, ops.zeros((1, 1)))[0, :, 0].numpy().tolist()
        [1.0, 1.5, 1.75, 1.875]
    """
    distance = 1
    while distance < a.shape[1]:  # a step now stands for `distance` steps, itself the last
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
    """Run such a cell over a batch of sequences; arguments and result as of `recurrence.run`."""
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
    """The outputs, at a masked step that of the last step that counts, or the first state."""
    if mask is None:
        return outputs
    places = ops.arange(outputs.shape[1])
    before = ops.expand_dims(places, 1) >= ops.expand_dims(places, 0)
    counted = ops.logical_and(before, ops.expand_dims(mask, 1))
    last = ops.max(ops.where(counted, places + 1, 0), axis=-1)
    outputs = ops.concatenate([ops.expand_dims(first, 1), outputs], axis=1)
    return ops.take_along_axis(outputs, ops.expand_dims(last, -1), axis=1)
