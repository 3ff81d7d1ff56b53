"""Writes the plan of a Keras model: each of its layers adds steps, by `lstm_zoo/serving/layers`."""

from __future__ import annotations

import math

import keras
import numpy as np

from lstm_zoo.layer_tree import every_layer, run_through
from lstm_zoo.serving.plan import Input, Plan, Result, Size, Step


class Unserved(ValueError):
    """What the C code can't run, and why."""


class Array:
    """An array of a plan while it is written: `shape` is without the batch.

    The first axis of `shape` is that of the steps, all others together are the width; an array of
    one axis has one step.
    """

    def __init__(self, number, shape, mask=None, dtype="float32"):
        self.number, self.shape, self.mask, self.dtype = number, tuple(shape), mask, dtype

    def with_mask(self, mask):
        """The same array with another mask, or with None."""
        return Array(self.number, self.shape, mask, self.dtype)

    @property
    def steps(self):
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def width(self) -> int:
        rest = self.shape[1:] if len(self.shape) > 1 else self.shape
        return math.prod(rest)


class Writer:
    """A plan that grows."""

    def __init__(self, name, half=False):
        self.plan, self.half = Plan(name), half
        self._weights: dict = {}

    def size(self, steps) -> int:
        """The number of a size, an int or a `Size`."""
        size = steps if isinstance(steps, Size) else Size(int(steps))
        if size not in self.plan.sizes:
            self.plan.sizes.append(size)
        return self.plan.sizes.index(size)

    def array(self, shape, mask=None, dtype="float32") -> Array:
        """A new array; the sizes of all axes but the first are known."""
        array = Array(len(self.plan.values), shape, mask, dtype)
        self.plan.values.append((self.size(array.steps), array.width))
        return array

    def step(self, operation, inputs, outputs, options=(), number=0.0, weights=()):
        """Add an operation; what it reads and writes are arrays or None."""
        self.plan.steps.append(
            Step(
                operation,
                [-1 if a is None else a.number for a in inputs],
                [-1 if a is None else a.number for a in outputs],
                [int(option) for option in options],
                float(number),
                [self.weight(weight) for weight in weights],
            )
        )

    def weight(self, weight) -> int:
        """The number of a copy of a weight."""
        array = np.array(keras.ops.convert_to_numpy(weight), "float32")
        self.plan.weights.append(array)
        return len(self.plan.weights) - 1

    def same_steps(self, one, other):
        """Let a call be refused in which two numbers of steps differ."""
        if one == other:
            return
        if isinstance(one, int) and isinstance(other, int):
            raise Unserved(f"steps of {one} and {other} do not fit")
        self.plan.alike.append([self.size(one), self.size(other)])


_DECODERS: dict = {keras.Model.predict_step: lambda writer, model, outputs: outputs}


def decodes(model_class: type):
    """Register a function for models with the `predict_step` of this class: a decorator.

    The function gets the writer, the model and its outputs, and returns what `predict` gives.
    """

    def decorate(function):
        _DECODERS[model_class.predict_step] = function
        return function

    return decorate


def plan_of(model: keras.Model, half: bool = False) -> Plan:
    """The plan of a model, with `half` with recurrent layers in bfloat16.

    Raises:
        Unserved: naming the layer that the C code does not know.
    """
    from lstm_zoo.serving.layers import written

    decode = _DECODERS.get(getattr(type(model), "predict_step", None))
    if decode is None:
        raise Unserved(f"{type(model).__name__} has a step of predict of its own")
    writer = Writer(model.name, half)
    arrays = [_input(writer, number, tensor) for number, tensor in enumerate(model.inputs)]
    graph = keras.Model(model.inputs, model.outputs)  # a Sequential is one too

    def write(layer, *args, **kwargs):
        return written(writer, layer, args, kwargs)

    outputs = decode(writer, model, run_through(graph, arrays, write))
    plan = writer.plan
    plan.takes, plan.gives = nesting(model)
    used: set = set()
    for tensor, array in zip(model.outputs, keras.tree.flatten(outputs)):
        if array.number in used or any(array is one for one in arrays):
            array = copied(writer, array)
        used.add(array.number)
        if array.dtype != "float32":
            raise Unserved(f"output {tensor.name} is of {array.dtype}")
        plan.results.append(Result(tensor.name, array.shape, array.number))
    _without_unused(plan)
    return plan


def copied(writer, array):
    """The same numbers in an array of its own."""
    copy = writer.array(array.shape, array.mask, array.dtype)
    writer.step("copy", [array], [copy], [0, 0, 0, -1, 0])
    return copy


def _input(writer, number, tensor):
    dtype = tensor.dtype
    if dtype not in ("float32", "int32"):
        raise Unserved(f"input {tensor.name} is of {dtype}")
    shape, tokens = tuple(tensor.shape[1:]), dtype == "int32"
    fits = len(shape) in ((0, 1) if tokens else (2,)) or (len(shape) == 1 and shape[0] is not None)
    if not fits or (not tokens and shape[-1] is None):
        raise Unserved(f"input {tensor.name} has shape {tuple(tensor.shape)}")
    steps = (Size(0, number) if shape[0] is None else shape[0]) if shape else 1
    array = writer.array((steps, *shape[1:]) if not tokens else (steps, 1), None, dtype)
    writer.plan.inputs.append(Input(tensor.name, shape, dtype, array.number))
    return array


def nesting(model):
    """How a model's inputs and outputs are nested, with numbers in place of tensors."""
    sequential = isinstance(model, keras.Sequential)
    takes = model.inputs[0] if sequential else model.input
    gives = model.outputs[0] if sequential else model.output

    def numbered(structure, tensors):
        place = {id(tensor): number for number, tensor in enumerate(tensors)}
        named = keras.tree.map_structure(lambda tensor: place[id(tensor)], structure)
        return list(named) if isinstance(named, tuple) else named

    return numbered(takes, model.inputs), numbered(gives, model.outputs)


def _without_unused(plan):
    """Leave out steps whose results nothing needs, such as masks that no layer reads."""
    needed = {result.value for result in plan.results}
    kept = []
    for step in reversed(plan.steps):
        if needed & set(step.outputs):
            needed |= set(step.inputs)
            kept.append(step)
    plan.steps = kept[::-1]
    for step in plan.steps:
        step.outputs = [k if k in needed else -1 for k in step.outputs]


def refuse_states(model):
    """Refuse a model that is no function of its inputs alone."""
    for layer in every_layer(model):
        if isinstance(layer, keras.layers.RNN) and layer.stateful:
            raise ValueError(
                f"model must not carry states from call to call, but layer {layer.name!r} is "
                "stateful; lz.stream(model) reads step by step and keeps the states"
            )
