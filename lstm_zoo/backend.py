"""TensorFlow where it is Keras's backend, and one sentence where it is not."""

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import keras

# Keras hands masks to losses and metrics beside the tensors, and has no public way to them.
from keras.src.backend import get_keras_mask as get_keras_mask
from keras.src.backend import set_keras_mask as set_keras_mask

tf: Any = importlib.import_module("tensorflow") if keras.backend.backend() == "tensorflow" else None
"""The module, or None: what needs it says so when it is called."""

F = TypeVar("F", bound=Callable)


def needs_tensorflow(function: F) -> F:
    """Make a call of `function` end in one sentence where Keras's backend is another."""

    @functools.wraps(function)
    def checked(*args, **options):
        backend = keras.backend.backend()
        if backend != "tensorflow":
            name = function.__qualname__.removesuffix(".__init__")
            raise ValueError(
                f"{name} needs TensorFlow: set KERAS_BACKEND=tensorflow, got {backend!r}"
            )
        return function(*args, **options)

    return cast(F, checked)
