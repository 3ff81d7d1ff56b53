"""Trees of arrays: their names, and the cell of a source in them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_zoo import checks

_DEEPEST = 32
_TOLD = 6


def flattened(argument: str, tree: Any, depth: int = _DEEPEST) -> dict[str, Any]:
    """The leaves of a tree of dicts by name; names of inner dicts are joined by "/".

    >>> flattened("arrays", {"lstm": {"w": 1}, ("a", "b"): 2, "c": None})
    {'lstm/w': 1, 'a/b': 2}
    """
    if not isinstance(tree, Mapping):
        raise ValueError(f"{argument} must be a dict of arrays, got {tree!r:.80}")
    if not depth:
        raise ValueError(f"{argument} must have at most {_DEEPEST} dicts inside one another")
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
        if isinstance(value, Mapping):
            inner = flattened(argument, value, depth - 1)
            found |= {f"{name}/{rest}": leaf for rest, leaf in inner.items()}
        elif value is not None:
            found[name] = value
    return found


def array_of(name: str, tree: Mapping[str, Any]) -> np.ndarray:
    """A leaf as an array, in float32 if it is stored in half precision."""
    try:
        array = np.asarray(tree[name])
    except Exception as problem:  # a tensor of another library may raise any exception
        raise ValueError(f"{name} must be an array that NumPy can read: {problem}") from None
    array = checks.finite(name, array)
    return array.astype("float32") if array.dtype.itemsize <= 2 else array


def prefix_of(tree: Mapping[str, Any], source: Any, prefix: str | None) -> str:
    """The text before the names of a source's arrays; a ValueError if it can't be one only."""
    first = "" if source.place is None else source.place(0, False, False)
    names = [name.format(first) for name in source.names]
    found: dict[str, list[str]] = {}  # by prefix the names that are there
    for key in tree:
        for name in names:
            before = key.removesuffix(name)
            if before != key and not before[-1:].isalnum():
                found.setdefault(before, []).append(name)
    whole = [before for before, there in found.items() if len(there) == len(names)]
    if prefix is not None and checks.text("prefix", prefix) in whole:
        return prefix
    if prefix is None and len(whole) == 1:
        return whole[0]
    if whole:
        got = "" if prefix is None else f", got {prefix!r}"
        raise ValueError(f"prefix must be one of {', '.join(map(repr, sorted(whole)))}{got}")
    if found:
        nearest = max(found, key=lambda before: len(found[before]))
        missing = [nearest + name for name in names if name not in found[nearest]]
        raise ValueError(
            f"arrays lacks {checks.listed(missing)}, which {source.name} has beside "
            f"{checks.listed(nearest + name for name in found[nearest])}"
        )
    some = checks.listed([*sorted(tree)[:_TOLD], *["..."] * (len(tree) > _TOLD)])
    raise ValueError(
        f"arrays must have {checks.listed(names)}, as {source.name} has, got {some or 'nothing'}"
    )
