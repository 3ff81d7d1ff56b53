"""Every gate and state of a recurrent layer, at every step of every sequence."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import keras
import numpy as np

from lstm_zoo import checks, display
from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.cells import GRUCell, SimpleRNNCell
from lstm_zoo.inspection.finding import (
    Inputs,
    checked_x,
    chosen_layer,
    directions,
    layers_by_name,
)
from lstm_zoo.inspection.recording import compiled_loop, recorded, unchanged


class _Quantities:
    """The attributes of a Trace for type checkers; custom cells have theirs in `values`."""

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

    All values are attributes: `trace.forget_gate` is `trace.values["forget_gate"]`. Index t along
    time is step t of the layer's input, for layers that read backwards too; `order` gives the order
    in which the layer reads.

    Args:
        layer: the layer's name.
        kind: "lstm" for any cell with a cell state, "gru", "simple_rnn", or the class name of any
            other cell.
        inputs: the layer's input, `(batch, timesteps, features)` float32.
        values: a dict of `(batch, timesteps, width)` float32, NaN at masked steps. The names are
            input_gate, forget_gate, candidate, output_gate, cell_state and hidden_state for "lstm";
            update_gate, reset_gate, candidate and hidden_state for "gru"; hidden_state for
            "simple_rnn".
        mask: `(batch, timesteps)`, True at unmasked steps; None without a mask.
        initial: a dict from state name to `(batch, width)` float32, the states before the first
            step read. Missing states were zero.
        backwards: whether the layer reads the sequence backwards.
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
                raise AttributeError(f"this Trace has no {name!r}; it has {list(values)}")
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
        """The width of the hidden state; gates and other states may have another width."""
        return self.hidden_state.shape[2]

    @property
    def timesteps(self) -> int:
        return self.inputs.shape[1]

    def order(self, sample: int) -> list[int]:
        """The unmasked steps of a sequence, in the order in which the layer reads them.

        Args:
            sample: the index of a sequence in the batch.

        Returns:
            A list of integers, empty if all steps are masked.

        Raises:
            ValueError: if the sequence does not exist.
        """
        sample = checks.count("sample", sample, 0, below=len(self.inputs))
        steps = np.flatnonzero(self._counts[sample])
        return (steps[::-1] if self.backwards else steps).tolist()

    def last(self, name: str) -> np.ndarray:
        """A value after the last step read, for each sequence; for a state, its final value.

        Args:
            name: one of `values`, such as "hidden_state".

        Returns:
            `(batch, width)`; NaN for a sequence whose steps are all masked.

        Raises:
            ValueError: if the value does not exist.
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
            sample: the index of a sequence in the batch.

        Raises:
            ValueError: if the state or sequence does not exist.
        """
        value, order = self.values[checks.one_of("name", name, self.values)], self.order(sample)
        start = self.initial[name] if name in self.initial else np.zeros_like(value[:, 0])
        return np.concatenate([start[sample][None], value[sample, order]])[: len(order)]

    @property
    def _counts(self):
        every = np.ones(self.inputs.shape[:2], bool)
        return every if self.mask is None else np.asarray(self.mask, bool)


class BidirectionalTrace(NamedTuple):
    """The traces of both directions of a `Bidirectional`, in the order of the input."""

    forward: Trace
    backward: Trace

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"this trace has two directions: use trace.forward.{name} or trace.backward.{name}"
        )

    def _repr_html_(self) -> str:
        return self.forward._repr_html_() + self.backward._repr_html_()


@needs_tensorflow
def trace(
    model: keras.Layer, x: Inputs, layer: str | int | keras.Layer | None = None
) -> Trace | Any:  # Any is the BidirectionalTrace, which other functions must accept
    """Record every gate, the candidate, the cell state and the hidden state at every step.

    The layer may be a layer of LSTM Zoo, `keras.layers.LSTM`, `GRU` or `SimpleRNN`, or
    `keras.layers.RNN` with one of Keras's three cells. It may be alone or inside a `Bidirectional`,
    anywhere in any model. The model runs as in `predict`. Neither its weights nor
    the states of stateful layers change. If the model calls the layer several times, the first call
    is recorded. Several threads may trace one model (they take turns) while others use it.

    Args:
        model: a `keras.Model`, or a recurrent layer on its own.
        x: the model's input, usually `(batch, timesteps, features)`.
        layer: the recurrent layer: its name, the layer itself, or its index among the recurrent
            layers; None takes the first.

    Returns:
        A `Trace`, or a `BidirectionalTrace` for a `Bidirectional`.

    Raises:
        ValueError: if `x` is empty, not finite or of the wrong rank, if the layer does not exist,
            if its cell is of an unknown class, or if Keras's backend is not TensorFlow.

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
        raise ValueError(f"layer {layer.name!r} must be called by the model on this x, got no call")
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
    kinds = {keras.layers.GRUCell: "gru", keras.layers.SimpleRNNCell: "simple_rnn"}
    kinds |= {GRUCell: "gru", SimpleRNNCell: "simple_rnn"}
    return kinds.get(type(cell), type(cell).__name__)


def _float32(tensor):
    return np.asarray(keras.ops.cast(tensor, "float32"))
