"""Every gate and state of a recurrent layer, at every step of every sequence."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import keras
import numpy as np

from lstm_zoo import checks, display
from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.inspection.finding import (
    Inputs,
    checked_x,
    chosen_layer,
    directions,
    layers_by_name,
)
from lstm_zoo.inspection.recording import compiled_loop, recorded, unchanged


class _Quantities:
    """What a type checker knows of a Trace's values; a cell of one's own has them in `values`."""

    input_gate: np.ndarray
    forget_gate: np.ndarray
    candidate: np.ndarray
    output_gate: np.ndarray
    cell_state: np.ndarray
    hidden_state: np.ndarray
    update_gate: np.ndarray
    reset_gate: np.ndarray

    if TYPE_CHECKING:  # what `trace` returns may have two directions

        @property
        def forward(self) -> NoReturn: ...

        @property
        def backward(self) -> NoReturn: ...


@dataclass(frozen=True, repr=False)
class Trace(_Quantities):
    """Every quantity of a recurrent layer's equations at every step, from `trace`.

    The values can be read as attributes: `trace.forget_gate` is `trace.values["forget_gate"]`.
    Index t along time is step t of the layer's input, whichever way the layer reads; `order` says
    which way that is.

    Args:
        layer: the layer's name.
        kind: "lstm" for any cell with a cell state, "gru", "simple_rnn", or the class of a cell
            that is none of these.
        inputs: `(batch, timesteps, features)`, what the layer read, float32.
        values: by name, each `(batch, timesteps, width)`, float32, NaN at masked steps. For "lstm"
            input_gate, forget_gate, candidate, output_gate, cell_state, hidden_state; for "gru"
            update_gate, reset_gate, candidate, hidden_state; for "simple_rnn" hidden_state.
        mask: `(batch, timesteps)`, True where a step counts; None if all do.
        initial: by the name of the state, `(batch, width)`, float32: what it was before the first
            step read. A state that is not in it was zero.
        backwards: whether the layer reads from the end of the sequence.
    """

    layer: str
    kind: str
    inputs: np.ndarray
    values: dict[str, np.ndarray]
    mask: np.ndarray | None
    initial: dict[str, np.ndarray] = field(default_factory=dict)
    backwards: bool = False

    if not TYPE_CHECKING:  # which would let a misspelt name pass

        def __getattr__(self, name):
            values = vars(self).get("values", {})
            if name not in values:
                raise AttributeError(f"this Trace has no {name!r}; its values are {list(values)}")
            return values[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.values]

    def __repr__(self) -> str:
        return f"Trace({self._title()}: {', '.join(self.values)})"

    def _repr_html_(self) -> str:
        rows = [
            (
                display.words(name),
                display.number(display.mean(value)),
                *map(display.number, display.span(value)),
                display.curve(
                    display.mean(value, axis=(0, 2)),
                    f"mean {display.words(name)} over time",
                    display.COLOURS.get(name, display.PLAIN),
                ),
            )
            for name, value in self.values.items()
        ]
        head = ("value", "mean", "lowest", "highest", "mean at each step")
        return display.table(f"Trace of {self._title()}", head, rows)

    def _title(self):
        sequences, timesteps, features = self.inputs.shape
        way = ", read backwards" if self.backwards else ""
        return (
            f"{self.layer!r}, {self.kind}, {sequences} x {timesteps} steps of {features} "
            f"feature{'s' * (features != 1)}, {self.units} unit{'s' * (self.units != 1)}{way}"
        )

    @property
    def units(self) -> int:
        """The width of the hidden state; that of a gate or of another state may differ."""
        return self.hidden_state.shape[2]

    @property
    def timesteps(self) -> int:
        return self.inputs.shape[1]

    def order(self, sample: int) -> list[int]:
        """The steps of a sequence that are not masked, in the order the layer reads them.

        Args:
            sample: which sequence of the batch.

        Returns:
            A list of whole numbers, empty if all steps are masked.

        Raises:
            ValueError: if there is no such sequence.
        """
        sample = checks.count("sample", sample, 0, below=len(self.inputs))
        steps = np.flatnonzero(self._counts[sample])
        return (steps[::-1] if self.backwards else steps).tolist()

    def last(self, name: str) -> np.ndarray:
        """A value after the last step read, of each sequence: for a state, where the layer ended.

        Args:
            name: one of `values`, such as "hidden_state".

        Returns:
            `(batch, width)`; NaN for a sequence that is masked throughout.

        Raises:
            ValueError: if there is no such value.
        """
        value = self.values[checks.one_of("name", name, self.values)]
        if self.backwards:
            end = np.argmax(self._counts, axis=1)
        else:
            end = self.timesteps - 1 - np.argmax(self._counts[:, ::-1], axis=1)
        return value[np.arange(len(value)), end]

    def before(self, name: str, sample: int) -> np.ndarray:
        """A state before each step of `order(sample)`, `(steps, width)`.

        Args:
            name: the state, such as "cell_state".
            sample: which sequence of the batch.

        Raises:
            ValueError: if there is no such state or sequence.
        """
        value, order = self.values[checks.one_of("name", name, self.values)], self.order(sample)
        start = self.initial[name] if name in self.initial else np.zeros_like(value[:, 0])
        return np.concatenate([start[sample][None], value[sample, order]])[: len(order)]

    @property
    def _counts(self):
        every = np.ones(self.inputs.shape[:2], bool)
        return every if self.mask is None else np.asarray(self.mask, bool)


class BidirectionalTrace(NamedTuple):
    """The two directions of a `Bidirectional`, both in the order of the input, from `trace`."""

    forward: Trace
    backward: Trace

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"this trace has two directions and no {name!r} of its own: "
            "take it from trace.forward or trace.backward"
        )

    def _repr_html_(self) -> str:
        return self.forward._repr_html_() + self.backward._repr_html_()


@needs_tensorflow
def trace(
    model: keras.Layer, x: Inputs, layer: str | int | keras.Layer | None = None
) -> Trace | Any:  # Any is the BidirectionalTrace, so that the rest takes what this gives
    """Every gate, the candidate, the cell state and the hidden state of a layer, at every step.

    The layer may be `lstm_zoo.LSTM` or any other with a cell of LSTM Zoo, `keras.layers.LSTM`,
    `GRU`, `SimpleRNN`, or `keras.layers.RNN` around one of their cells, alone or in a
    `Bidirectional`, anywhere in a model of any sort. The model runs as in `predict`; neither it nor
    the states of a stateful layer change. Of a layer that the model calls several times, this is
    the first call. Several threads may look into one model, one after the other, while others use
    it.

    Args:
        model: a `keras.Model`, or a recurrent layer on its own.
        x: what the model takes, mostly `(batch, timesteps, features)`.
        layer: which recurrent layer: its name, the layer itself, or its index among the recurrent
            layers; the first one if None.

    Returns:
        A `Trace`, or for a `Bidirectional` a `BidirectionalTrace`.

    Raises:
        ValueError: if `x` is empty, not finite or of the wrong rank, if there is no such layer, if
            the cell of the layer is of an unknown class, or if Keras's backend is not TensorFlow.

    Example:
        >>> model = keras.Sequential([keras.Input((20, 3)), keras.layers.LSTM(8)])
        >>> seen = trace(model, np.zeros((2, 20, 3)))
        >>> seen.forget_gate.shape
        (2, 20, 8)
    """
    x = checked_x(model, x)
    layers = directions(chosen_layer(model, layer)).values()
    with contextlib.ExitStack() as stack:
        stack.enter_context(unchanged(layers_by_name(model).values()))
        calls = [stack.enter_context(recorded(one, compiled_loop)) for one in layers]
        model(x, training=False)
    traces = [_trace(one, seen) for one, seen in zip(layers, calls)]
    return traces[0] if len(traces) == 1 else BidirectionalTrace(*traces)


def _trace(layer, calls):
    if not calls:
        raise ValueError(f"layer {layer.name!r} was not called by the model on this x")
    inputs, mask, initial, values = calls[0]
    values = {name: _float32(value) for name, value in values.items()}
    if mask is not None:
        mask = np.asarray(mask, bool)
        values = {name: np.where(mask[..., None], v, np.nan) for name, v in values.items()}
    return Trace(
        layer.name,
        _kind(layer.cell, values),
        _float32(inputs),
        values,
        mask,
        initial={name: _float32(state) for name, state in initial.items()},
        backwards=layer.go_backwards,
    )


def _kind(cell, values):
    if "cell_state" in values:
        return "lstm"
    keras_kinds = {keras.layers.GRUCell: "gru", keras.layers.SimpleRNNCell: "simple_rnn"}
    return keras_kinds.get(type(cell), type(cell).__name__)


def _float32(tensor):
    return np.asarray(keras.ops.cast(tensor, "float32"))
