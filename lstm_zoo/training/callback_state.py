"""The state of callbacks in a checkpoint: numbers, text, arrays, and lists or dicts of them.

A checkpoint holds JSON and named arrays. The JSON gives the kind of each value: {"value": 1.5},
{"tuple": [...]}, or {"array": NAME} for an array stored under that name.
"""

import keras
import numpy as np

_PLAIN = (bool, int, float, str, type(None))


def keys(callbacks) -> list[str]:
    """A name for each callback: its class and a running number, such as "EarlyStopping-1"."""
    names: list[str] = []
    seen: dict[str, int] = {}
    for callback in callbacks:
        name = type(callback).__name__
        seen[name] = seen.get(name, 0) + 1
        names.append(f"{name}-{seen[name]}")
    return names


def state_of(callback) -> dict:
    """A copy of those attributes of a callback that a checkpoint can hold."""
    if isinstance(callback, (keras.callbacks.History, keras.callbacks.ProgbarLogger)):
        return {}
    skipped = ("params", "_model", "model", "validation_data")
    if hasattr(callback, "monitor_op"):
        skipped += ("min_delta",)  # Keras flips its sign at first use in each process
    storable = {n: v for n, v in vars(callback).items() if n not in skipped and _is_plain(v)}
    return {name: _copied(value) for name, value in storable.items()}


def changed(now: dict, before: dict) -> dict:
    """The attributes that are new or have a new value."""
    return {n: v for n, v in now.items() if n not in before or not _same(v, before[n])}


def packed(value, name: str, arrays: dict):
    """`value` as JSON; adds its arrays to `arrays` under names that start with `name`."""
    if isinstance(value, dict):
        return {"dict": {k: packed(v, f"{name}/{k}", arrays) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        items = [packed(v, f"{name}/{n}", arrays) for n, v in enumerate(value)]
        return {"tuple" if type(value) is tuple else "list": items}
    if isinstance(value, (np.ndarray, np.generic)):
        arrays[name] = np.asarray(value)
        return {"array" if isinstance(value, np.ndarray) else "scalar": name}
    return {"value": value}


def unpacked(stored, arrays: dict):
    """The value that was passed to `packed`."""
    [(form, content)] = stored.items()
    return _UNPACK[form](content, arrays)


_UNPACK = {
    "dict": lambda items, arrays: {k: unpacked(v, arrays) for k, v in items.items()},
    "list": lambda items, arrays: [unpacked(v, arrays) for v in items],
    "tuple": lambda items, arrays: tuple(unpacked(v, arrays) for v in items),
    "array": lambda name, arrays: arrays[name],
    "scalar": lambda name, arrays: arrays[name][()],
    "value": lambda value, arrays: value,
}


def _is_plain(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    is_array = isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf"
    return is_array or type(value) in _PLAIN


def _copied(value):
    return keras.tree.map_structure(
        lambda leaf: np.array(leaf) if isinstance(leaf, np.ndarray) else leaf, value
    )


def _same(one, other):
    one, other = (keras.tree.flatten(value) for value in (one, other))
    return len(one) == len(other) and all(
        type(a) is type(b) and np.array_equal(a, b) for a, b in zip(one, other)
    )
