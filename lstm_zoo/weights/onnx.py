"""ONNX: the weights of LSTM, GRU and RNN nodes, wherever they are in a file."""

import pathlib
from collections.abc import Sequence

import keras

from lstm_zoo import checks
from lstm_zoo.weights.onnx_file import read
from lstm_zoo.weights.onnx_nodes import Node, Nodes, nodes_of
from lstm_zoo.weights.placing import as_list, fitted, set_all


def onnx_summary(path: str | pathlib.Path) -> Nodes:
    """List the recurrent nodes of an ONNX file with their sizes and the layers that fit them.

    Nodes inside the branches of an `If` are listed too, after the name of the branch.

    Args:
        path: the .onnx file.

    Returns:
        A tuple that prints as a table. Each entry has `name`, `operator`, `features`, `units`,
        `direction` and `layer`, the layer to make for `lz.weights.from_onnx`.

    Raises:
        ValueError: if the file is no ONNX file, a size in it does not fit, the weights of a
            recurrent node are not in the file, or the package onnx is missing.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_regressor((None, 3), lstm_units=(4,), dense_units=())
        >>> path = lz.export(model, "model.onnx")
        >>> [(node.operator, node.units, node.layer) for node in onnx_summary(path)]
        [('LSTM', 4, 'lz.LSTM(4)')]
    """
    return Nodes(node.summary() for node in nodes_of(read(path)))


def from_onnx(
    layers: keras.layers.Layer | Sequence[keras.layers.Layer],
    path: str | pathlib.Path,
    *,
    node: str | int | Sequence[str | int] | None = None,
) -> None:
    """Set the weights of recurrent layers to those of LSTM, GRU or RNN nodes of an ONNX file.

    `lz.onnx_summary(path)` lists the nodes and the layer that each one needs. Weights may stand
    behind `Slice`, `Concat`, `Unsqueeze`, `Transpose` and the like, as exporters write them. Those
    of a `DynamicQuantizeLSTM` are dequantised; ONNX Runtime also rounds its inputs, so its answers
    differ a little from the layer's.

    Args:
        layers: one layer for each node: `LSTM`; `PeepholeLSTM` for a node with peepholes;
            `CoupledLSTM` for one with `input_forget`; `GRU`, with `reset_after=False`
            unless the node has `linear_before_reset`; `SimpleRNN`. With
            `go_backwards=True` for the direction "reverse", inside a `keras.layers.Bidirectional`
            for "bidirectional". Layers that are not built yet are built.
        path: the .onnx file.
        node: the name of the node in `lz.onnx_summary(path)`, or its index there; a list of them
            for several layers. All nodes of the file in their order if None.

    Raises:
        ValueError: if the file is no ONNX file, a size in it does not fit, its weights are not in
            it, there is no such node, or a layer computes something else than its node. Then no
            layer has changed.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_regressor((None, 3), lstm_units=(4,), dense_units=())
        >>> path = lz.export(model, "model.onnx")
        >>> from_onnx(lz.LSTM(4), path)
    """
    layers = as_list(layers)
    nodes = _chosen(nodes_of(read(path)), node, path)
    if len(layers) != len(nodes):
        raise ValueError(
            f"layers must be as many as the nodes, {len(nodes)} "
            f"({checks.listed(one.name for one in nodes)}), got {len(layers)}; "
            "node chooses among them"
        )
    fits = []
    for layer, one in zip(layers, nodes):
        for k, part in enumerate(_parts(layer, one)):
            weights = one.weights(k)
            fits.append((part, fitted(part, *weights)))
    set_all(fits)


def _chosen(nodes, wanted, path):
    """The nodes that are meant by names or indices; all if None."""
    if not nodes:
        raise ValueError(f"{path} has no LSTM, GRU or RNN node")
    if wanted is None:
        return nodes
    names = [one.name for one in nodes]
    found = []
    for one in as_list(wanted):
        if isinstance(one, str):
            found.append(nodes[names.index(checks.one_of("node", one, names))])
        else:
            found.append(nodes[checks.count("node", one, least=0, below=len(nodes))])
    return found


def _parts(layer, node: Node):
    """The layers of one direction in a layer; a ValueError if they compute something else."""
    if isinstance(layer, keras.layers.Bidirectional) != (node.directions == 2):
        raise ValueError(
            f"layers must be {node.written()} for {node.name!r}, got {type(layer).__name__}"
        )
    both = node.directions == 2
    parts = [layer.forward_layer, layer.backward_layer] if both else [layer]
    activations = node.activations()
    for part in parts:
        cell = getattr(part, "cell", None)
        if type(cell) not in node.cells:
            raise ValueError(
                f"layers must be {node.written()} for {node.name!r}, got {type(part).__name__}"
            )
        of_layer = {} if both else {"go_backwards": False}
        for argument, value in (of_layer | node.options | activations).items():
            got = getattr(cell, argument) if hasattr(cell, argument) else getattr(part, argument)
            if got != value:
                value, got = (getattr(one, "__name__", one) for one in (value, got))
                raise ValueError(
                    f"{part.name}'s {argument} must be {value!r} as in {node.name!r}, got {got!r}"
                )
    return parts
