"""Everything that depends on Keras's backend: whether TensorFlow is used, and precision."""

import contextlib
import contextvars
import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import keras

# Keras attaches masks to the tensors that losses and metrics get; no public function reads them.
from keras.src.backend import get_keras_mask as get_keras_mask
from keras.src.backend import set_keras_mask as set_keras_mask

tf: Any = importlib.import_module("tensorflow") if keras.backend.backend() == "tensorflow" else None
"""The TensorFlow module, or None; functions that need it raise an error when called."""

F = TypeVar("F", bound=Callable)


def sees_a_gpu() -> bool:
    """Whether the backend is TensorFlow and it has a GPU."""
    return tf is not None and bool(tf.config.list_logical_devices("GPU"))


def needs_tensorflow(function: F) -> F:
    """Decorator: calling the function raises a clear error if the backend is not TensorFlow."""

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

    On PyTorch `keras.ops.matmul` does so, on JAX `keras.ops.tanh` does, even in 64-bit mode.

    Args:
        dtype: the dtype that a layer computes in, such as "float32".

    Raises:
        ValueError: if `dtype` is "float64" and the backend is not TensorFlow.
    """
    backend = keras.backend.backend()
    if dtype == "float64" and backend != "tensorflow":
        raise ValueError(
            f"dtype must not be 'float64' on the {backend} backend, because Keras computes parts "
            "in float32 there; set KERAS_BACKEND=tensorflow"
        )


def wide(dtype: str) -> str:
    """The precision of a recurrence: float32 for half precision, otherwise `dtype`.

    In half precision, a sum over many steps stops growing: in bfloat16, 4 + 0.01 is 4.

    >>> wide("bfloat16"), wide("float64")
    ('float32', 'float64')
    """
    return "float32" if dtype in ("float16", "bfloat16") else dtype


_counts: contextvars.ContextVar = contextvars.ContextVar("counts", default=None)


@contextlib.contextmanager
def counted_as(fraction) -> Iterator[None]:
    """Scale this replica's terms in `sums_over_replicas` by `fraction` within the block."""
    token = _counts.set(fraction)
    try:
        yield
    finally:
        _counts.reset(token)


def sums_over_replicas(*tensors) -> tuple:
    """Each tensor summed over all replicas of a step; unchanged if there is only one replica.

    Layers that use a statistic of the batch call this, so that several replicas compute the same as
    one.
    """
    context = tf.distribute.get_replica_context() if tf is not None else None
    if context is None or context.num_replicas_in_sync == 1:
        return tensors
    fraction = _counts.get()
    if fraction is not None:
        tensors = tuple(tensor * tf.cast(fraction, tensor.dtype) for tensor in tensors)
    return tuple(context.all_reduce("sum", list(tensors)))
