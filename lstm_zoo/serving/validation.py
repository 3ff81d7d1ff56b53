"""Refuses a plan from a file whose steps would read or write outside of their arrays.

The C code trusts its plan. A file can come from anyone, so each step is held against the sizes of
its arrays and weights before it runs for the first time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from lstm_zoo.serving.packing import CELLS
from lstm_zoo.serving.plan import Plan, Size

MOST_VALUES, MOST_INPUTS = 512, 8
_MOST = (8, 4, 12, 6)  # inputs, outputs, options and weights of a step, as in serving.h
_LIMIT = 2**40  # numbers in an array of a row: far more than memory, far less than overflows


class _View(NamedTuple):
    """An array as a step sees it: the number of its size, what that is, its width."""

    size: int
    steps: Size
    width: int

    @property
    def total(self):
        """Numbers of a row where they are known, else None."""
        return None if self.steps.source is not None else self.steps.plus * self.width


def check(plan: Plan) -> None:
    """Refuse a plan that is not safe to run.

    Raises:
        ValueError: naming the step.
    """
    _want(len(plan.values) <= MOST_VALUES and 0 < len(plan.inputs) <= MOST_INPUTS, "the plan")
    for size in plan.sizes:
        _want(_whole(size.plus) and abs(size.plus) < _LIMIT, "a size")
        if size.source is None:
            _want(size.plus >= 1, "a size")
        else:
            _want(size.source in range(len(plan.inputs)), "a size")
            _want(size.axis == 1 and len(plan.inputs[size.source].shape) >= 1, "a size")
    for size, width in plan.values:
        _want(size in range(len(plan.sizes)) and _whole(width) and width >= 1, "an array")
        _want(width * max(1, plan.sizes[size].plus) < _LIMIT, "an array")
    for one, other in plan.alike:
        _want(one in range(len(plan.sizes)) and other in range(len(plan.sizes)), "the sizes")
    written = _check_inputs(plan)
    for number, step in enumerate(plan.steps):
        what = f"step {number}, {step.operation}"
        _check_numbers(plan, step, written, what)
        _want(step.operation in _RULES and _RULES[step.operation](_Step(plan, step)), what)
        written |= {k for k in step.outputs if k >= 0}
    _check_results(plan, written)


def _want(fits, what):
    if not fits:
        raise ValueError(f"{what} does not fit")


def _whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _check_inputs(plan):
    for number, one in enumerate(plan.inputs):
        _want(one.dtype in ("float32", "int32") and _whole(one.value), "an input")
        _want(one.value in range(len(plan.values)), "an input")
        size, width = plan.values[one.value]
        axes = [Size(0, number) if axis is None else axis for axis in one.shape]
        _want(all(isinstance(a, Size) or (_whole(a) and a > 0) for a in axes), "an input")
        _want(_fits(plan.sizes[size], width, axes), "an input")
    values = {one.value for one in plan.inputs}
    _want(len(values) == len(plan.inputs), "an input")
    return values


def _fits(steps, width, axes):
    """Whether an array of a size and a width holds these axes."""
    if any(isinstance(axis, Size) for axis in axes):
        return axes[0] == steps and math.prod(axes[1:]) == width
    if steps.source is not None:
        return False
    return steps.plus * width == math.prod(axes)


def _check_numbers(plan, step, written, what):
    given = (step.inputs, step.outputs, step.options, step.weights)
    _want(all(len(one) <= most for one, most in zip(given, _MOST)), what)
    _want(all(_whole(k) for one in given for k in one) and isinstance(step.number, float), what)
    _want(all(k == -1 or k in written for k in step.inputs), what)
    inputs = {one.value for one in plan.inputs}
    _want(all(-1 <= k < len(plan.values) and k not in inputs for k in step.outputs), what)
    _want(all(k in range(len(plan.weights)) for k in step.weights), what)
    _want(not {k for k in step.outputs if k >= 0} & set(step.inputs), what)


def _check_results(plan, written):
    values = [result.value for result in plan.results]
    _want(len(set(values)) == len(values) and set(values) <= written, "a result")
    _want(not set(values) & {one.value for one in plan.inputs}, "a result")
    for result in plan.results:
        size, width = plan.values[result.value]
        known = all(isinstance(a, Size) or (_whole(a) and a > 0) for a in result.shape)
        open_axes = [a for a in result.shape if isinstance(a, Size)]
        _want(known and all(a in plan.sizes for a in open_axes), "a result")
        _want(_fits(plan.sizes[size], width, list(result.shape)), "a result")


class _Step:
    """A step, and the sizes of what it reads and writes."""

    def __init__(self, plan, step):
        self._plan = plan
        self.inputs = [self._view(k) for k in step.inputs] + [None] * 8
        self.outputs = [self._view(k) for k in step.outputs] + [None] * 4
        self.options = [*step.options, *[0] * 12]
        self.shapes = [plan.weights[k].shape for k in step.weights]
        self.x, self.y = self.inputs[0], self.outputs[0]

    def _view(self, number):
        if number < 0:
            return None
        size, width = self._plan.values[number]
        return _View(size, self._plan.sizes[size], width)

    def same_steps(self, one, other):
        pair = [one.size, other.size]
        return one.size == other.size or pair in self._plan.alike or pair[::-1] in self._plan.alike

    def is_vector(self, view, width):
        """A line for each row, or nothing."""
        return view is None or (view.steps == Size(1) and view.width == width)

    def is_mask(self, view, of):
        return view is None or (view.width == 1 and self.same_steps(view, of))

    def alike(self):
        """Whether the first result is like the first input."""
        return self.x and self.y and self.x.size == self.y.size and self.x.width == self.y.width

    def repeats(self, view):
        """Whether a step of an array goes to each of the result, or one to all."""
        return view.steps == Size(1) or self.same_steps(view, self.y)


def _each(weights):
    """A rule: the result is like the input, with so many weights for each feature."""
    return lambda s: s.alike() and s.shapes == [(s.x.width,)] * weights


def _any(s):
    return s.x and s.y and s.x.size == s.y.size and s.y.width == 1


def _masking(s):
    return s.alike() and s.is_mask(s.outputs[1], s.x)


def _embedding(s):
    fits = s.x and s.y and s.x.size == s.y.size and s.x.width == 1
    return fits and s.options[0] >= 1 and s.shapes == [(s.options[0], s.y.width)]


def _recurrent(s):
    kind, units, column = s.options[0], s.options[1], s.options[4]
    sequence, last, *states = s.outputs[:4]
    if not (s.x and kind in range(len(CELLS)) and units >= 1 and column >= 0):
        return False
    gates = (4, 3, 1, 3)[kind]
    shapes = [(s.x.width, gates * units), (units, gates * units), (gates * units,)]
    if kind == 1:
        shapes[2] = (2, gates * units)
    with_peepholes = [*shapes, (3, units)]
    return (
        (s.shapes == shapes or (kind == 0 and s.shapes == with_peepholes))
        and s.is_mask(s.inputs[1], s.x)
        and all(s.is_vector(one, units) for one in (*s.inputs[2:4], *states))
        and (kind == 0 or (s.inputs[3] is None and states[1] is None))
        and (sequence is None or (sequence.size == s.x.size and column + units <= sequence.width))
        and (last is None or (last.steps == Size(1) and column + units <= last.width))
        and (sequence is None or last is None)
    )


def _constant(s):
    return s.y and s.shapes == [(s.y.width,)] and s.is_vector(s.y, s.y.width)


def _best_path(s):
    tags = (s.x.width,) if s.x else ()
    return s.alike() and s.is_mask(s.inputs[1], s.x) and s.shapes == [tags * 2, tags, tags]


def _dense(s):
    fits = s.x and s.y and s.x.size == s.y.size
    return fits and s.shapes == [(s.x.width, s.y.width), (s.y.width,)]


def _convolution(s):
    _, size, before = s.options[:3]
    fits = s.x and s.y and 1 <= size < _LIMIT and 0 <= before < size
    return fits and s.shapes == [(size, s.x.width, s.y.width), (s.y.width,)]


def _pooling(s):
    return s.x and s.y and s.is_vector(s.y, s.x.width) and s.is_mask(s.inputs[1], s.x)


def _attention(s):
    units = s.options[0]
    shapes = [(s.x.width, units), (units,), (units,)]
    return _pooling(s) and units >= 1 and s.shapes == shapes


def _pooling_step(s, carried=1):
    """`carried` is how many states are one number."""
    states = s.inputs[2 : 3 + carried]
    if not (_pooling(s) and s.x.steps == Size(1) and all(states)):
        return False
    after = s.outputs[1 : 2 + carried]
    widths = [s.x.width, *[1] * carried]
    pairs = zip([*states, *after], widths * 2)
    return all(after) and all(s.is_vector(one, width) for one, width in pairs)


def _attention_step(s):
    return _attention(s) and _pooling_step(s, carried=2)


def _combine(s):
    a, b, y = s.x, s.inputs[1], s.y
    if not (a and b and y and 0 <= s.options[0] <= 5):
        return False
    each = all(n >= 1 and (y.width - 1) // n < one.width for n, one in zip(s.options[1:3], (a, b)))
    return each and s.repeats(a) and s.repeats(b)


def _copy(s):
    column, start, place, count, _, flat = s.options[:6]
    if not (s.x and s.y and min(column, start, place) >= 0):
        return False
    if flat:
        return s.x.total is not None and s.x.total == s.y.total
    if column + s.x.width > s.y.width:
        return False
    if count < 0:
        return s.repeats(s.x)
    known = s.x.total is not None and s.y.total is not None
    return known and start + count <= s.x.steps.plus and place + count <= s.y.steps.plus


def _window_scale(s):
    vectors = all(s.is_vector(one, s.x.width) for one in s.outputs[1:3])
    return _each(1)(s) and vectors and s.is_mask(s.inputs[1], s.x)


def _seasonal(s):
    season, targets = s.options[:2]
    if not (s.x and s.y and s.y.total and 1 <= targets <= s.x.width and s.y.total % targets == 0):
        return False
    known = s.x.total is not None
    if not (season == 1 or (known and 1 <= season <= s.x.steps.plus)):
        return False
    kernel = known and s.shapes == [(s.x.steps.plus, s.y.total // targets)]
    return (kernel or not s.shapes) and s.is_mask(s.inputs[1], s.x)


def _scaled_back(s):
    targets, each = s.options[:2]
    vectors = [one and one.steps == Size(1) and one.width >= targets for one in s.inputs[1:3]]
    same = all(vectors) and s.inputs[1].width == s.inputs[2].width
    return s.alike() and targets >= 1 and each >= 1 and same


def _permute(s):
    fits = s.x and s.y and s.x.total is not None and s.y.total is not None
    return fits and (s.x.steps.plus, s.x.width) == (s.y.width, s.y.steps.plus)


def _dot_attention(s):
    value, key, query_mask, mask = s.inputs[1:5]
    if not (s.x and value and key and s.y):
        return False
    widths = key.width == s.x.width and s.y.width == value.width
    steps = s.same_steps(key, value) and s.y.size == s.x.size
    return widths and steps and s.is_mask(query_mask, s.x) and s.is_mask(mask, value)


_RULES = {
    "affine": _each(3),
    "not_equal": _each(0),
    "any": _any,
    "masking": _masking,
    "embedding": _embedding,
    "recurrent": _recurrent,
    "dense": _dense,
    "activation": _each(0),
    "mean": _pooling,
    "maximum": _pooling,
    "attention": _attention,
    "layer_norm": _each(2),
    "combine": _combine,
    "copy": _copy,
    "window_scale": _window_scale,
    "seasonal": _seasonal,
    "scaled_back": _scaled_back,
    "convolution": _convolution,
    "permute": _permute,
    "dot_attention": _dot_attention,
    "mean_step": _pooling_step,
    "maximum_step": _pooling_step,
    "attention_step": _attention_step,
    "constant": _constant,
    "best_path": _best_path,
}
