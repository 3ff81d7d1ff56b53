"""Identifies a training, so that only the same model, data and settings resume it."""

import hashlib
import json
import re

import keras
import numpy as np

_SAMPLED = 2**26  # bytes to read of a larger array, in evenly spread blocks
_BLOCKS = 1024


def of_training(model, sets, settings) -> dict:
    """Digests of the model, data and settings, which must be equal to resume a checkpoint.

    The model's names and its learning rate do not count.
    """
    return {
        "model": _digest(_architecture(model)),
        "optimizer": _digest(_without_rate(_config(model.optimizer))),
        "loss": _digest(_without_rate(_config(model.loss))),
        "data": _of_data((sets.x, sets.y, sets.sample_weight)),
        "validation data": _of_data(sets.validation),
        "settings": settings.to_resume(),
    }


def learning_rate(model):
    """The optimizer's learning rate, or a digest of its schedule; None without an optimizer."""
    config = _config(model.optimizer)
    while isinstance(config, dict):
        config = config.get("config", config)
        if "learning_rate" in config:
            rate = config["learning_rate"]
            return _digest(rate) if isinstance(rate, dict) else float(rate)
        config = config.get("inner_optimizer")
    return None


def _of_data(data):
    """A digest of the values in arrays, or of the type of any other data."""
    digest = hashlib.blake2b(digest_size=16)
    for leaf in keras.tree.flatten(data):
        digest.update(_of_leaf(leaf))
    return digest.hexdigest()


def refuse_others(folder, stored: dict, now: dict) -> None:
    """Raise a `ValueError` if the training in a folder differs, and name the difference."""
    for what, value in now.items():
        then = stored.get(what)
        if then != value:
            shown = "" if isinstance(value, str) else f": {then} then, {value} now"
            raise ValueError(
                f"checkpoint_dir {str(folder)!r} holds another training: the {what} changed"
                f"{shown}; pass another folder, or the same {what} as before"
            )


def _of_leaf(leaf):
    if not isinstance(leaf, np.ndarray):
        return repr((type(leaf).__name__, getattr(leaf, "element_spec", None))).encode()
    digest = hashlib.blake2b(repr((leaf.shape, str(leaf.dtype))).encode(), digest_size=16)
    if leaf.dtype.kind == "O":
        digest.update(repr(leaf.tolist()).encode())
    elif leaf.nbytes <= _SAMPLED:
        digest.update(np.ascontiguousarray(leaf).tobytes())
    else:
        samples = max(1, _SAMPLED // _BLOCKS // max(1, leaf[:1].nbytes))  # in a block
        for start in np.linspace(0, len(leaf) - samples, _BLOCKS).astype(int):
            digest.update(np.ascontiguousarray(leaf[start : start + samples]).tobytes())
    return digest.digest()


def _architecture(model):
    variables = [(tuple(v.shape), v.dtype) for v in model.weights]
    try:
        return [_nameless(model.get_config()), variables]
    except (NotImplementedError, TypeError, ValueError):  # a subclass without a configuration
        return [type(model).__name__, variables]


def _nameless(config):
    """A configuration with its names numbered; Keras's own depend on earlier layers."""
    text = json.dumps(config, sort_keys=True, default=repr)
    names = dict.fromkeys(re.findall(r'"name": ("(?!(?:mixed_)?b?float\d)[^"]+")', text))
    order = {name: f'"#{number}"' for number, name in enumerate(names)}
    return re.sub(r'"[^"]*"', lambda found: order.get(found[0], found[0]), text)


def _config(value):
    """The configurations of Keras objects, such as a dict of losses."""
    if isinstance(value, (dict, list, tuple)):
        return keras.tree.map_structure(_config, value)
    if hasattr(value, "get_config"):
        try:
            return keras.saving.serialize_keras_object(value)
        except (NotImplementedError, TypeError, ValueError):
            return type(value).__name__
    return getattr(value, "__qualname__", value)


def _without_rate(config):
    if isinstance(config, dict):
        skipped = ("learning_rate", "name", "shared_object_id")
        return {k: _without_rate(v) for k, v in config.items() if k not in skipped}
    if isinstance(config, (list, tuple)):
        return [_without_rate(value) for value in config]
    return config


def _digest(config):
    text = json.dumps(config, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
