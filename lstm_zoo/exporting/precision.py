"""Converts a model of any precision to float32, in which the runtimes of the formats compute.

ONNX Runtime and LiteRT lack most bfloat16 operations, and many for float16 and float64. Float32
represents half-precision numbers exactly, so a file loses nothing; it only skips the rounding
between layers.
"""

import keras
import numpy as np

from lstm_zoo.layer_tree import every_layer

_OTHERS = ("float16", "bfloat16", "float64")


def in_float32(model: keras.Model) -> keras.Model:
    """The same layers with the same weights in float32; `model` itself if it is already float32.

    Raises:
        ValueError: if a layer can't be rebuilt from its configuration.
    """
    if not getattr(model, "inputs", None):  # refused by name when it is written
        return model
    if all(_is_float32(layer) for layer in every_layer(model)) and not any(
        one.dtype in _OTHERS for one in model.inputs
    ):
        return model
    values = [np.asarray(w, "float32") if _is_other(w) else w for w in _values(model)]
    try:
        return rebuilt(model, _changed, values)
    except Exception as problem:  # custom layers may raise anything
        why = " ".join(str(problem).split())[:200]
        raise ValueError(
            "model must be float32 for this format, and can't be converted to float32: "
            f"{why}. Export it with format='saved_model', or build it under "
            "keras.config.set_dtype_policy('float32') and copy the weights with set_weights"
        ) from problem


def rebuilt(model: keras.Model, changed, values: list) -> keras.Model:
    """A model from the changed configuration of another, with the weights `values`."""
    own = {type(layer).__name__: type(layer) for layer in every_layer(model)}
    with keras.saving.CustomObjectScope(own):
        again = type(model).from_config(changed(model.get_config()))
    again.set_weights(values)
    return again


def _values(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def _is_other(value):
    return value.dtype.name in _OTHERS


def _is_float32(layer):
    return not {layer.compute_dtype, layer.variable_dtype} & set(_OTHERS)


def _changed(config, key=None):
    """A configuration with every other precision replaced by float32."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return _changed(config["config"]["name"], "dtype")
        return {name: _changed(value, name) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_changed(value) for value in config)
    mixed = [f"mixed_{name}" for name in _OTHERS]
    return "float32" if key == "dtype" and config in (*_OTHERS, *mixed) else config
