"""Leaves out the operations that only move axes between a recurrent layer and what reads it.

ONNX's nodes have time before batch, and an axis for directions. A file therefore moves axes around
each node, and so does this package around the layer. Where the moves cancel out, the layer's own
output takes the place of theirs, so that a plain stack opens as a plain stack of layers.

A layout names the axes of a tensor: "b" for batch, "t" for time, "d" for directions, "u" for units,
"du" for both in one axis, and "" for an axis of size 1.
"""

from typing import Any, NamedTuple

import numpy as np

from lstm_zoo.weights.onnx_moves import given


class Moved(NamedTuple):
    """A tensor that holds a recurrent layer's outputs with other axes.

    Attributes:
        tensor: the tensor, kept alive so that its id stays its own.
        outputs: the layer's outputs, `(batch, timesteps, directions * units)`.
        layout: the axes of `tensor`.
        last: the layer's last output, `(batch, units)`, if it equals the last timestep.
    """

    tensor: Any
    outputs: Any
    layout: tuple[str, ...]
    last: Any


class Layouts:
    """The tensors that hold outputs or states of recurrent layers, by their ids."""

    def __init__(self):
        self._outputs: dict[int, Moved] = {}
        self._states: dict[int, tuple[Any, list[Any]]] = {}
        self._inputs: dict[tuple[int, int], tuple[Any, tuple[str, ...]]] = {}

    def add_outputs(self, tensor, outputs, directions: int, last) -> None:
        """Enter a node's first output, `(timesteps, directions, batch, units)`."""
        both = directions == 2
        for one, layout in [
            (tensor, ("t", "d" if both else "", "b", "u")),
            (outputs, ("b", "t", "du" if both else "u")),
        ]:
            self._outputs[id(one)] = Moved(one, outputs, layout, last)

    def add_input(self, tensor, outputs, *layout: str) -> None:
        """Enter the layer's input, whose first two axes have the sizes of those of the outputs."""
        self._inputs[id(tensor), id(outputs)] = tensor, layout

    def add_states(self, tensor, states: list) -> None:
        """Enter a node's last states, `(directions, batch, units)`, which are these tensors."""
        self._states[id(tensor)] = tensor, states

    def without_moves(self, operator, attributes, inputs) -> Any:
        """The tensor that an operation leads back to, or None."""
        tensor, *rest = inputs
        if id(tensor) in self._states:
            return _one_state(self._states[id(tensor)][1], operator, attributes, rest)
        moved = self._outputs.get(id(tensor))
        if moved is None:
            return None
        layout = self._after(moved, operator, attributes, rest)
        if layout in (("b", "t", "u"), ("b", "t", "du")):
            return moved.outputs
        return moved.last if layout == ("b", "u") else None

    def follow(self, operator, attributes, inputs, result) -> None:
        """Enter the result of an operation if it only moves axes."""
        moved = self._outputs.get(id(inputs[0]))
        layout = moved and self._after(moved, operator, attributes, inputs[1:])
        if moved and layout:
            self._outputs[id(result)] = moved._replace(tensor=result, layout=layout)

    def _after(self, moved: Moved, operator, attributes, rest):
        """The layout after an operation; None if it does more than move axes."""
        layout, rank = moved.layout, len(moved.layout)
        if not all(isinstance(one, np.ndarray) for one in rest):
            return None
        if operator == "Transpose":
            perm = attributes.get("perm") or list(range(rank))[::-1]
            return tuple(layout[axis] for axis in perm)
        if operator == "Reshape":
            return self._reshaped(moved, rest[0], attributes)
        if operator in ("Gather", "Slice"):
            return _last_step(moved, operator, attributes, rest)
        axes = given(attributes, "axes", rest[0] if rest else None) or []
        if operator == "Unsqueeze":
            left, rank = list(layout), rank + len(axes)
            new = {axis % rank for axis in axes}
            return tuple("" if axis in new else left.pop(0) for axis in range(rank))
        gone = {axis % rank for axis in axes}
        if operator != "Squeeze" or not gone or any(layout[axis] for axis in gone):
            return None
        return tuple(name for axis, name in enumerate(layout) if axis not in gone)

    def _reshaped(self, moved: Moved, sizes, attributes):
        """The layout after the directions and the units became one axis, or axes of 1 went."""
        target = tuple(name for name in moved.layout if name)
        at = [k for k in range(len(target) - 1) if target[k : k + 2] == ("d", "u")]
        if at:
            target = (*target[: at[0]], "du", *target[at[0] + 2 :])
        if (
            "d" in target
            or sizes.ndim != 1
            or len(sizes) != len(target)
            or attributes.get("allowzero")
        ):
            return None
        guessed = [size for size in sizes if isinstance(size, (int, np.integer)) and size == -1]
        fits = all(
            self._is_size(moved, size, name, axis)
            for axis, (size, name) in enumerate(zip(sizes, target))
        )
        return target if fits and len(guessed) <= 1 else None

    def _is_size(self, moved, size, name, axis):
        """Whether the requested size of a Reshape equals the size of an axis."""
        if isinstance(size, (int, np.integer)):
            known = moved.outputs.shape[{"b": 0, "t": 1}.get(name, 2)]
            return size == -1 or (size == 0 and moved.layout[axis] == name) or size == known
        of = self._outputs.get(id(size.tensor))
        if of is not None and of.outputs is moved.outputs:
            return of.layout[size.axis] == name
        _, layout = self._inputs.get((id(size.tensor), id(moved.outputs)), (None, ()))
        return layout[size.axis : size.axis + 1] == (name,)


def _last_step(moved: Moved, operator, attributes, rest):
    """The layout after an operation that takes just the last step."""
    if moved.last is None or "t" not in moved.layout:
        return None
    time, rank = moved.layout.index("t"), len(moved.layout)
    before, after = moved.layout[:time], moved.layout[time + 1 :]
    if operator == "Gather":
        taken = _taken(attributes, rest)
        is_last = taken is not None and (taken[0] % rank, taken[1]) == (time, -1)
        return before + after if is_last else None
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (
        given(attributes, name, value) for name, value in zip(names, [*rest, *[None] * 4])
    )
    last = starts == [-1] and ends[0] >= 2**31 - 1 and axes in ([time], [time - rank])
    return (*before, "", *after) if last and steps in (None, [1]) else None


def _one_state(states, operator, attributes, rest):
    """The state of one direction, if an operation takes just this."""
    if operator == "Squeeze" and len(states) == 1:
        axes = given(attributes, "axes", rest[0] if rest else None)
        return states[0] if axes in ([0], [-3]) else None
    if operator == "Reshape" and len(states) == 1 and isinstance(rest[0], np.ndarray):
        sizes = list(rest[0].ravel())
        return states[0] if len(sizes) == 2 and sizes[1] == states[0].shape[1] else None
    taken = _taken(attributes, rest) if operator == "Gather" else None
    if taken is None or taken[0] not in (0, -3):
        return None
    return states[taken[1]] if -len(states) <= taken[1] < len(states) else None


def _taken(attributes, rest):
    """The axis and the single index of a Gather, or None."""
    [index] = rest
    if not isinstance(index, np.ndarray) or index.ndim or index.dtype == object:
        return None
    return attributes.get("axis", 0), int(index)
