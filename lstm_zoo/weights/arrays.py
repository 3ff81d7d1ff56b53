"""Weights of other libraries as trees of arrays: Flax, Equinox, Haiku, Paddle, MXNet and others."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.weights.kinds import KINDS, kind_of
from lstm_zoo.weights.placing import as_list, fitted, set_all
from lstm_zoo.weights.sources import SOURCES, Gates, Source
from lstm_zoo.weights.sources.base import joined, split
from lstm_zoo.weights.trees import array_of, flattened, prefix_of

_ORDERED = ("kernel", "recurrent", "bias", "recurrent_bias")


def from_arrays(
    layers: keras.layers.Layer | Sequence[keras.layers.Layer],
    arrays: Mapping,
    source: str,
    *,
    prefix: str | None = None,
) -> None:
    """Set the weights of recurrent layers to those of a class of another library.

    The library does not have to be installed: the arrays may come from an `.npz` file, a checkpoint
    or the library itself. docs/foreign_models.md has a line for each source: how to get its arrays,
    its order of gates and its biases.

    Args:
        layers: the layer that computes the same, such as `LSTM` for "equinox.nn.LSTMCell" and
            `keras.layers.GRU` for "equinox.nn.GRUCell". For a class with several layers
            ("paddle.nn.LSTM", "gluon.rnn.GRU", "chainer.links.NStepLSTM") a list of them, in
            `keras.layers.Bidirectional` if it is bidirectional. Layers that are not built yet are
            built.
        arrays: a dict of arrays by name, or a tree of dicts. Keys of inner dicts are joined by "/".
        source: the class that the arrays come from, as it is written; a wrong name lists all.
        prefix: the text before the names of the cell's arrays, such as "params/encoder/" or
            "encoder.lstm."; needed only if `arrays` has several such cells.

    Raises:
        ValueError: if an array is missing or its shape does not fit, if `arrays` has more layers or
            directions than `layers`, or if a layer computes something else than the class, for
            example because the class clips the cell state. No layer changes then.

    Example:
        >>> import lstm_zoo as lz
        >>> tree = {"weight_ih": np.ones((16, 3)), "weight_hh": np.ones((16, 4))}
        >>> from_arrays(lz.LSTM(4), {"encoder": tree}, "equinox.nn.LSTMCell")
    """
    from_class = SOURCES[checks.one_of("source", source, SOURCES)]
    tree = flattened("arrays", arrays)
    places = _places(as_list(layers), from_class)
    prefix = prefix_of(tree, from_class, prefix)
    for name, why in from_class.refused.items():
        if prefix + name in tree:
            raise ValueError(f"arrays must not have {prefix + name!r}: {why}, which no cell does")
    _nothing_is_left(tree, from_class, prefix, places)
    gates = [(layer, _read(tree, from_class, prefix, place)) for layer, place in places]
    for layer, found in gates:
        KINDS[found.kind].check(layer, source)
    set_all([(layer, fitted(layer, *_keras_weights(found))) for layer, found in gates])


def to_arrays(
    layers: keras.layers.Layer | Sequence[keras.layers.Layer],
    source: str,
    *,
    prefix: str = "",
) -> dict[str, Any]:
    """The weights of recurrent layers as the arrays of a class of another library.

    Args:
        layers: as in `from_arrays`; the layers must be built.
        source: the class to write for, such as "nnx.OptimizedLSTMCell".
        prefix: the text before the names of the cell's arrays.

    Returns:
        A dict of arrays by name; a tree of dicts for Flax and Haiku.

    Raises:
        ValueError: if a layer is not built, if the class computes something else than a layer, or
            if nothing can be written for the class.

    Example:
        >>> import lstm_zoo as lz
        >>> layer = lz.LSTM(4)
        >>> layer.build((None, None, 3))
        >>> list(to_arrays(layer, "equinox.nn.LSTMCell"))
        ['weight_ih', 'weight_hh', 'bias']
    """
    written = [name for name, one in SOURCES.items() if one.write]
    to_class = SOURCES[checks.one_of("source", source, written)]
    checks.text("prefix", prefix)
    arrays: dict[str, np.ndarray] = {}
    for layer, place in _places(as_list(layers), to_class):
        kind = kind_of(layer)
        if kind not in to_class.kinds:
            kind = to_class.kinds[0]
        KINDS[kind].check(layer, source)
        if not layer.built:
            raise ValueError(
                f"layers must be built, got {layer.name!r}, which is not; call it on data first"
            )
        assert to_class.write is not None  # as `written` says
        found = to_class.write(_gates(layer.cell, kind))
        arrays |= {prefix + name.format(place): value for name, value in found.items()}
    return to_class.form(arrays)


def _places(layers, source: Source):
    """Each layer of one direction, with the text that stands for it in the names of arrays."""
    places = []
    for number, layer in enumerate(layers):
        both = isinstance(layer, keras.layers.Bidirectional)
        if source.place is None and (both or len(layers) > 1):
            raise ValueError(
                f"layers must be one layer of one direction for {source.name}, got "
                f"{type(layer).__name__ if both else f'{len(layers)} layers'}; call from_arrays "
                "for each cell, such as layer.forward_layer, with its prefix"
            )
        parts = [layer.forward_layer, layer.backward_layer] if both else [layer]
        for backward, part in enumerate(parts):
            place = source.place(number, bool(backward), both) if source.place else ""
            places.append((part, place))
    if not places:
        raise ValueError("layers must have at least one layer, got none")
    return places


def _nothing_is_left(tree, source, prefix, places):
    """Refuse to ignore a layer or direction in the arrays."""
    if source.place is None:
        return
    used = {place for _, place in places}
    options = [(number, b, t) for number in range(len(places) + 1) for b, t in _DIRECTIONS]
    for place in sorted({source.place(*option) for option in options} - used):
        name = prefix + source.names[0].format(place)
        if name in tree:
            raise ValueError(
                f"layers must have all layers and directions of arrays, which also has {name!r}"
            )


_DIRECTIONS = [(False, False), (False, True), (True, True)]


def _read(tree, source, prefix, place) -> Gates:
    """The gates of one cell."""
    present = [name for group in source.optional for name in _whole(tree, group, prefix, place)]
    arrays = {
        name: array_of(prefix + name.format(place), tree) for name in (*source.names, *present)
    }
    try:
        gates = source.read(arrays)
    except ValueError as problem:
        raise ValueError(str(problem).replace("{}", place)) from None
    first = next(iter(gates.kernel.values()))
    units = first.shape[-1] if first.ndim else 0
    shapes = [("features", units), (None, units), (units,), (units,)]
    for part, wanted in zip(_ORDERED, shapes):
        for gate, block in getattr(gates, part).items():
            checks.shape(f"{source.name}'s {part} of {gate}", block.shape, wanted)
    return gates


def _whole(tree, group, prefix, place):
    """The names of a group of optional arrays, or none; a ValueError if only some are there."""
    missing = [name for name in group if prefix + name.format(place) not in tree]
    if len(missing) == len(group):
        return ()
    for name in missing:
        raise ValueError(f"arrays must have {prefix + name.format(place)!r} too")
    return group


def _keras_weights(gates: Gates):
    """The arguments of `fitted` after the layer."""
    order = KINDS[gates.kind].order
    kernel, recurrent = (joined(part, order, axis=1) for part in gates[1:3])
    biases = [joined(part, order) for part in gates[3:5] if part]
    bias = None
    if biases and gates.kind == "gru":
        bias = np.stack([biases[0], biases[1] if len(biases) == 2 else biases[0] * 0])
    elif biases:
        bias = biases[0] + biases[1] if len(biases) == 2 else biases[0]
    more = list(gates.more)
    if gates.kind == "projected":  # no peepholes
        more = [np.zeros((3, len(more[0])), "float32"), *more]
    return kernel, recurrent, bias, more, len(order)


def _gates(cell, kind) -> Gates:
    """The gates of a layer's cell; a missing bias is zeros."""
    kernel, recurrent, *more = cell.get_weights()
    order = KINDS[kind].order
    bias = more.pop(0) if cell.use_bias else np.zeros(kernel.shape[1], kernel.dtype)
    if kind == "projected":
        if np.any(more[0]):
            raise ValueError("layers must have no peepholes with a projection")
        more = more[1:]
    kernel, recurrent = (split("weights", w, order, axis=1) for w in (kernel, recurrent))
    one, *two = (split("bias", b, order) for b in np.atleast_2d(bias))
    return Gates(kind, kernel, recurrent, one, two[0] if two else {}, tuple(more))
