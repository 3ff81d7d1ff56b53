"""Plots of training: the loss over epochs, and the gradients over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lstm_zoo import checks, inspection
from lstm_zoo.plots.style import (
    CYCLE,
    LINES,
    MARKERS,
    axes_for,
    legend_below,
    numbers,
    styled,
    words,
)


@styled
def plot_history(
    history: keras.callbacks.History | Mapping[str, Sequence[float]],
    metric: str = "loss",
    ax: Axes | None = None,
) -> Axes:
    """Draw a loss or metric over the epochs, for training and, if available, validation.

    Args:
        history: the History from `fit`, or a dict of lists with one number per epoch, such as
            `{"loss": [...], "val_loss": [...]}`.
        metric: the name of a curve, such as "loss", "accuracy" or "grad_norm".
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes. For a loss, the epoch with the lowest validation loss is marked.

    Raises:
        ValueError: if the curve does not exist, or holds no number.

    Example:
        >>> ax = plot_history({"loss": [1.0, 0.6], "val_loss": [1.1, 0.8]})
        >>> ax.get_ylabel()
        'loss'
    """
    curves = getattr(history, "history", history)
    if not isinstance(curves, dict) or not curves:
        raise ValueError(
            f"history must be a History from lz.fit or a dict of lists, got {history!r:.80}"
        )
    checks.one_of("metric", metric, [name for name in curves if not name.startswith("val_")])
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
                color=colour,
                linestyle="none",
                label=f"lowest, epoch {epochs[best]}",
            )
    ax.set(xlabel="epoch", ylabel=words(metric))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    ax.legend()
    return ax


@styled
def plot_gradient_flow(
    flow: inspection.GradientFlow | dict[str, inspection.GradientFlow],
    layer: str | None = None,
    state: str = "hidden",
    ax: Axes | None = None,
) -> Axes:
    """Draw the norm of the loss gradient at each time step, on a logarithmic scale.

    Args:
        flow: a GradientFlow, from `lstm_zoo.inspection.gradient_flow`, or a dict of several to
            compare, such as `{"SimpleRNN": flow, "LSTM": flow}`.
        layer: the name of a layer; all if None.
        state: "hidden" for dL/dh_t or "cell" for dL/dc_t.
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes. Each line is a mean over the batch. Its label gives the memory horizon, the number
        of steps back at which the norm has fallen to 1 %. A norm of exactly 0 leaves a gap, because
        a logarithmic scale cannot show it.

    Raises:
        ValueError: if the layer or state does not exist, if all norms are 0, or if there are more
            than 8 lines.

    Source:
        Bengio, Simard & Frasconi 1994, https://doi.org/10.1109/72.279181.

    Example:
        >>> norms = {"lstm": np.array([[1e-3, 1e-2, 1e-1, 1.0]])}
        >>> ax = plot_gradient_flow(inspection.GradientFlow(hidden=norms, cell={}))
        >>> ax.get_yscale()
        'log'
    """
    checks.one_of("state", state, ("hidden", "cell"))
    flows = flow if isinstance(flow, dict) else {"": flow}
    for one in flows.values():
        if not isinstance(one, inspection.GradientFlow):
            raise ValueError(
                "flow must be a GradientFlow from lz.gradient_flow(model, x, y), or a dict of "
                f"them, got {type(one).__name__}"
            )
    known = {name for one in flows.values() for name in getattr(one, state)}
    if not known or (layer is not None and layer not in sorted(known)):
        raise ValueError(f"layer must be one with a {state} state, {sorted(known)}, got {layer!r}")
    lines = [
        (label, name, one)
        for label, one in flows.items()
        for name in getattr(one, state)
        if layer in (None, name)
    ]
    if len(lines) > len(CYCLE):
        raise ValueError(
            f"flow must have at most {len(CYCLE)} lines, got {len(lines)}; choose with layer="
        )
    ax = axes_for(ax, height=3.0 + 0.22 * len(lines))
    several_layers = len({name for _, name, _ in lines}) > 1
    for k, (label, name, one) in enumerate(lines):
        norms = norms_to_draw(one, name, state)
        if np.isnan(norms).all():
            raise ValueError(
                f"flow of {label or name!r} must be above 0 at some step, got 0 at all steps"
            )
        parts = [label, name] if label and several_layers else [label or name]
        ax.plot(
            norms,
            LINES[k % len(LINES)],
            color=CYCLE[k],
            marker=MARKERS[k],
            markevery=max(1, len(norms) // 8),
            label=line_label(", ".join(parts), one, name, state),
        )
    symbol = "h" if state == "hidden" else "c"
    ax.set(yscale="log", xlabel="time step")
    ax.set_ylabel(rf"gradient norm  $\Vert\partial L/\partial {symbol}_t\Vert$")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    legend_below(ax, ncols=1)
    return ax


def norms_to_draw(flow, layer=None, state="hidden"):
    """The mean norm at each step, NaN where it is 0, because a logarithmic scale cannot show 0."""
    norms = np.asarray(flow.mean(layer, state), float)
    return np.where(norms > 0, norms, np.nan)


def line_label(title, flow, layer=None, state="hidden"):
    """The legend text of a line."""
    return f"{title}: horizon {flow.horizon(layer, state)} steps"
