"""The LSTM, GRU and RNN nodes of an ONNX file: their sizes, and their weights in Keras's order.

ONNX's LSTM has its gates in the order i, o, f, c, its GRU in the order z, r, h, its matrices are
transposed, and it has a bias for each product.

Sources: https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html;
DynamicQuantizeLSTM in ONNX Runtime's docs/ContribOperators.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from lstm_zoo import checks, display
from lstm_zoo.cells import CoupledLSTMCell, GRUCell, PeepholeLSTMCell, SimpleRNNCell
from lstm_zoo.cells.activations import keras2_hard_sigmoid
from lstm_zoo.weights.kinds import GRU, RNN
from lstm_zoo.weights.onnx_file import File, Graph, name_of
from lstm_zoo.weights.placing import PLAIN

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_QUANTIZED = "DynamicQuantizeLSTM"
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
_ARGUMENTS = {
    "LSTM": ["recurrent_activation", "activation", "activation"],
    "GRU": ["recurrent_activation", "activation"],
    "RNN": ["activation"],
}
# By ONNX's name, its alpha and its beta, each rounded.
_ACTIVATIONS = {
    ("sigmoid",): keras.activations.sigmoid,
    ("tanh",): keras.activations.tanh,
    ("relu",): keras.activations.relu,
    ("softsign",): keras.activations.softsign,
    ("softplus",): keras.activations.softplus,
    ("elu", 1.0): keras.activations.elu,
    ("affine", 1.0, 0.0): keras.activations.linear,
    ("hardsigmoid", 0.2, 0.5): keras2_hard_sigmoid,
    ("hardsigmoid", 0.16667, 0.5): keras.activations.hard_sigmoid,
}
# The alpha and beta of the activations that have them, where the node gives none.
_PARAMETERS = {
    "affine": (1.0, 0.0),
    "elu": (1.0,),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01,),
    "scaledtanh": (1.0, 1.0),
    "thresholdedrelu": (1.0,),
}


class RecurrentNode(NamedTuple):
    """A recurrent node of an ONNX file.

    Args:
        name: of the node, after the graphs that it is inside; what `from_onnx` takes.
        operator: "LSTM", "GRU", "RNN" or "DynamicQuantizeLSTM".
        features: the width of its input.
        units: the width of its hidden state.
        direction: "forward", "reverse" or "bidirectional".
        layer: the layer that computes the same, as it is written; why there is none, if so.
    """

    name: str
    operator: str
    features: int
    units: int
    direction: str
    layer: str


class Nodes(tuple[RecurrentNode, ...]):
    """The recurrent nodes of a file, which print as a table."""

    def __repr__(self):
        rows = [RecurrentNode._fields, *([str(cell) for cell in node] for node in self)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)) for row in rows]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self):
        return display.table(f"{len(self)} recurrent nodes", RecurrentNode._fields, self)


class Weights(NamedTuple):
    """The weights of one direction in Keras's order; `bias` has two rows for a GRU."""

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray | None
    more: list[np.ndarray]
    gates: int


class Node:
    """A recurrent node and the graph that it is in.

    Attributes:
        name: see `RecurrentNode`.
        operator: "LSTM", "GRU" or "RNN".
        directions: how many.
        cells: the classes of cells that compute the same.
        activations: by a layer's argument, the function.
        options: the layer's other arguments that the node settles.
    """

    def __init__(self, node: Any, graph: Graph):
        self.proto, self.graph = node, graph
        self.name = graph.place + name_of(node)
        self.quantized = node.op_type == _QUANTIZED
        self.operator = "LSTM" if self.quantized else node.op_type
        self.attributes = graph.file.attributes(node)
        self.direction = self.attributes.get("direction", "forward")
        if self.direction not in ("forward", "reverse", "bidirectional"):
            raise self.wrong(f"a direction of ONNX, got {self.direction!r}")
        self.directions = 2 if self.direction == "bidirectional" else 1
        self.options: dict[str, Any] = {}
        if self.direction == "reverse":
            self.options["go_backwards"] = True
        if self.operator == "GRU":
            self.options["reset_after"] = bool(self.attributes.get("linear_before_reset", 0))

    def wrong(self, wanted: str) -> ValueError:
        return ValueError(f"{self.graph.file.path}: {self.proto.op_type} {self.name!r} {wanted}")

    def input(self, place: int, what: str, needed: bool = True):
        """An input that must be constant, by its place."""
        name = self.proto.input[place] if place < len(self.proto.input) else ""
        value = self.graph.constant(name) if name else None
        if value is None and (needed or name):
            raise self.wrong(f"must have constant {what}, got {name!r}, which is not in the file")
        return value

    @property
    def has_peepholes(self) -> bool:
        return self.operator == "LSTM" and len(self.proto.input) > 7 and bool(self.proto.input[7])

    @property
    def cells(self) -> tuple[type, ...]:
        if self.operator != "LSTM":
            return {"GRU": GRU, "RNN": RNN}[self.operator]
        coupled = bool(self.attributes.get("input_forget", 0))
        if coupled and self.has_peepholes:
            raise self.wrong("must not have both input_forget and peepholes: no layer has both")
        if coupled:
            return (CoupledLSTMCell,)
        return (PeepholeLSTMCell,) if self.has_peepholes else PLAIN

    def activations(self) -> dict[str, Any]:
        """By a layer's argument the function; a ValueError where no layer has these."""
        if self.attributes.get("clip", 0):
            raise self.wrong(
                f"must have no clip, which no layer has, got {self.attributes['clip']}"
            )
        names = self.attributes.get("activations") or _DEFAULTS[self.operator] * self.directions
        alphas = list(self.attributes.get("activation_alpha", []))
        betas = list(self.attributes.get("activation_beta", []))
        arguments = _ARGUMENTS[self.operator] * self.directions
        if len(names) != len(arguments):
            raise self.wrong(f"must have {len(arguments)} activations, got {names}")
        found: dict[str, Any] = {}
        for argument, name in zip(arguments, names):
            defaults = _PARAMETERS.get(name.lower(), ())
            given = (alphas, betas)[: len(defaults)]
            numbers = [one.pop(0) if one else default for one, default in zip(given, defaults)]
            key = (name.lower(), *(round(number, 5) for number in numbers))
            if key not in _ACTIVATIONS:
                told = f"{name}({', '.join(f'{n:g}' for n in numbers)})" if numbers else name
                raise self.wrong(f"must have activations that Keras has, got {told}")
            if found.setdefault(argument, _ACTIVATIONS[key]) is not _ACTIVATIONS[key]:
                raise self.wrong(f"must have the same {argument} throughout, got {names}")
        return found

    def sizes(self) -> tuple[int, int]:
        """The features and the units."""
        kernel, recurrent = self._matrices()
        return kernel.shape[1], recurrent.shape[1]

    def _matrices(self, k=0):
        """The two matrices of a direction as ONNX has them, `(gates * units, inputs)`."""
        if self.quantized:
            kernel, recurrent = self._dequantized(k)
        else:
            stored = self.input(1, "weights W"), self.input(2, "weights R")
            for name, value in zip("WR", stored):
                if value.ndim != 3 or len(value) != self.directions:
                    raise self.wrong(
                        f"{name} must be ({self.directions}, .., ..), got {value.shape}"
                    )
            kernel, recurrent = stored[0][k], stored[1][k]
        width, units = kernel.shape[0], recurrent.shape[1]
        wanted = _GATES[self.operator] * units
        if (width, recurrent.shape[0]) != (wanted, wanted) or units != self.attributes.get(
            "hidden_size", units
        ):
            raise self.wrong(
                f"must have weights of the same units, got W {kernel.shape}, R {recurrent.shape} "
                f"and hidden_size {self.attributes.get('hidden_size')}"
            )
        return kernel, recurrent

    def _dequantized(self, k):
        """Those of DynamicQuantizeLSTM: (features, 4 units) integers, a scale, a zero point."""
        found = []
        for place, name, scale in ((1, "W", 8), (2, "R", 10)):
            values = self.input(place, f"weights {name}")
            factor, zero = self.input(scale, f"{name}_scale"), self.input(scale + 1, "zero point")
            fits = values.ndim == 3 and len(values) == len(factor) == len(zero) == self.directions
            if not fits or factor[k].size not in (1, values.shape[2]):
                raise self.wrong(
                    f"must have weights and scales that fit, got {name} {values.shape}"
                )
            whole = values[k].astype("float32") - zero[k].astype("float32")
            found.append((whole * factor[k].astype("float32")).T)
        return found

    def weights(self, k: int) -> Weights:
        """Those of one direction."""
        units = self.sizes()[1]
        kernel, recurrent = self._matrices(k)
        gates = _GATES[self.operator]
        biases = self.input(3, "biases B", needed=False)
        bias = None
        if biases is not None:
            checks.shape(f"B of {self.name!r}", biases.shape, (self.directions, 2 * gates * units))
            bias = biases[k].reshape(2, gates * units).T
        arrays = [self._in_order(one) for one in (kernel, recurrent, bias) if one is not None]
        kernel, recurrent, *biases = (one.astype("float32").T for one in arrays)
        for both in biases:
            bias = both if self.options.get("reset_after") else both[0] + both[1]
        more = []
        if self.has_peepholes:
            peepholes = self.input(7, "peepholes P")
            checks.shape(f"P of {self.name!r}", peepholes.shape, (self.directions, 3 * units))
            more = [peepholes[k].reshape(3, units)[[0, 2, 1]].astype("float32")]
        return Weights(kernel, recurrent, bias, more, kernel.shape[1] // units)

    def _in_order(self, a):
        """Gates in the order of Keras, along the first axis."""
        if self.operator != "LSTM":
            return a
        i, o, f, g = np.split(a, 4)
        if CoupledLSTMCell in self.cells:  # f = 1 - i = sigmoid(-z_i)
            return np.concatenate([-i, g, o])
        return np.concatenate([i, f, g, o])

    def written(self) -> str:
        """The layer that computes the same, as it is written."""
        names: dict[type, str] = {}
        names |= {CoupledLSTMCell: "lz.CoupledLSTM", PeepholeLSTMCell: "lz.PeepholeLSTM"}
        names |= {GRUCell: "lz.GRU", SimpleRNNCell: "lz.SimpleRNN"}
        usual = {"recurrent_activation": "sigmoid", "activation": "tanh"}
        options = {
            argument: function.__name__
            for argument, function in self.activations().items()
            if function.__name__ != usual[argument]
        }
        options |= {k: v for k, v in self.options.items() if (k, v) != ("reset_after", True)}
        arguments = [str(self.sizes()[1]), *(f"{k}={v!r}" for k, v in options.items())]
        layer = f"{names.get(self.cells[0], 'lz.LSTM')}({', '.join(arguments)})"
        return f"keras.layers.Bidirectional({layer})" if self.directions == 2 else layer

    def summary(self) -> RecurrentNode:
        """What a table says of it."""
        features, units = self.sizes()
        try:
            written = self.written() + (", dequantised" if self.quantized else "")
        except ValueError as problem:
            written = str(problem).split(": ", 1)[1]
        return RecurrentNode(
            self.name, self.proto.op_type, features, units, self.direction, written
        )


def nodes_of(file: File) -> list[Node]:
    """The recurrent nodes of a file, in its order."""
    return [Node(node, graph) for node, graph in file.graph.everywhere() if is_recurrent(node)]


def is_recurrent(node) -> bool:
    """Whether a node of ONNX is recurrent."""
    return (node.domain in ("", "ai.onnx") and node.op_type in _GATES) or (
        node.domain == "com.microsoft" and node.op_type == _QUANTIZED
    )
