"""Plots of a layer's weights, gate by gate."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lstm_zoo import checks
from lstm_zoo.inspection.equations import equations_of
from lstm_zoo.inspection.finding import directions
from lstm_zoo.plots.style import (
    LINES,
    NOTE,
    SIGNED,
    colour_bar,
    colour_of,
    round_limit,
    stack_of_axes,
    styled,
    thin,
    words,
)


@styled
def plot_weights(
    layer: keras.Layer, kind: str = "heatmap", ax: Axes | Sequence[Axes] | None = None
) -> np.ndarray:
    """Draw the kernel and the recurrent kernel of a layer, gate by gate.

    Args:
        layer: a built layer with a cell of LSTM Zoo or of Keras, its cell, or a `Bidirectional`.
        kind: "heatmap" draws one column per unit of each gate, "histogram" one outline per gate.
        ax: as many matplotlib Axes as are returned; a new figure if None.

    Returns:
        An array of 2 Axes for the kernel and the recurrent kernel, or of 1 Axes if there is only a
        kernel. For a `Bidirectional`, one row for each direction, `(2, 2)`.

    Raises:
        ValueError: if `layer` is none of these, or has no weights yet.

    Example:
        >>> model = keras.Sequential([keras.Input((20, 3)), keras.layers.LSTM(8)])
        >>> kernel, recurrent = plot_weights(model.layers[0])
        >>> recurrent.images[0].get_array().shape
        (8, 32)
    """
    checks.one_of("kind", kind, ("heatmap", "histogram"))
    drawn = [
        (name, ending.replace("/", ", "), *named)
        for ending, reader in directions(layer).items()
        for name, *named in _matrices(reader)
    ]
    heatmap = kind == "heatmap"
    heights = [2.4 if heatmap and name == "recurrent_kernel" else 2.0 for name, *_ in drawn]
    panels = stack_of_axes(ax, heights)
    for panel, (name, direction, matrix, gates) in zip(panels, drawn):
        if heatmap:
            _weight_map(panel, matrix, gates)
            panel.set_ylabel("feature" if name == "kernel" else r"unit of $h_{t-1}$")
        else:
            _weight_histogram(panel, matrix, gates)
        panel.set_title(words(name) + direction, loc="left")
    if not heatmap:
        panels[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
        panels[-1].set_xlabel("weight")
    panels[0].set_title(layer.name, loc="right", color=NOTE)
    panels[0].figure.align_ylabels(panels)
    return panels if len(directions(layer)) == 1 else panels.reshape(2, -1)


def _matrices(layer):
    """A dict of a layer's two matrices, each with the names of its blocks in order."""
    cell = getattr(layer, "cell", layer)
    kernels = ("kernel", "recurrent_kernel")
    found = [name for name in kernels if getattr(cell, name, None) is not None]
    if not found:
        unbuilt = hasattr(cell, "state_size") and not cell.built
        why = "one without weights; call it once" if unbuilt else type(layer).__name__
        raise ValueError(f"layer must be a built recurrent layer or its cell, got {why}")
    gates = equations_of(cell).gate_names
    sizes = getattr(cell, "gate_sizes", None)
    blocks = list(zip(gates, sizes or [cell.kernel.shape[1] // len(gates)] * len(gates)))
    return [(name, np.asarray(getattr(cell, name), float), blocks) for name in found]


def _weight_map(ax, matrix, gates):
    high = round_limit(matrix)
    image = ax.imshow(matrix, aspect="auto", cmap=SIGNED, vmin=-high, vmax=high)
    names, sizes = zip(*gates)
    edges = np.cumsum([0, *sizes]) - 0.5
    for gate, left, right in zip(names, edges, edges[1:]):
        ax.axvline(right, color="white", linewidth=2)
        ax.plot(
            [left, right],
            [-0.03, -0.03],
            color=colour_of(gate),
            linewidth=5,
            solid_capstyle="butt",
            transform=ax.get_xaxis_transform(),
            clip_on=False,
        )
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xticks((edges[:-1] + edges[1:]) / 2, map(words, names))
    ax.tick_params(axis="x", length=0, pad=8)
    ticks = thin(len(matrix), 3)
    ax.set_yticks(ticks, map(str, ticks))
    ax.spines[:].set_visible(False)
    colour_bar(image, ax, [-high, 0, high])


def _weight_histogram(ax, matrix, gates):
    bins = np.linspace(matrix.min(), matrix.max(), 21)
    names, sizes = zip(*gates)
    blocks = np.split(matrix, np.cumsum(sizes)[:-1], axis=1)
    for gate, block, line in zip(names, blocks, itertools.cycle(LINES)):
        counts, _ = np.histogram(block, bins)
        ax.stairs(
            counts, bins, color=colour_of(gate), linestyle=line, linewidth=2, label=words(gate)
        )
    ax.set_ylabel("count")
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
