"""The nodes of an ONNX graph, one after another, on Keras's symbolic tensors.

A value is a `KerasTensor`, or an array where it is the same in every call. An array of sizes may
hold a `Size` where a size is known at run time only.
"""

import dataclasses
import math
import re
from typing import Any

import numpy as np

from lstm_zoo.opening.layouts import Layouts
from lstm_zoo.opening.operation import ONNXOperation, slot_of
from lstm_zoo.opening.operations import OPERATIONS
from lstm_zoo.opening.recurrent import called, layer_of
from lstm_zoo.opening.usual import Usual
from lstm_zoo.weights.onnx_file import Graph, name_of
from lstm_zoo.weights.onnx_moves import MOVES, size_after
from lstm_zoo.weights.onnx_nodes import Node, is_recurrent

_MOVES = ["Cast", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"]
_OF_SIZES = [*_MOVES, "Concat", "Split"]
_MOST = 2**24  # numbers of a constant that an operation makes of others


@dataclasses.dataclass(frozen=True, eq=False)
class Size:
    """The size of a tensor along an axis, where it is not known before the call."""

    tensor: Any
    axis: int


class Unknown:
    """The value of a node that can't be computed, or that reads one."""


class Values:
    """The values of a graph by name, as they are computed.

    Args:
        version: of the operations of ONNX.
        used: by the name of a recurrent layer the indices of the outputs that the model needs,
            where they are known.

    Attributes:
        problems: what is wrong with the nodes that can't be computed, in their order.
    """

    def __init__(self, version: int, used: dict[str, set[int]]):
        self.version, self.used = version, used
        self.layouts, self.usual = Layouts(), Usual()
        self.problems: list[str] = []
        self._names: set[str] = set()
        self._zeros: dict[int, Any] = {}  # tensors by their ids
        self._turned: dict[int, Any] = {}  # by the id of a transposed tensor: what it was, the axes

    def run(self, graph: Graph, known: dict[str, Any]) -> dict[str, Any]:
        """All values of a graph by name; `known` are those from outside and its inputs."""
        values = dict(known)

        def value(name):
            if not name:
                return None
            if name not in values:
                values[name] = graph.constant(name)
            if values[name] is None:
                self.problems.append(f"{name!r} is missing")
                values[name] = Unknown()
            return values[name]

        for node in graph.proto.node:
            if node.op_type == "If" and not node.domain:
                outputs = self._branch(node, graph, value(node.input[0]), values)
            else:
                inputs = [value(name) for name in node.input]
                outputs = self._outputs(node, graph, inputs)
            values.update(zip(node.output, outputs))
            for name, output in zip(node.output, outputs):
                if isinstance(output, np.ndarray) and output.dtype != object:
                    graph.fixed[name] = output
        for output in graph.proto.output:
            value(output.name)
        return values

    def _branch(self, node, graph, condition, values):
        if not isinstance(condition, (np.ndarray, Unknown)):
            self.problems.append(
                f"If {name_of(node)!r}, whose condition is known at run time only (an input may "
                "be fixed by constants, a size by shapes)"
            )
        if not isinstance(condition, np.ndarray):
            return [Unknown()] * len(node.output)
        taken = "then_branch" if condition.all() else "else_branch"
        inside = graph.inside(node)[taken]
        found = self.run(inside, values)
        return [found[output.name] for output in inside.proto.output]

    def _outputs(self, node, graph, inputs):
        if any(isinstance(value, Unknown) for value in inputs):
            return [Unknown()] * len(node.output)
        try:
            if is_recurrent(node):
                return self._recurrent(Node(node, graph), inputs)
            return self._of_operation(node, graph, inputs)
        except Exception as problem:  # whatever NumPy, Keras or TensorFlow say
            self.problems.append(f"{node.op_type} {name_of(node)!r} ({_cause(problem)})")
            return [Unknown()] * len(node.output)

    def _of_operation(self, node, graph, inputs):
        if node.domain not in ("", "ai.onnx") or node.op_type not in {*OPERATIONS, "Shape"}:
            raise ValueError("no such operation is known")
        attributes = graph.file.attributes(node) | {"version": self.version}
        if node.op_type == "Shape":
            return [self._sizes(inputs[0], attributes)]
        if node.op_type == "Size":
            inputs = [self._sizes(inputs[0], {})]
            return [np.asarray(np.prod(inputs[0].astype("int64")))]
        if all(value is None or _is_constant(value) for value in inputs):
            return self._constant(node.op_type, attributes, inputs)
        of_sizes = all(value is None or isinstance(value, np.ndarray) for value in inputs)
        if of_sizes and node.op_type in _OF_SIZES:
            return self._of_sizes(node.op_type, attributes, inputs)
        return self._layer(node, attributes, inputs)

    def _of_sizes(self, operator, attributes, inputs):
        """An operation that moves sizes, some of which are known at run time only."""
        result = inputs[0] if operator == "Cast" else MOVES[operator](np, attributes, *inputs)
        if not isinstance(result, (list, np.ndarray)):  # a single one, taken out of an array
            result = _of_objects([result]).reshape(())
        return [_settled(one) for one in (result if isinstance(result, list) else [result])]

    def _constant(self, operator, attributes, inputs):
        if size_after(operator, inputs) > _MOST:
            raise ValueError("the result would be too large")
        result = OPERATIONS[operator](np, attributes, *inputs)
        return [np.asarray(one) for one in (result if isinstance(result, list) else [result])]

    def _sizes(self, x, attributes):
        rank = len(x.shape)
        sizes = [Size(x, axis) if size is None else size for axis, size in enumerate(x.shape)][
            slice(attributes.get("start", 0), attributes.get("end", rank))
        ]
        return _settled(_of_objects(sizes))

    def _layer(self, node, attributes, inputs):
        """The outputs of a layer of Keras."""
        operator = node.op_type
        if operator == "ConstantOfShape":
            fill = np.ravel(attributes.pop("value", np.zeros(1, "float32")))[0]
            operator, inputs = "Expand", [np.asarray(fill), *inputs]
        is_zero = (
            (operator in _MOVES and id(inputs[0]) in self._zeros)
            or (operator == "Concat" and all(id(one) in self._zeros for one in inputs))
            or (operator == "Expand" and id(inputs[0]) in self._zeros)
            or (operator == "Expand" and _is_constant(inputs[0]) and not np.any(inputs[0]))
        )
        result = self.usual.output(operator, attributes, inputs, lambda: self.named(name_of(node)))
        if result is None:
            result = self.apply(operator, attributes, *inputs, name=name_of(node))
        outputs = list(result) if isinstance(result, (list, tuple)) else [result]
        if is_zero:
            self._zeros |= {id(output): output for output in outputs}
        return outputs

    def apply(self, operator, attributes, *inputs, name=""):
        """An operation as a layer, on tensors, constants and sizes."""
        direct = self.layouts.without_moves(operator, attributes, inputs)
        if direct is not None:
            return direct
        if operator == "Transpose":
            perm = attributes.get("perm") or list(range(len(inputs[0].shape)))[::-1]
            _, source, first = self._turned.get(id(inputs[0]), (None, None, None))
            if source is not None and [first[k] for k in perm] == sorted(perm):
                return source
        if operator == "Reshape" and _is_constant(inputs[1]):
            inputs = (inputs[0], _without_guess(inputs[0].shape, inputs[1], attributes))
        tensors: list[Any] = []

        def place_of(tensor):
            for k, other in enumerate(tensors):
                if other is tensor:
                    return k
            tensors.append(tensor)
            return len(tensors) - 1

        slots: list[Any] = []
        weights = []
        for value in inputs:
            if value is None:
                slots.append(None)
            elif not isinstance(value, np.ndarray):
                slots.append({"tensor": place_of(value)})
            elif _is_constant(value):
                slots.append(slot_of(value))
                if operator in ("Reshape", "Expand") and len(slots) == 2:
                    slots[1] = {"sizes": [int(size) for size in value]}
                if "weight" in slots[-1]:
                    weights.append(value)
            else:
                sizes = [
                    [place_of(s.tensor), s.axis] if isinstance(s, Size) else int(s)
                    for s in value.ravel()
                ]
                slots.append({"sizes": sizes, "scalar": value.ndim == 0})
                unknown = sum(isinstance(s, list) for s in sizes)
                if operator == "Reshape" and unknown == 1 and -1 not in sizes:
                    slots[-1]["sizes"] = [-1 if isinstance(s, list) else s for s in sizes]
        plain = {k: v for k, v in attributes.items() if not isinstance(v, np.ndarray)}
        layer = ONNXOperation(operator, plain, slots, name=self.named(name or operator))
        layer.build(None)
        layer.set_weights(weights)
        result = layer(tensors)
        if operator == "Transpose":
            self._turned[id(result)] = result, inputs[0], perm
        if not isinstance(result, (list, tuple)):
            self.layouts.follow(operator, attributes, inputs, result)
        return result

    def _recurrent(self, node: Node, inputs):
        name = self.named(node.proto.name or node.operator)
        inputs = [*inputs, *[None] * 8]
        layer = layer_of(node, name, self.used.get(name) if inputs[4] is None else None)
        states = inputs[5 : 7 if node.operator == "LSTM" else 6]
        for state in states:
            if state is not None and state.shape[-1] not in (None, node.sizes()[1]):
                raise ValueError(
                    f"its states must be {node.sizes()[1]} wide as its weights, got shape "
                    f"{state.shape}"
                )
        zeros = [
            s is None or id(s) in self._zeros or (_is_constant(s) and not s.any()) for s in states
        ]
        if all(zeros):
            states = None
        elif not all(state is not None and not _is_constant(state) for state in states):
            raise ValueError("its initial states must be computed, or all zeros")
        return called(node, layer, inputs[0], inputs[4], states, self)

    def named(self, name):
        """A name that a layer may have and no other one has."""
        plain = re.sub(r"[^A-Za-z0-9_.]+", "_", name).strip("_.") or "node"
        count = 2
        while (unique := plain if count == 2 else f"{plain}_{count - 1}") in self._names:
            count += 1
        self._names.add(unique)
        return unique


def _without_guess(old, new, attributes):
    """The sizes of a Reshape with the one that is -1 computed, if it can be from those known."""
    copied = [k for k, size in enumerate(new) if size == 0 and not attributes.get("allowzero")]
    rest = [size for k, size in enumerate(old) if k not in copied]
    if -1 not in new or None in rest:
        return new
    others = math.prod(int(size) for size in new if size > 0)
    return np.where(new == -1, math.prod(rest) // others, new)


def _cause(problem):
    """The line that says what went wrong; Keras puts others around it."""
    text = str(problem).split("Error encountered:")[-1].split("Arguments received")[0]
    lines = [re.sub("\x1b?\\[[01]m", "", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if line and "Exception encountered when" not in line]
    return lines[0][:200] if lines else type(problem).__name__


def _of_objects(sizes):
    found = np.empty(len(sizes), object)
    found[:] = sizes
    return found


def _settled(sizes):
    """Sizes as whole numbers, if all are known."""
    if any(isinstance(size, Size) for size in sizes.ravel()):
        return sizes
    return sizes.astype("int64")


def _is_constant(value):
    return isinstance(value, np.ndarray) and value.dtype != object
