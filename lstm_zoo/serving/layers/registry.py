"""Which function writes the steps of which layer."""

import inspect

import keras

from lstm_zoo.layers.each_step import is_operation
from lstm_zoo.serving.tracing import Array, Unserved

_WRITERS: dict = {}
_OPERATIONS: dict = {}


def serves(*layer_classes: type):
    """Register a function for layers of exactly these classes: a decorator.

    The function gets the writer, the layer and what the layer is called with, `Array`s in place of
    tensors, and returns an `Array`, or several in a list or tuple. It raises `Unserved` for what
    the C code does not know.
    """

    def decorate(function):
        _WRITERS.update(dict.fromkeys(layer_classes, function))
        return function

    return decorate


def serves_operations(*names: str):
    """Register a function for operations of `keras.ops`, by the names of their classes."""

    def decorate(function):
        _OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return decorate


def written(writer, layer, args, kwargs):
    """Write the steps of a layer; its results."""
    function = _WRITERS.get(type(layer))
    if is_operation(layer, *_OPERATIONS):
        function = _OPERATIONS[type(layer).__name__]
    try:
        if function is None:
            raise Unserved("the C code does not know it")
        if not isinstance(layer, keras.layers.Layer):
            return function(writer, layer, *args, **kwargs)
        _check_type(layer)
        results = function(writer, layer, *args, **_with_mask(layer, args, kwargs))
    except Unserved as problem:
        raise Unserved(f"layer {layer.name!r} ({type(layer).__name__}): {problem}") from None
    if not layer.supports_masking:
        results = keras.tree.map_structure(lambda one: one.with_mask(None), results)
    return results


def _with_mask(layer, args, kwargs):
    """The mask of the input as an argument, where Keras passes it: to layers of one input."""
    given = [one for one in (*args, *kwargs.values()) if _holds_arrays(one)]
    takes = "mask" in inspect.signature(layer.call).parameters
    if not takes or kwargs.get("mask") is not None or len(given) != 1:
        return kwargs
    return {**kwargs, "mask": keras.tree.map_structure(lambda one: one.mask, given[0])}


def _holds_arrays(value):
    return any(isinstance(one, Array) for one in keras.tree.flatten(value))


def _check_type(layer):
    if isinstance(layer, keras.layers.Layer) and layer.compute_dtype not in ("float32", "int32"):
        raise Unserved(f"it computes in {layer.compute_dtype}, the C code in float32")


def mask_after(x: Array, mask):
    """The mask of the result of a layer that passes masks on."""
    return x.mask if mask is None else mask
