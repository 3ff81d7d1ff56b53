"""The kinds of recurrent layers that weights move in and out of, and the check for each kind."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from lstm_zoo.cells import (
    GRUCell,
    PeepholeLSTMCell,
    ProjectedLSTMCell,
    SimpleRNNCell,
    SLSTMCell,
)
from lstm_zoo.weights.placing import PLAIN, activations

_GATED = {"activation": ["tanh"], "recurrent_activation": ["sigmoid"]}
GRU = (GRUCell, keras.layers.GRUCell)
RNN = (SimpleRNNCell, keras.layers.SimpleRNNCell)


class Kind(NamedTuple):
    """A kind of recurrent layer.

    Attributes:
        layer: the layer, as it is written.
        cells: the classes of its cell.
        order: a letter for each gate, in the order of Keras's weights.
        activations: by a cell's argument, the names of the allowed activations.
        options: by a cell's argument, the required value.
    """

    layer: str
    cells: tuple[type, ...]
    order: str
    activations: Mapping[str, list[str]] = {}
    options: Mapping[str, Any] = {}

    def check(self, layer: Any, source: str) -> None:
        """Refuse a layer that computes something else than `source`, a class of a library."""
        if type(getattr(layer, "cell", None)) not in self.cells:
            raise ValueError(
                f"layers must be {self.layer} for {source}, got {type(layer).__name__}"
            )
        activations(layer, source, **self.activations)
        for argument, wanted in self.options.items():
            got = getattr(layer.cell, argument)
            if got != wanted:
                raise ValueError(
                    f"{layer.name} must have {argument}={wanted}, as in {source}, got {got}"
                )


KINDS = {
    "lstm": Kind("lz.LSTM", PLAIN, "ifgo", _GATED),
    "projected": Kind(
        'lz.layers.layer_for("projected", units, projection=size)',
        (ProjectedLSTMCell,),
        "ifgo",
        _GATED,
    ),
    "peephole": Kind("lz.PeepholeLSTM", (PeepholeLSTMCell,), "ifgo", _GATED),
    "slstm": Kind('lz.layers.layer_for("slstm", units)', (SLSTMCell,), "ifgo"),
    "gru": Kind("keras.layers.GRU", GRU, "zrn", _GATED, {"reset_after": True}),
    "early_reset_gru": Kind(
        "keras.layers.GRU(units, reset_after=False)", GRU, "zrn", _GATED, {"reset_after": False}
    ),
    "rnn": Kind("keras.layers.SimpleRNN", RNN, "n", {"activation": ["tanh", "relu"]}),
}


def kind_of(layer: Any) -> str:
    """The name of a layer's kind in `KINDS`; a ValueError without one."""
    cell = getattr(layer, "cell", None)
    for name, kind in KINDS.items():
        options = {argument: getattr(cell, argument, None) for argument in kind.options}
        if type(cell) in kind.cells and options == kind.options:
            return name
    raise ValueError(
        f"layers must be one of {', '.join(kind.layer for kind in KINDS.values())} or "
        f"Bidirectional of them, got {type(layer).__name__}"
    )
