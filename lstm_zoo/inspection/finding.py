"""Finds the recurrent layers anywhere in a model, and checks its input."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks, naming
from lstm_zoo.layer_tree import every_layer

Inputs = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]


def layers_by_name(model):
    """Every recurrent layer in a model, however deeply nested, by name.

    A `Bidirectional` counts as one layer. Repeated names get a number: "lstm", "lstm (2)".
    """
    checks.model("model", model, keras.layers.Layer)
    found, inside = [], set()
    for layer in every_layer(model):
        if isinstance(layer, keras.layers.Bidirectional):
            inside |= set(directions(layer).values())
        if isinstance(layer, (keras.layers.Bidirectional, keras.layers.RNN)):
            found.append(layer)
    layers = {}
    for layer in found:
        if layer not in inside:
            count = sum(layer.name == other.name for other in layers.values())
            layers[f"{layer.name} ({count + 1})" if count else layer.name] = layer
    if not layers:
        raise ValueError(
            "model must have a recurrent layer (LSTM, GRU, SimpleRNN, RNN or Bidirectional), "
            f"got {model.name!r}, which has none"
        )
    return layers


def chosen_layer(model, layer):
    """A recurrent layer of a model, chosen by name, by index or by itself; the first if None."""
    layers = layers_by_name(model)
    names = list(layers)
    if layer is None:
        return layers[names[0]]
    if isinstance(layer, str):
        return layers[checks.one_of("layer", layer, names)]
    if isinstance(layer, (int, np.integer)) and not isinstance(layer, bool):
        if -len(names) <= layer < len(names):
            return layers[names[layer]]
        raise ValueError(f"layer must be below {len(names)}, an index into {names}, got {layer}")
    if any(layer is one for one in layers.values()):
        return layer
    raise ValueError(f"layer must be a recurrent layer of the model, one of {names}, got {layer!r}")


def directions(layer):
    """The layer itself, or both layers of a `Bidirectional`, by the suffix of their names."""
    if isinstance(layer, keras.layers.Bidirectional):
        return {"/forward": layer.forward_layer, "/backward": layer.backward_layer}
    return {"": layer}


def checked_x(model, x):
    """Check `x` against the model's input; returns arrays, with texts converted to numbers."""
    x = naming.numbers_of(checks.model("model", model, keras.layers.Layer), "x", x)
    if isinstance(x, dict) or (isinstance(x, (list, tuple)) and x and hasattr(x[0], "shape")):
        if not keras.tree.flatten(x):
            raise ValueError(f"x must not be empty, got {x!r}")
        x = keras.tree.map_structure(lambda part: checks.finite("x", part), x)  # several inputs
        parts, inputs = keras.tree.flatten(x), getattr(model, "inputs", None) or []
        if len(parts) == len(inputs):  # the first axis of an input of fixed size is no batch
            parts = [part for part, one in zip(parts, inputs) if one.shape[:1] == (None,)]
        lengths = [len(np.atleast_1d(part)) for part in parts]
        if len(set(lengths)) > 1:
            raise ValueError(
                "the inputs in x must have the same number of samples, "
                f"got {checks.listed(lengths)}"
            )
        return x
    x = checks.finite("x", x)
    rank = _input_rank(model)
    if rank is None:
        embeds = any(isinstance(layer, keras.layers.Embedding) for layer in every_layer(model))
        rank = x.ndim if embeds else max(x.ndim, 3)
    axes = ("batch", "timesteps", "features")[:rank] if rank <= 3 else (None,) * rank
    checks.shape("x", x.shape, axes)
    if rank == 3:
        checks.shape("x", x.shape, ("batch", "timesteps", _features(model)))
    return x


def _input_rank(model):
    """The rank of a model's only input; None if it has several inputs or is unknown."""
    if isinstance(model, (keras.layers.RNN, keras.layers.Bidirectional)):
        return 3
    shape = getattr(model, "input_shape", None)
    one_input = isinstance(shape, tuple) and not isinstance(shape[0], (tuple, list))
    return len(shape) if one_input else None


def _features(model):
    """The number of features that a model or layer was built for; "features" if any."""
    shape = getattr(model, "input_shape", None)
    if shape is None:
        shape = (model.get_build_config() or {}).get("input_shape")
    known = isinstance(shape, tuple) and len(shape) == 3 and isinstance(shape[2], int)
    return shape[2] if known else "features"
