"""Checks the settings of a training: all arguments of `fit` except the model and its data."""

import dataclasses
import datetime
import functools
import typing
import warnings

import keras
import numpy as np

from lstm_zoo import checks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The checked settings of a training. A wrong value raises a `ValueError` that names it.

    `fit` documents each setting.
    """

    batch_size: int
    epochs: int
    initial_epoch: int
    steps_per_epoch: int | None
    validation_freq: int
    validation_steps: int | None
    validation_batch_size: int | None
    shuffle: bool
    clipnorm: float | None
    on_nan: str
    jit_compile: bool | str
    class_weight: dict[int | str, float] | str | None
    callbacks: typing.Any  # a list, once checked
    seed: int | None
    checkpoint_dir: typing.Any  # a `pathlib.Path` or None, once checked
    checkpoint_every: int | datetime.timedelta | None
    verbose: int

    def __post_init__(self):
        for name, check in _CHECKS.items():
            vars(self)[name] = check(name, getattr(self, name))
        vars(self).update(_within_limits(self.epochs, self.steps_per_epoch))

    def to_resume(self) -> str:
        """The settings that must be equal for a run to resume a checkpoint."""
        names = ("batch_size", "steps_per_epoch", "shuffle", "clipnorm", "on_nan")
        names += ("class_weight", "validation_freq")
        return repr([getattr(self, name) for name in names])


def _optional(check):
    """A check that accepts None too."""
    return lambda argument, value: None if value is None else check(argument, value)


def _check_checkpoint_every(argument, value):
    """A number of steps, or a `datetime.timedelta`."""
    if isinstance(value, datetime.timedelta):
        if value.total_seconds() <= 0:
            raise ValueError(f"{argument} must be a time above 0, got {value!r}")
        return value
    try:
        return checks.count(argument, value)
    except ValueError:
        raise ValueError(
            f"{argument} must be a whole number of steps, a datetime.timedelta or None, "
            f"got {value!r}"
        ) from None


def _check_bool(argument, value):
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{argument} must be True or False, got {value!r}")
    return value


def _check_jit_compile(argument, value):
    if value not in ("auto", True, False):
        raise ValueError(f'{argument} must be "auto", True or False, got {value!r}')
    return value


def _check_callbacks(argument, value):
    """A list of callbacks, from a callback, a list, None or a `keras.callbacks.CallbackList`."""
    if isinstance(value, keras.callbacks.CallbackList):
        return list(value.callbacks)
    if isinstance(value, keras.callbacks.Callback):
        return [value]
    several = [] if value is None else value
    for one in several if isinstance(several, (list, tuple)) else [several]:
        if not isinstance(one, keras.callbacks.Callback):
            raise ValueError(
                f"{argument} must be keras.callbacks.Callback objects, got {type(one).__name__}"
            )
    return list(several)


def _check_class_weight(argument, value):
    """A dict from a class, as a number or a name, to its weight; or "balanced"."""
    if isinstance(value, str) and value == "balanced":
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError(
            f"{argument} must be 'balanced' or a dict from class to weight, such as "
            f"{{0: 1.0, 1: 5.0}}, got {value!r}"
        )
    weights = {}
    for label, weight in value.items():
        weight = checks.number(f"{argument}[{label!r}]", weight)
        if weight < 0:
            raise ValueError(f"{argument}[{label!r}] must not be negative, got {weight}")
        if not isinstance(label, str):
            label = checks.count(f"a class of {argument}", label, least=0)
        weights[label] = weight
    return weights


_from_zero = functools.partial(checks.count, least=0)
_CHECKS = {  # in this order; the first failure is raised
    "batch_size": checks.count,
    "checkpoint_every": _optional(_check_checkpoint_every),
    "epochs": checks.count,
    "initial_epoch": _from_zero,
    "validation_freq": checks.count,
    "validation_batch_size": _optional(checks.count),
    "on_nan": functools.partial(checks.one_of, known=("stop", "skip")),
    "shuffle": _check_bool,
    "clipnorm": _optional(checks.positive),
    "jit_compile": _check_jit_compile,
    "seed": _optional(_from_zero),
    "callbacks": _check_callbacks,
    "class_weight": _optional(_check_class_weight),
    "steps_per_epoch": _optional(checks.count),
    "validation_steps": _optional(checks.count),
    "checkpoint_dir": _optional(checks.path),
}


def _within_limits(epochs, steps_per_epoch):
    """Both arguments, limited to what `keras.config` allows for trial runs."""
    most, most_steps = keras.config.max_epochs(), keras.config.max_steps_per_epoch()
    if most and most < epochs:
        warnings.warn(f"keras.config limits epochs to {most}", stacklevel=_CALLER)
        epochs = most
    if most_steps and (steps_per_epoch is None or most_steps < steps_per_epoch):
        text = f"keras.config limits steps_per_epoch to {most_steps}"
        warnings.warn(text, stacklevel=_CALLER)
        steps_per_epoch = most_steps
    return {"epochs": epochs, "steps_per_epoch": steps_per_epoch}


_CALLER = 7  # stack frames from `_within_limits` up to the line that calls `fit`
