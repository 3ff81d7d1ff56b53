"""The numbers inside a recurrent model: gates, states, gradients through time, saliency.

Everything here takes a trained `keras.Model` as it is, with layers of LSTM Zoo or Keras's own, and
leaves it as it was. For pictures of these numbers see `lstm_zoo.plots`.
"""

import contextlib
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from lstm_zoo.attribution import saliency
from lstm_zoo.sensitivity import (
    GradientFlow,
    JacobianNorms,
    gradient_flow,
    jacobian_norms,
)
from lstm_zoo.unrolling import (
    checked_x,
    chosen_layer,
    directions,
    recurrent_layers,
    unchanged,
    watched,
)

__all__ = [
    "BidirectionalTrace",
    "GateSummary",
    "GradientFlow",
    "JacobianNorms",
    "Trace",
    "gate_summary",
    "gradient_flow",
    "jacobian_norms",
    "saliency",
    "trace",
]


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
    the states of a stateful layer change. Of a layer that the model calls several times, this is
    the first call.

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
    x = checked_x(model, x)
    layers = directions(chosen_layer(model, layer)).values()
    with contextlib.ExitStack() as stack:
        stack.enter_context(unchanged(recurrent_layers(model).values()))
        calls = [stack.enter_context(watched(one)) for one in layers]
        model(x, training=False)
    traces = [_trace(one, seen) for one, seen in zip(layers, calls)]
    return traces[0] if len(traces) == 1 else BidirectionalTrace(*traces)


def _trace(layer, calls):
    if not calls:
        raise ValueError(f"layer {layer.name!r} was not called by the model on this x")
    inputs, mask, values = calls[0]
    values = {name: _float32(value) for name, value in values.items()}
    if mask is not None:
        mask = np.asarray(mask, bool)
        values = {name: np.where(mask[..., None], v, np.nan) for name, v in values.items()}
    kind = "lstm" if "cell_state" in values else "gru" if "update_gate" in values else "simple_rnn"
    return Trace(layer.name, kind, _float32(inputs), values, mask)


def _float32(tensor):
    return np.asarray(keras.ops.cast(tensor, "float32"))


@dataclass(frozen=True)
class GateSummary:
    """How the gates of a layer behave over a data set, from `gate_summary`.

    Args:
        below: by gate, `(units,)`, the fraction of steps at which the gate is below 0.1.
        above: by gate, `(units,)`, the fraction of steps at which it is above 0.9.
        saturated: by gate, `(units,)` of booleans: below 0.1 or above 0.9 at 95 % of the steps or
            more, so that the gate is a constant switch and its weights hardly learn.
        dead: `(units,)` of booleans: the hidden state never leaves -0.01 to 0.01, so that the unit
            tells the next layer nothing.
        half_life: `(units,)`, in steps: how long until the forget gate, at its mean, has halved
            what the cell state holds, ln 0.5 / ln mean f. Of a GRU the update gate, which keeps the
            hidden state as the forget gate keeps the cell state. None for a SimpleRNN.
    """

    below: dict[str, np.ndarray]
    above: dict[str, np.ndarray]
    saturated: dict[str, np.ndarray]
    dead: np.ndarray
    half_life: np.ndarray | None


def gate_summary(trace):
    """How often each gate is shut or open, which units are dead, and how long each one remembers.

    Args:
        trace: a `Trace`; of many sequences, for the fractions to mean much.

    Returns:
        A `GateSummary`. Masked steps do not count.

    Raises:
        ValueError: if `trace` is not a `Trace`, or every step of it is masked.

    Example:
        >>> seen = trace(keras.layers.LSTM(8), np.ones((4, 20, 3)))
        >>> gate_summary(seen).above["forget_gate"].shape
        (8,)

    Source:
        Karpathy, Johnson & Fei-Fei 2015, https://arxiv.org/abs/1506.02078.
    """
    if not isinstance(trace, Trace):
        hint = "; give its .forward or its .backward" if hasattr(trace, "forward") else ""
        raise ValueError(f"trace must be a Trace, got a {type(trace).__name__}{hint}")
    if trace.mask is not None and not trace.mask.any():
        raise ValueError("trace must hold a step that is not masked, got one where all are")
    counts = slice(None) if trace.mask is None else trace.mask
    steps = {name: v[counts].reshape(-1, v.shape[-1]) for name, v in trace.values.items()}
    gates = {name: value for name, value in steps.items() if name.endswith("_gate")}
    below = {name: np.mean(gate < 0.1, axis=0) for name, gate in gates.items()}
    above = {name: np.mean(gate > 0.9, axis=0) for name, gate in gates.items()}
    keeps = gates.get("forget_gate", gates.get("update_gate"))
    return GateSummary(
        below=below,
        above=above,
        saturated={name: below[name] + above[name] >= 0.95 for name in gates},
        dead=np.abs(steps["hidden_state"]).max(axis=0) <= 0.01,
        half_life=None if keeps is None else _half_life(keeps.mean(axis=0, dtype="float64")),
    )


def _half_life(kept):
    with np.errstate(divide="ignore"):
        return np.where(kept < 1, np.log(0.5) / np.log(np.minimum(kept, 1)), np.inf)
