"""A model as a function of named tensors: what every format is made from."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import keras

from lstm_zoo.backend import tf
from lstm_zoo.layers.one_step import state_names


class Signature(NamedTuple):
    """What a file computes.

    `function` takes the tensors that `specs` describe and returns a dict from each of `outputs`,
    the names in the order of the model's outputs, to a tensor: the answers of `model.predict`.
    """

    function: Callable
    specs: list
    outputs: list[str]


def signature_of(model, batch_size=None) -> Signature:
    """The signature of a model that is run for inference.

    Args:
        model: a `keras.Model` made of `keras.Input`, a `keras.Sequential` that is built included.
        batch_size: the size of a batch in the file; None leaves it open.

    Raises:
        ValueError: if `model` is not such a model, or if it carries states from call to call.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ValueError(
            "model must be a keras.Model made of keras.Input, as the builders make it, or a "
            f"keras.Sequential that starts with one, got {type(model).__name__}"
        )
    _refuse_states_between_calls(model)
    # A Sequential that was built by a call has the size of that batch, and takes any.
    sequential = isinstance(model, keras.Sequential)
    inputs = model.inputs[0] if sequential else model.input
    specs = [
        tf.TensorSpec((batch_size or (None if sequential else size), *shape), one.dtype, one.name)
        for one in model.inputs
        for size, *shape in [one.shape]
    ]
    order, names = _named_outputs(model)

    def function(*tensors):
        # The step of `predict`, for a model may decode there what it computes.
        answers = model.predict_step((keras.tree.pack_sequence_as(inputs, tensors),))
        answers = keras.tree.flatten(answers)
        return {name: tf.identity(answers[k]) for k, name in zip(order, names)}

    return Signature(function, specs, names)


def looping_layers(model) -> list:
    """The layers of a model that loop over time, those in wrappers and nested models too.

    Layers that take one step hold a recurrent layer as well, and don't loop: they are left out.
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
                "stateful. Pass streaming=True for a file that takes the states and gives them "
                "back, or build the model with stateful=False and copy the weights with "
                "set_weights for a file that starts each call from zeros"
            )


def _named_outputs(model):
    """The places of a model's outputs in the order that the model gives them, and their names.

    The outputs of a dict are named by its keys, all others by the layer that they come from. Where
    that is one layer for several outputs, a state is named by what it is, any other output by its
    number, and a second call of the layer by `_2`.
    """
    structure = model.outputs if isinstance(model, keras.Sequential) else model.output
    found = keras.tree.flatten_with_path(structure)
    order = list(range(len(found)))
    if isinstance(structure, dict):  # keras.tree goes through a dict by its sorted keys
        order.sort(key=lambda k: list(structure).index(found[k][0][0]))
    # Keras has no public way from an output to the layer that it comes from.
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
    """What to add to the name of a layer for the output of that number."""
    if number == 0:
        return ""
    states = []
    if isinstance(layer, keras.layers.RNN):
        states = state_names(layer.cell)
    elif isinstance(layer, keras.layers.Bidirectional):
        one_way = state_names(layer.forward_layer.cell)
        states = [f"{way}_{name}" for way in ("forward", "backward") for name in one_way]
    return f"_{states[number - 1] if number <= len(states) else number}"
