"""The numbers inside a recurrent model: gates, states, gradients through time, saliency.

Everything here takes a trained `keras.Model` as it is, with layers of LSTM Zoo or Keras's own, and
leaves it as it was. For pictures of these numbers see `lstm_zoo.plots`.
"""

import contextlib
import difflib
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from lstm_zoo.unrolling import directions, recurrent_layers, watched


@dataclass(frozen=True)
class Trace:
    """Every quantity of a recurrent layer's equations at every step, from `trace`.

    The values can be read as attributes: `trace.forget_gate` is `trace.values["forget_gate"]`.

    Args:
        layer: the layer's name.
        kind: "lstm", "gru" or "simple_rnn".
        inputs: `(batch, timesteps, features)`, what the layer read, float32.
        values: by name, each `(batch, timesteps, units)`, float32, NaN at masked steps. For "lstm"
            input_gate, forget_gate, candidate, output_gate, cell_state, hidden_state; for "gru"
            update_gate, reset_gate, candidate, hidden_state; for "simple_rnn" hidden_state.
        mask: `(batch, timesteps)`, True where a step counts; None if all do.
    """

    layer: str
    kind: str
    inputs: np.ndarray
    values: dict[str, np.ndarray]
    mask: np.ndarray | None

    def __getattr__(self, name):
        values = vars(self).get("values", {})
        if name not in values:
            raise AttributeError(f"this Trace has no {name!r}; its values are {list(values)}")
        return values[name]

    @property
    def units(self):
        return self.hidden_state.shape[2]

    @property
    def timesteps(self):
        return self.inputs.shape[1]


class BidirectionalTrace(NamedTuple):
    """The traces of both layers in a `Bidirectional`, both in time order: t is step t of x."""

    forward: Trace
    backward: Trace


def trace(model, x, layer=None):
    """Every gate, the candidate, the cell state and the hidden state of a layer, at every step.

    The layer may be `lstm_zoo.LSTM` or any other with a cell of LSTM Zoo, `keras.layers.LSTM`,
    `GRU`, `SimpleRNN`, or `keras.layers.RNN` around one of their cells, alone or in a
    `Bidirectional`, anywhere in a model of any sort. The model runs as in `predict`; neither it nor
    the states of a stateful layer change. If the model calls the layer several times, this is the
    first.

    Args:
        model: a `keras.Model`, or a recurrent layer on its own.
        x: what the model takes, mostly `(batch, timesteps, features)`.
        layer: which recurrent layer: its name, the layer itself, or its index among the recurrent
            layers; the first one if None.

    Returns:
        A `Trace`, or for a `Bidirectional` a `BidirectionalTrace`. Index t along time is step t of
        the layer's input, whichever way the layer reads.

    Raises:
        ValueError: if `x` is empty, not finite or of the wrong rank, if there is no such layer, or
            if the cell of the layer is of an unknown class.

    Example:
        >>> model = keras.Sequential([keras.Input((20, 3)), keras.layers.LSTM(8)])
        >>> seen = trace(model, np.zeros((2, 20, 3)))
        >>> seen.forget_gate.shape
        (2, 20, 8)
    """
    x = _checked_x(model, x)
    chosen = _chosen(model, layer)
    calls = {one: [] for one in directions(chosen)}
    with contextlib.ExitStack() as stack:
        for one, seen in calls.items():
            stack.enter_context(watched(one, lambda *call, seen=seen: seen.append(call)))
        model(x, training=False)
    traces = [_trace(one, seen) for one, seen in calls.items()]
    return traces[0] if len(traces) == 1 else BidirectionalTrace(*traces)


def _trace(layer, calls):
    if not calls:
        raise ValueError(f"layer {layer.name!r} was not called by the model on this x")
    inputs, mask, values = calls[0]
    values = {name: _float32(value) for name, value in values.items()}
    if mask is not None:
        mask = np.asarray(mask, bool)
        for value in values.values():
            value[~mask] = np.nan
    kind = "lstm" if "cell_state" in values else "gru" if "update_gate" in values else "simple_rnn"
    return Trace(layer.name, kind, _float32(inputs), values, mask)


def _float32(tensor):
    return np.array(keras.ops.cast(tensor, "float32"))


def _chosen(model, layer):
    layers = recurrent_layers(model)
    if not layers:
        raise ValueError(
            "model must hold a recurrent layer (LSTM, GRU, SimpleRNN, RNN or Bidirectional), "
            f"got {model.name!r}, which has none"
        )
    names = [one.name for one in layers]
    if layer is None:
        return layers[0]
    if isinstance(layer, str):
        if names.count(layer) == 1:
            return layers[names.index(layer)]
        if layer in names:
            raise ValueError(f"layer {layer!r} is the name of several; give the layer itself")
        near = difflib.get_close_matches(layer, names, n=1, cutoff=0)
        raise ValueError(f"layer must be one of {names}, got {layer!r}; did you mean {near[0]!r}?")
    if isinstance(layer, (int, np.integer)) and not isinstance(layer, bool):
        if -len(layers) <= layer < len(layers):
            return layers[layer]
        raise ValueError(f"layer must be below {len(layers)}, one of {names}, got {layer}")
    if layer in layers:
        return layer
    raise ValueError(f"layer must be a recurrent layer of the model, one of {names}, got {layer!r}")


def _checked_x(model, x):
    """`x` as arrays, refused unless it is what the model takes."""
    if isinstance(x, dict) or (isinstance(x, (list, tuple)) and hasattr(x[0], "shape")):
        return keras.tree.map_structure(lambda part: _finite("x", part), x)  # several inputs
    x = _finite("x", x)
    wanted = _input_rank(model)
    if wanted is not None and x.ndim != wanted:
        axes = {3: " (batch, timesteps, features)", 2: " (batch, timesteps)"}.get(wanted, "")
        raise ValueError(f"x must have {wanted} dimensions{axes}, got shape {x.shape}")
    return x


def _finite(name, array):
    try:
        array = np.asarray(array)
    except ValueError as problem:
        raise ValueError(f"{name} must be an array of numbers: {problem}") from problem
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be an array of numbers, got dtype {array.dtype}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite, got {np.sum(~np.isfinite(array))} NaN or infinite"
        )
    return array


def _input_rank(model):
    if isinstance(model, keras.layers.RNN | keras.layers.Bidirectional):
        return 3
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and (not shape or not isinstance(shape[0], (tuple, list))):
        return len(shape)
    embeds = any(isinstance(one, keras.layers.Embedding) for one in model._flatten_layers())
    return None if embeds or shape is not None else 3
