"""A model as a function of named tensors, which all formats export."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import keras

from lstm_zoo.backend import tf
from lstm_zoo.layers.one_step import state_names


class Signature(NamedTuple):
    """The function that a file computes.

    `function` takes tensors described by `specs` and returns a dict from the names in `outputs`,
    which follow the order of the model's outputs, to the tensors that `model.predict` computes.
    """

    function: Callable
    specs: list
    outputs: list[str]


def signature_of(model, batch_size=None) -> Signature:
    """The signature of a model for inference.

    Args:
        model: a functional `keras.Model` or a built `keras.Sequential`.
        batch_size: the fixed batch size in the file; None allows any.

    Raises:
        ValueError: if `model` is not such a model, or if it carries states from call to call.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ValueError(
            "model must be a keras.Model built from keras.Input, such as a builder's model, or a "
            f"keras.Sequential that starts with one, got {type(model).__name__}"
        )
    _refuse_states_between_calls(model)
    # A Sequential that was built by a call has that batch size in its shape, but takes any.
    sequential = isinstance(model, keras.Sequential)
    inputs = model.inputs[0] if sequential else model.input
    specs = [
        tf.TensorSpec((batch_size or (None if sequential else size), *shape), one.dtype, one.name)
        for one in model.inputs
        for size, *shape in [one.shape]
    ]
    order, names = _named_outputs(model)

    def function(*tensors):
        # Use the step of `predict`, because a model may decode its outputs there.
        answers = model.predict_step((keras.tree.pack_sequence_as(inputs, tensors),))
        answers = keras.tree.flatten(answers)
        return {name: tf.identity(answers[k]) for k, name in zip(order, names)}

    return Signature(function, specs, names)


def looping_layers(model) -> list:
    """The layers of a model that loop over time, including those in wrappers and nested models.

    Layers that take one step contain a recurrent layer too, but don't loop; they are excluded.
    """
    return [found for layer in model.layers for found in _loops_in(layer)]


def _loops_in(layer):
    if isinstance(layer, keras.layers.RNN):
        return [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    if isinstance(layer, keras.Model):
        return looping_layers(layer)
    return _loops_in(layer.layer) if isinstance(layer, keras.layers.Wrapper) else []


def _refuse_states_between_calls(model):
    for layer in looping_layers(model):
        if layer.stateful:
            raise ValueError(
                f"model must not carry states from call to call, but layer {layer.name!r} is "
                "stateful. Pass streaming=True for a file that takes and returns the states, or "
                "build the model with stateful=False and copy the weights with set_weights for a "
                "file that starts each call from zeros"
            )


def _named_outputs(model):
    """The positions of a model's outputs in the model's own order, and their names.

    Outputs in a dict are named by its keys, all others by the layer that computes them. If one
    layer has several outputs, states get their own names, other outputs their number, and outputs
    of a second call the suffix `_2`.
    """
    structure = model.outputs if isinstance(model, keras.Sequential) else model.output
    found = keras.tree.flatten_with_path(structure)
    order = list(range(len(found)))
    if isinstance(structure, dict):  # keras.tree sorts the keys of a dict
        order.sort(key=lambda k: list(structure).index(found[k][0][0]))
    # Keras has no public way to find the layer of an output.
    sources = [tensor._keras_history for _, tensor in found]
    layers = [source.operation.name for source in sources]
    names: list[str] = []
    for k in order:
        path, name = found[k][0], layers[k]
        if any(isinstance(key, str) for key in path):
            name = "_".join(map(str, path))
        elif layers.count(name) > 1:
            name += _part_of_layer(sources[k].operation, sources[k].tensor_index)
        numbered = (f"{name}_{n}" for n in itertools.count(2) if f"{name}_{n}" not in layers)
        while name in names:
            name = next(numbered)
        names.append(name)
    return order, names


def _part_of_layer(layer, number):
    """The suffix of a layer's name for its output with this number."""
    if number == 0:
        return ""
    states = []
    if isinstance(layer, keras.layers.RNN):
        states = state_names(layer.cell)
    elif isinstance(layer, keras.layers.Bidirectional):
        one_way = state_names(layer.forward_layer.cell)
        states = [f"{way}_{name}" for way in ("forward", "backward") for name in one_way]
    return f"_{states[number - 1] if number <= len(states) else number}"
