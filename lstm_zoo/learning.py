"""Pictures of a model learning: its loss, the gradients that reach its past, its weights."""

import keras
import numpy as np
from matplotlib.ticker import MaxNLocator

from lstm_zoo import inspection
from lstm_zoo.palette import (
    COLOURS,
    CYCLE,
    LINES,
    MARKERS,
    NOTE,
    SIGNED,
    axes_for,
    choice,
    colour_bar,
    legend_below,
    numbers,
    round_limit,
    stack_of_axes,
    styled,
    thin,
    words,
)

# The blocks of a kernel, in Keras's order.
LSTM_BLOCKS = ["input_gate", "forget_gate", "candidate", "output_gate"]
GRU_BLOCKS = ["update_gate", "reset_gate", "candidate"]


@styled
def plot_history(history, metric="loss", ax=None):
    """Draw a loss or a metric over the epochs, for training and, if it was measured, validation.

    Args:
        history: what `fit` returns, or a dict of lists, one number an epoch, such as
            `{"loss": [...], "val_loss": [...]}`.
        metric: which of its curves, such as "loss", "accuracy" or "grad_norm".
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes. For a loss, the epoch with the lowest validation loss is marked.

    Raises:
        ValueError: if there is no such curve, or no number in it.

    Example:
        >>> ax = plot_history({"loss": [1.0, 0.6], "val_loss": [1.1, 0.8]})
        >>> ax.get_ylabel()
        'loss'
    """
    curves = getattr(history, "history", history)
    if not isinstance(curves, dict) or not curves:
        raise ValueError(
            f"history must be what fit returns or a dict of lists, got {history!r:.80}"
        )
    choice("metric", metric, [name for name in curves if not name.startswith("val_")])
    ax = axes_for(ax)
    for prefix, label, colour, line, marker in (
        ("", "training", CYCLE[0], "-", "o"),
        ("val_", "validation", CYCLE[1], "--", "s"),
    ):
        if prefix + metric not in curves:
            continue
        values = numbers(prefix + metric, curves[prefix + metric], 1)
        epochs = np.arange(1, len(values) + 1)
        every = max(1, len(values) // 10)
        ax.plot(epochs, values, line, color=colour, marker=marker, markevery=every, label=label)
        if prefix and metric == "loss":
            best = int(np.nanargmin(values))
            ax.plot(
                epochs[best],
                values[best],
                marker="*",
                markersize=13,
                markeredgecolor="white",
                color="black",
                linestyle="none",
                label=f"lowest, epoch {epochs[best]}",
            )
    ax.set(xlabel="epoch", ylabel=words(metric))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    ax.legend()
    return ax


@styled
def plot_gradient_flow(flow, layer=None, state="hidden", ax=None):
    """Draw how much of the loss's gradient reaches each time step, on a logarithmic scale.

    Args:
        flow: a GradientFlow, from `lstm_zoo.inspection.gradient_flow`, or a dict of several to
            compare, such as `{"SimpleRNN": flow, "LSTM": flow}`.
        layer: the name of a layer; all if None.
        state: "hidden" for dL/dh_t or "cell" for dL/dc_t.
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes. Each line is a mean over the batch; its label names the memory horizon, the
        number of steps back at which the norm has fallen to 1 %. A norm of exactly 0 has no place
        on a logarithmic scale and leaves a gap.

    Raises:
        ValueError: if there is no such layer or state, nothing above 0 to draw, or more than 8
            lines.

    Source:
        Bengio, Simard & Frasconi 1994, https://doi.org/10.1109/72.279181.

    Example:
        >>> norms = {"lstm": np.array([[1e-3, 1e-2, 1e-1, 1.0]])}
        >>> ax = plot_gradient_flow(inspection.GradientFlow(hidden=norms, cell={}))
        >>> ax.get_yscale()
        'log'
    """
    choice("state", state, ("hidden", "cell"))
    flows = flow if isinstance(flow, dict) else {"": flow}
    for one in flows.values():
        if not isinstance(one, inspection.GradientFlow):
            raise ValueError(
                "flow must be what lstm_zoo.inspection.gradient_flow returns, or a dict of them, "
                f"got {type(one).__name__}"
            )
    known = {name for one in flows.values() for name in getattr(one, state)}
    if not known or (layer is not None and layer not in known):
        raise ValueError(f"layer must be one with a {state} state, {sorted(known)}, got {layer!r}")
    lines = [
        (label, name, one)
        for label, one in flows.items()
        for name in getattr(one, state)
        if layer in (None, name)
    ]
    if len(lines) > len(CYCLE):
        raise ValueError(
            f"flow must give at most {len(CYCLE)} lines, got {len(lines)}; name a layer"
        )
    ax = axes_for(ax, height=3.0 + 0.22 * len(lines))
    several_layers = len({name for _, name, _ in lines}) > 1
    for k, (label, name, one) in enumerate(lines):
        norms = np.asarray(one.mean(name, state), float)
        if not np.nanmax(norms) > 0:
            raise ValueError(f"flow of {label or name!r} must rise above 0 somewhere, is 0")
        parts = [label, name] if label and several_layers else [label or name]
        ax.plot(
            np.where(norms > 0, norms, np.nan),
            LINES[k % len(LINES)],
            color=CYCLE[k],
            marker=MARKERS[k],
            markevery=max(1, len(norms) // 8),
            label=f"{', '.join(parts)}: horizon {one.horizon(name, state)} steps",
        )
    symbol = "h" if state == "hidden" else "c"
    ax.set(yscale="log", xlabel="time step")
    ax.set_ylabel(rf"gradient norm  $\Vert\partial L/\partial {symbol}_t\Vert$")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    legend_below(ax, ncols=1)
    return ax


@styled
def plot_weights(layer, kind="heatmap", ax=None):
    """Draw the kernel and the recurrent kernel of a layer, gate by gate.

    Args:
        layer: a built LSTM, GRU or SimpleRNN layer, or its cell.
        kind: "heatmap", a column a unit of each gate, or "histogram", an outline a gate.
        ax: 2 matplotlib Axes to draw on; a new figure if None.

    Returns:
        An array of 2 Axes: the kernel, the recurrent kernel.

    Raises:
        ValueError: if `layer` is none of these, or has no weights yet.

    Example:
        >>> model = keras.Sequential([keras.Input((20, 3)), keras.layers.LSTM(8)])
        >>> kernel, recurrent = plot_weights(model.layers[0])
        >>> recurrent.images[0].get_array().shape
        (8, 32)
    """
    choice("kind", kind, ("heatmap", "histogram"))
    gates, weights = _weights_by_gate(layer)
    heatmap = kind == "heatmap"
    panels = stack_of_axes(ax, [2.0, 2.4] if heatmap else [2.0, 2.0])
    for panel, (name, matrix) in zip(panels, weights.items()):
        if heatmap:
            _weight_map(panel, matrix, gates)
            panel.set_ylabel("feature" if name == "kernel" else r"unit of $h_{t-1}$")
        else:
            _weight_histogram(panel, matrix, gates)
        panel.set_title(words(name), loc="left")
    if not heatmap:
        panels[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
        panels[-1].set_xlabel("weight")
    panels[0].set_title(layer.name, loc="right", color=NOTE)
    panels[0].figure.align_ylabels(panels)
    return panels


def _weights_by_gate(layer):
    cell = getattr(layer, "cell", layer)
    if not hasattr(cell, "recurrent_kernel"):
        unbuilt = hasattr(cell, "state_size") and not cell.built
        why = "it has no weights yet, call it once" if unbuilt else f"got {type(layer).__name__}"
        raise ValueError(
            "layer must be a built LSTM, GRU or SimpleRNN layer or its cell (of a Bidirectional, "
            f"its forward_layer or backward_layer): {why}"
        )
    weights = {
        "kernel": np.asarray(cell.kernel, float),
        "recurrent_kernel": np.asarray(cell.recurrent_kernel, float),
    }
    blocks = weights["kernel"].shape[1] // cell.units
    if isinstance(cell, keras.layers.GRUCell):
        return GRU_BLOCKS, weights
    if isinstance(cell, keras.layers.SimpleRNNCell):
        return ["hidden_state"], weights
    if blocks != len(LSTM_BLOCKS):
        raise ValueError(
            f"layer must have a kernel of 4 gates, got {type(cell).__name__} of {blocks}"
        )
    return LSTM_BLOCKS, weights


def _weight_map(ax, matrix, gates):
    high = round_limit(matrix)
    rows, columns = matrix.shape
    image = ax.imshow(matrix, aspect="auto", cmap=SIGNED, vmin=-high, vmax=high)
    edges = np.linspace(-0.5, columns - 0.5, len(gates) + 1)
    for gate, left, right in zip(gates, edges, edges[1:]):
        ax.axvline(right, color="white", linewidth=2)
        ax.plot(
            [left, right],
            [-0.03, -0.03],
            color=COLOURS[gate],
            linewidth=5,
            solid_capstyle="butt",
            transform=ax.get_xaxis_transform(),
            clip_on=False,
        )
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xticks((edges[:-1] + edges[1:]) / 2, map(words, gates))
    ax.tick_params(axis="x", length=0, pad=8)
    ticks = thin(rows, 3)
    ax.set_yticks(ticks, map(str, ticks))
    ax.spines[:].set_visible(False)
    colour_bar(image, ax, [-high, 0, high])


def _weight_histogram(ax, matrix, gates):
    bins = np.linspace(matrix.min(), matrix.max(), 21)
    for gate, block, line in zip(gates, np.split(matrix, len(gates), axis=1), LINES):
        counts, _ = np.histogram(block, bins)
        ax.stairs(counts, bins, color=COLOURS[gate], linestyle=line, linewidth=2, label=words(gate))
    ax.set_ylabel("count")
