"""A builder's arguments: those that follow from the data, and those worth searching."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from lstm_zoo.texts import holds_texts


def _input_shape(x, y):
    sequence = x["sequence"] if isinstance(x, dict) and "sequence" in x else x
    return (None,) if holds_texts(sequence) else np.shape(sequence)[1:]


def _num_classes(x, y):
    return y if holds_texts(y) else int(np.max(y)) + 1


def _numbers_of(name, x):
    return np.shape(x[name])[-1] if isinstance(x, dict) and name in x else 0


# How x and y determine an argument that is not given.
TOLD: dict[str, Callable[[Any, Any], Any]] = {
    "input_shape": _input_shape,
    "num_classes": _num_classes,
    "num_outputs": lambda x, y: np.shape(y)[1] if np.ndim(y) > 1 else 1,
    "horizon": lambda x, y: np.shape(y)[1],
    "num_targets": lambda x, y: np.shape(y)[2] if np.ndim(y) > 2 else 1,
    "known_future": lambda x, y: _numbers_of("known_future", x),
    "static": lambda x, y: _numbers_of("static", x),
    "vocabulary": lambda x, y: x if holds_texts(x) else None,
}


def _units(default):
    """Half, once and twice the units; with one and two layers if a builder takes several."""
    if isinstance(default, int):
        return [max(default // 2, 1), default, 2 * default]
    widths = max(default[0] // 2, 1), default[0], 2 * default[0]
    return [(width,) for width in widths] + [(width, max(width // 2, 1)) for width in widths]


# The values to try for an argument, from its default.
SPACE: dict[str, Callable[[Any], list]] = {
    "lstm_units": _units,
    "dropout": lambda default: sorted({0.0, 0.2, 0.4, default}),
    "learning_rate": lambda default: [3e-4, 1e-3, 3e-3, 1e-2],
    "cell": lambda default: ["lstm", "gru", "peephole"],
}


def given(build: Callable) -> dict[str, Any]:
    """A dict of the arguments that a partial of a builder fixes."""
    if not isinstance(build, functools.partial):
        return {}
    return inspect.signature(build.func).bind_partial(*build.args, **build.keywords).arguments


def own(build: Callable) -> dict[str, inspect.Parameter]:
    """All arguments of a builder, including those that a partial of it fixes."""
    function = build.func if isinstance(build, functools.partial) else build
    return dict(inspect.signature(function).parameters)


def told_by(build: Callable, x, y) -> dict[str, Any]:
    """The arguments that follow from the data and are not given.

    >>> def build(input_shape, horizon, units=4): ...
    >>> told_by(build, np.zeros((9, 5, 2)), np.zeros((9, 3)))
    {'input_shape': (5, 2), 'horizon': 3}
    """
    fixed = given(build)
    return {name: TOLD[name](x, y) for name in own(build) if name in TOLD and name not in fixed}


def space_of(build: Callable) -> dict[str, list]:
    """The default search space: units, dropout, learning rate, cell.

    >>> def build(input_shape, *, lstm_units=(64, 32), dropout=0.0): ...
    >>> space_of(build)["lstm_units"]
    [(32,), (64,), (128,), (32, 16), (64, 32), (128, 64)]
    """
    fixed = given(build)
    has_own_rate = not isinstance(fixed.get("optimizer"), (str, type(None)))
    skipped = {*fixed, *(["learning_rate"] if has_own_rate else [])}
    space = {
        name: SPACE[name](parameter.default)
        for name, parameter in own(build).items()
        if name in SPACE and name not in skipped
    }
    if not space:
        raise ValueError(
            f"space must be given: build takes none of {', '.join(SPACE)}, or has them fixed"
        )
    return space
