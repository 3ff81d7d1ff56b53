"""Which engine runs a layer: one table, from the fastest to the one that always serves."""

from collections.abc import Callable
from typing import NamedTuple

import keras

from lstm_zoo.backend import tf
from lstm_zoo.cells import CoupledLSTMCell, MinGRUCell, MinLSTMCell, MLSTMCell, PeepholeLSTMCell
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.lstm import LSTMCell, has_usual_activations
from lstm_zoo.cells.registry import runs_on
from lstm_zoo.recurrence import native, scan

runs_on(LSTMCell, "cuDNN, C")
runs_on(PeepholeLSTMCell, "C")
runs_on(CoupledLSTMCell, "C")
for _kind in (MinGRUCell, MinLSTMCell, MLSTMCell):
    runs_on(_kind, "XLA, parallel")


class Engine(NamedTuple):
    """One way to run a cell over time."""

    name: str
    what: str
    why_not: Callable  # of a layer and whether it is masked: why it cannot serve, or None


def engine_of(layer, masked: bool = False) -> Engine:
    """The engine that runs a layer, the first in the table that can."""
    return next(engine for engine in ENGINES if engine.why_not(layer, masked) is None)


def explain(layer: keras.layers.Layer, masked: bool = False) -> str:
    """Say which engine runs a recurrent layer, and why none that is faster does.

    Args:
        layer: a recurrent layer, of LSTM Zoo or of Keras.
        masked: whether its sequences come with a mask.

    Returns:
        A sentence or more.

    Example:
        >>> import lstm_zoo as lz
        >>> print(explain(lz.LSTM(8, name="memory", unroll=True)).split(". ")[0])
        memory runs on Keras's own loop
    """
    if isinstance(layer, keras.layers.Bidirectional):
        return explain(layer.forward_layer, masked)
    if not isinstance(layer, keras.layers.RNN):
        raise ValueError(f"layer must be a recurrent layer, got {type(layer).__name__}")
    serving = engine_of(layer, masked)
    said = [f"{layer.name} runs on {serving.what}"]
    for engine in ENGINES[: ENGINES.index(serving)]:
        said.append(f"Not on {engine.what}: {engine.why_not(layer, masked)}")
    return ". ".join(said) + "."


def why_not_fast(layer: keras.layers.Layer) -> str | None:
    """Why a layer runs in Keras's own loop rather than in this package's, or None if it does not.

    Args:
        layer: a recurrent layer.

    Returns:
        A sentence without a full stop, or None.

    Example:
        >>> import lstm_zoo as lz
        >>> why_not_fast(lz.LSTM(8, unroll=True))
        'unroll=True asks for a loop that is written out'
    """
    return _why_not_compiled(layer)


def sees_a_gpu() -> bool:
    """Whether TensorFlow is the backend and has a GPU."""
    return tf is not None and bool(tf.config.list_logical_devices("GPU"))


def suits_cudnn(layer) -> bool:
    """Whether cuDNN computes what a layer computes: the plain LSTM, with nothing between steps."""
    cell = getattr(layer, "cell", None)
    return (
        type(cell) is LSTMCell
        and has_usual_activations(cell)
        and cell.use_bias
        and not cell.recurrent_dropout
        and not layer.unroll
        and cell.implementation == 2
    )


def _why_not_cudnn(layer, masked):
    use_cudnn = getattr(layer, "use_cudnn", False)
    if use_cudnn is True:
        return None
    if not suits_cudnn(layer):
        return (
            "it knows the plain LSTM only, with tanh, sigmoid and a bias, without unroll, "
            "recurrent_dropout and implementation=1"
        )
    if not use_cudnn:
        return "use_cudnn=False"
    if masked:
        return "it stops at a sequence that is masked whole, so no mask may lead to it"
    return None if sees_a_gpu() else "TensorFlow sees no GPU"


def _why_not_native(layer, masked):
    cell = getattr(layer, "cell", None)
    if not native.knows(cell):
        return "it knows the plain, peephole and coupled LSTM, with tanh or relu, and sigmoid"
    if cell.compute_dtype == "float64":
        return "it computes in float32"
    if getattr(layer, "recompute", False):
        return "recompute=True asks for less memory than it takes"
    if sees_a_gpu():
        return "TensorFlow sees a GPU, and it runs on the CPU"
    # What keeps the compiled recurrence away (another backend, unroll, own methods) does so here.
    return native.WHY_NOT or _why_not_compiled(layer)


def _why_not_compiled(layer, masked=False):
    cell = getattr(layer, "cell", None)
    if not isinstance(cell, Cell):
        return "its cell is not one of lstm_zoo's"
    if not getattr(layer, "chooses_engine", False):
        return f"{type(layer).__name__} is Keras's own layer; lstm_zoo.RNN runs the same cell"
    if keras.backend.backend() != "tensorflow":
        return f"the Keras backend is {keras.backend.backend()}, not tensorflow"
    for method in ("call", "values", "project", "recur"):
        if getattr(type(cell), method) is not getattr(Cell, method):
            return (
                f"{type(cell).__name__} has a {method}() of its own, which only Keras's loop runs"
            )
    if layer.unroll:
        return "unroll=True asks for a loop that is written out"
    return None


def _why_not_parallel(layer, masked):
    cell, wanted = getattr(layer, "cell", None), getattr(layer, "parallel", False)
    if not scan.is_parallel(cell):
        return "the gates of its cell see the states"
    if not wanted:
        return "parallel=False"
    if wanted == "auto" and not (sees_a_gpu() or hasattr(cell, "in_parallel")):
        return "on a CPU one step after the other is quicker"
    return "unroll=True asks for a loop that is written out" if layer.unroll else None


ENGINES = (
    Engine("cudnn", "cuDNN, NVIDIA's fused kernel", _why_not_cudnn),
    Engine("native", "the native operation of lstm_zoo (C)", _why_not_native),
    Engine("parallel", "all steps side by side", _why_not_parallel),
    Engine("compiled", "the compiled recurrence of lstm_zoo (XLA)", _why_not_compiled),
    Engine("keras", "Keras's own loop", lambda layer, masked: None),
)
