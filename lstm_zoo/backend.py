"""What depends on Keras's backend: TensorFlow or none, and the precision of numbers."""

import contextlib
import contextvars
import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import keras

# Keras hands masks to losses and metrics beside the tensors, and has no public way to them.
from keras.src.backend import get_keras_mask as get_keras_mask
from keras.src.backend import set_keras_mask as set_keras_mask

tf: Any = importlib.import_module("tensorflow") if keras.backend.backend() == "tensorflow" else None
"""The module, or None: what needs it says so when it is called."""

F = TypeVar("F", bound=Callable)


def sees_a_gpu() -> bool:
    """Whether the backend is TensorFlow and it has a GPU."""
    return tf is not None and bool(tf.config.list_logical_devices("GPU"))


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


def check_precision(dtype: str) -> None:
    """Refuse float64 on JAX and PyTorch, where Keras silently computes in float32.

    `keras.ops.matmul` does on PyTorch, `keras.ops.tanh` on JAX even with its 64-bit mode on.

    Args:
        dtype: what a layer computes in, such as "float32".

    Raises:
        ValueError: if it is "float64" and the backend is not TensorFlow.
    """
    backend = keras.backend.backend()
    if dtype == "float64" and backend != "tensorflow":
        raise ValueError(
            f"dtype must not be 'float64' on the {backend} backend, where Keras computes parts of "
            "it in float32; set KERAS_BACKEND=tensorflow"
        )


def wide(dtype: str) -> str:
    """The precision of a recurrence: float32 for the half precisions, else `dtype` itself.

    A sum over many steps stops growing in half precision: in bfloat16, 4 + 0.01 is 4.

    >>> wide("bfloat16"), wide("float64")
    ('float32', 'float64')
    """
    return "float32" if dtype in ("float16", "bfloat16") else dtype


_counts: contextvars.ContextVar = contextvars.ContextVar("counts", default=None)


@contextlib.contextmanager
def counted_as(fraction) -> Iterator[None]:
    """Let what a replica computes in the block count as `fraction` in `sums_over_replicas`."""
    token = _counts.set(fraction)
    try:
        yield
    finally:
        _counts.reset(token)


def sums_over_replicas(*tensors) -> tuple:
    """Each tensor summed over the replicas of a step, on each of them; itself where there is one.

    A layer that keeps or uses a statistic of a batch needs it, so that several replicas do what
    one does.
    """
    context = tf.distribute.get_replica_context() if tf is not None else None
    if context is None or context.num_replicas_in_sync == 1:
        return tensors
    fraction = _counts.get()
    if fraction is not None:
        tensors = tuple(tensor * tf.cast(fraction, tensor.dtype) for tensor in tensors)
    return tuple(context.all_reduce("sum", list(tensors)))
