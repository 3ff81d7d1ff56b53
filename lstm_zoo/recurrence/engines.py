"""Which engine runs a layer: one table, from the fastest to the one that always serves."""

from collections.abc import Callable
from typing import NamedTuple

import keras

from lstm_zoo import checks
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
    why_not: Callable  # of a layer, whether it is masked, its timesteps: why it cannot, or None


def engine_of(layer, masked: bool = False, timesteps: int | None = None) -> Engine:
    """The engine that runs a layer on so many timesteps, None for an open number of them.

    It is the first in the table that can.
    """
    return next(engine for engine in ENGINES if engine.why_not(layer, masked, timesteps) is None)


def explain(layer: keras.layers.Layer, masked: bool = False, timesteps: int | None = None) -> str:
    """Say which engine runs a recurrent layer, and why none that is faster does.

    Args:
        layer: a recurrent layer, of LSTM Zoo or of Keras.
        masked: whether its sequences come with a mask.
        timesteps: how long its sequences are; if None, as long as those it was built for.

    Returns:
        A sentence or more.

    Raises:
        ValueError: if `layer` is not a recurrent layer, or `timesteps` not a whole number.

    Example:
        >>> import lstm_zoo as lz
        >>> print(explain(lz.LSTM(8, name="memory", unroll=True)).split(". ")[0])
        memory runs on the loop of lstm_zoo, step after step
    """
    if isinstance(layer, keras.layers.Bidirectional):
        return explain(layer.forward_layer, masked, timesteps)
    if not isinstance(layer, keras.layers.RNN):
        raise ValueError(f"layer must be a recurrent layer, got {type(layer).__name__}")
    if timesteps is None:
        timesteps = getattr(layer, "built_for", 1)
    else:
        timesteps = checks.count("timesteps", timesteps)
    serving = engine_of(layer, masked, timesteps)
    said = [f"{layer.name} runs on {serving.what}"]
    if serving.name == "parallel":
        said[0] += f" where {scan.limit(layer.cell)}"
    for engine in ENGINES[: ENGINES.index(serving)]:
        said.append(f"Not on {engine.what}: {engine.why_not(layer, masked, timesteps)}")
    return ". ".join(said) + "."


def why_not_fast(layer: keras.layers.Layer) -> str | None:
    """Why a layer runs in a loop, step after step, or None if a compiled engine runs it.

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


def _why_not_cudnn(layer, masked, timesteps):
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


def _why_not_native(layer, masked, timesteps):
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


def _why_not_compiled(layer, masked=False, timesteps=None):
    reason = _why_not_loop(layer)
    if reason is None and keras.backend.backend() != "tensorflow":
        return f"the Keras backend is {keras.backend.backend()}, not tensorflow"
    if reason is None and layer.unroll:
        return "unroll=True asks for a loop that is written out"
    return reason


def _why_not_loop(layer, masked=False, timesteps=None):
    cell = getattr(layer, "cell", None)
    if not isinstance(cell, Cell):
        return "its cell is not one of lstm_zoo's"
    if not getattr(layer, "chooses_engine", False):
        return f"{type(layer).__name__} is Keras's own layer; lstm_zoo.RNN runs the same cell"
    for method in ("call", "values", "project", "recur"):
        if getattr(type(cell), method) is not getattr(Cell, method):
            return (
                f"{type(cell).__name__} has a {method}() of its own, which only Keras's loop runs"
            )
    return None


def _why_not_parallel(layer, masked, timesteps):
    cell, wanted = getattr(layer, "cell", None), getattr(layer, "parallel", False)
    if not scan.is_parallel(cell):
        return "the gates of its cell see the states"
    if not wanted:
        return "parallel=False"
    if wanted == "auto" and not (sees_a_gpu() or hasattr(cell, "in_parallel")):
        return "on a CPU one step after the other is quicker"
    if layer.unroll:
        return "unroll=True asks for a loop that is written out"
    return None if scan.serves(cell, timesteps) else f"it serves where {scan.limit(cell)}"


ENGINES = (
    Engine("cudnn", "cuDNN, NVIDIA's fused kernel", _why_not_cudnn),
    Engine("native", "the native operation of lstm_zoo (C)", _why_not_native),
    Engine("parallel", "all steps side by side", _why_not_parallel),
    Engine("compiled", "the compiled recurrence of lstm_zoo (XLA)", _why_not_compiled),
    Engine("loop", "the loop of lstm_zoo, step after step", _why_not_loop),
    Engine("keras", "Keras's own loop", lambda layer, masked, timesteps: None),
)
