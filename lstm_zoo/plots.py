"""Pictures of what goes on inside a recurrent model, and the door to all other pictures.

Every function takes numbers (a Trace, a GradientFlow, a History, arrays) and an optional `ax`,
draws, and returns the Axes it drew on; `plt.show()` is left to you. One that draws several panels
takes as many Axes in `ax` and returns an array of them.
"""

import numpy as np
from matplotlib.ticker import MaxNLocator

from lstm_zoo import inspection
from lstm_zoo.animation import animate_trace
from lstm_zoo.diagram import plot_cell_diagram
from lstm_zoo.learning import plot_gradient_flow, plot_history, plot_weights
from lstm_zoo.palette import (
    AMOUNT,
    COLOURS,
    LINES,
    MARKERS,
    NOTE,
    OPENNESS,
    SIGNED,
    axes_for,
    choice,
    colour_bar,
    colour_of,
    index,
    numbers,
    one_direction,
    round_limit,
    short,
    stack_of_axes,
    styled,
    thin,
    thinned,
    words,
)
from lstm_zoo.reports import plot_confusion, plot_embedding, plot_forecast

__all__ = [
    "COLOURS",
    "animate_trace",
    "plot_cell_diagram",
    "plot_confusion",
    "plot_embedding",
    "plot_forecast",
    "plot_gate_saturation",
    "plot_gradient_flow",
    "plot_history",
    "plot_saliency",
    "plot_trace",
    "plot_weights",
]

MOST_ROWS = 32  # of a heat map
MOST_LINES = len(LINES)
MOST_SERIES = 6


@styled
def plot_trace(trace, sample=0, units=None, kind="heatmap", values=None, ax=None):
    """Draw the gates and the states of one sequence over time, the inputs above them.

    Args:
        trace: a Trace, from `lstm_zoo.inspection.trace`.
        sample: which sequence of the batch.
        units: which units, a list of numbers; None draws all, thinned evenly to 32 rows of a heat
            map or 4 lines, and says so above the panel.
        kind: "heatmap", a row a unit, or "lines", a line a unit.
        values: the panels from top to bottom, such as `["inputs", "forget_gate"]`; all if None.
        ax: as many matplotlib Axes as there are panels; a new figure if None.

    Returns:
        An array of Axes, one a panel. Masked steps are blank.

    Raises:
        ValueError: if an argument is not what is described above, or every step is masked.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((20, 3)), keras.layers.LSTM(8)])
        >>> seen = inspection.trace(model, np.zeros((2, 20, 3)))
        >>> panels = plot_trace(seen, sample=1, units=[0, 5], kind="lines")
        >>> [panel.get_title(loc="left") for panel in panels][:3]
        ['inputs', 'input gate', 'forget gate']
    """
    one_direction(trace)
    choice("kind", kind, ("heatmap", "lines"))
    known = ["inputs", *trace.values]
    values = [choice("values", name, known) for name in (known if values is None else values)]
    sample = index("sample", sample, len(trace.inputs))
    series = _inputs_and_values(trace, sample)
    if np.isnan(series["hidden_state"]).all():
        raise ValueError(f"sample {sample} has no step to draw, its mask leaves none")
    if units is not None:
        units = [index("units", u, trace.units) for u in np.atleast_1d(units).tolist()]
    most = MOST_ROWS if kind == "heatmap" else MOST_LINES
    if not values or (units is not None and not 1 <= len(units) <= most):
        raise ValueError(
            f'values must name a panel, and units 1 to {most} of them for kind="{kind}", '
            f"got {len(values)} values and {units if units is None else len(units)} units"
        )

    panels = stack_of_axes(ax, [max(1.1, 2.4 / len(values))] * len(values))
    notes = {}
    for panel, name in zip(panels, values):
        every = series[name]
        rows = thin(every.shape[1], most) if units is None or name == "inputs" else np.array(units)
        what = "feature" if name == "inputs" else "unit"
        draw = _lines if kind == "lines" or every.shape[1] == 1 else _heatmap
        draw(panel, name, every, rows, what)
        if name in _first_of_each_kind(values):
            notes.setdefault(name, []).extend(thinned(len(rows), every.shape[1], what))
            if draw is _lines and every.shape[1] > 1:
                panel.legend(title=what, loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=0)
        panel.set_title(words(name), loc="left")
        panel.set_title(", ".join(notes.get(name, [])), loc="right", color=NOTE)
        panel.spines["left"].set(color=colour_of(name), linewidth=4, position=("outward", 3))
        panel.set_xlim(-0.5, len(every) - 0.5)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        if panel is not panels[-1]:
            panel.tick_params(labelbottom=False)
    panels[-1].set_xlabel(f"time step of sample {sample}, {trace.layer}")
    panels[0].figure.align_ylabels(panels)
    return panels


@styled
def plot_gate_saturation(trace, ax=None):
    """Draw, for each unit, how often each gate is nearly shut and how often nearly open.

    A unit at the right keeps its gate below 0.1, one at the top above 0.9, one in the corner at the
    bottom left lets it do what a gate is for: take values in between.

    Args:
        trace: a Trace, from `lstm_zoo.inspection.trace`, of an LSTM or a GRU.
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if `trace` is no Trace, or one without gates.

    Source:
        Karpathy, Johnson & Fei-Fei 2015, Visualizing and understanding recurrent networks,
        figure 3, https://arxiv.org/abs/1506.02078.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((20, 3)), keras.layers.LSTM(8)])
        >>> ax = plot_gate_saturation(inspection.trace(model, np.ones((2, 20, 3))))
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['input gate', 'forget gate', 'output gate']
    """
    one_direction(trace)
    if not any(map(_is_gate, trace.values)):
        raise ValueError(f"trace must be of a layer with gates, got one of kind {trace.kind!r}")
    summary = inspection.gate_summary(trace)
    ax = axes_for(ax, height=4.4)
    for (gate, below), marker in zip(summary.below.items(), MARKERS):
        ax.plot(
            below,
            summary.above[gate],
            marker,
            color=colour_of(gate),
            markerfacecolor="none",
            markeredgewidth=1.5,
            markersize=7,
            label=words(gate),
        )
    ax.plot([0, 1], [1, 0], color="#999999", linewidth=0.8, linestyle=":")
    ax.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), aspect="equal")
    ax.set(xlabel="fraction of steps below 0.1", ylabel="fraction of steps above 0.9")
    ax.set_title(f"{trace.layer}, a mark a unit", loc="right", color=NOTE)
    ax.legend(loc="upper right")
    return ax


@styled
def plot_saliency(saliency, x, sample=0, feature_names=None, ax=None):
    """Draw an input series over a background as dark as the output depends on that step of it.

    Args:
        saliency: `(batch, timesteps, features)`, from `lstm_zoo.inspection.saliency`.
        x: the inputs it was taken at, of the same shape. Padding is blank if it is NaN here.
        sample: which sequence of the batch.
        feature_names: one string a feature; "feature 0" and so on if None.
        ax: as many matplotlib Axes as features are drawn; a new figure if None.

    Returns:
        An array of Axes, one a feature; of more than 6 features the 6 with the largest mean
        absolute saliency, and the title says so.

    Raises:
        ValueError: if shapes differ, or there is not a name for each feature.

    Source:
        Simonyan, Vedaldi & Zisserman 2014, https://arxiv.org/abs/1312.6034.

    Example:
        >>> panels = plot_saliency(np.ones((1, 20, 2)), np.zeros((1, 20, 2)))
        >>> [panel.get_title(loc="left") for panel in panels]
        ['feature 0', 'feature 1']
    """
    saliency, x = numbers("saliency", saliency, 3), numbers("x", x, 3)
    if saliency.shape != x.shape:
        raise ValueError(f"saliency and x must be of one shape, got {saliency.shape}, {x.shape}")
    sample = index("sample", sample, len(x))
    series = x[sample]
    size = np.where(np.isnan(series), np.nan, np.abs(saliency[sample]))
    if not np.isfinite(size).any(axis=0).all():
        raise ValueError(f"sample {sample} of saliency and x must have numbers for every feature")
    steps, features = size.shape
    unnamed = [f"feature {k}" for k in range(features)]
    names = unnamed if feature_names is None else feature_names
    if len(names) != features:
        raise ValueError(f"feature_names must name {features} features, got {len(names)}")
    strongest = np.argsort(-np.nanmean(size, axis=0), kind="stable")
    shown = np.sort(strongest[:MOST_SERIES])

    panels = stack_of_axes(ax, [max(1.0, 2.4 / len(shown))] * len(shown))
    darkest = float(np.nanmax(size[:, shown])) or 1.0
    for panel, k in zip(panels, shown):
        line = np.where(np.isnan(size[:, k]), np.nan, series[:, k])
        low, high = np.nanmin(line), np.nanmax(line)
        room = 0.1 * (high - low) or 1.0
        image = panel.imshow(
            size[None, :, k],
            extent=(-0.5, steps - 0.5, low - room, high + room),
            aspect="auto",
            interpolation="nearest",
            cmap=AMOUNT,
            vmin=0,
            vmax=1.6 * darkest,  # the line stays darker than any background
        )
        panel.plot(line, color="black", marker="." if steps <= 60 else "")
        panel.set_title(names[k], loc="left")
        panel.set_ylabel("value")
        panel.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        panel.yaxis.set_major_locator(MaxNLocator(nbins=3))
        if panel is not panels[-1]:
            panel.tick_params(labelbottom=False)
    note = [f"sample {sample}", *thinned(len(shown), features, "feature")]
    panels[0].set_title(", ".join(note), loc="right", color=NOTE)
    panels[-1].set_xlabel("time step")
    panels[0].figure.align_ylabels(panels)
    bar = colour_bar(image, panels, [0, darkest], aspect=12 * len(shown))
    bar.ax.set_ylim(0, darkest)
    bar.set_label(r"saliency  $|\partial y/\partial x|$")
    return panels


def _first_of_each_kind(values):
    """The panels that say, for all of their kind, which rows are shown."""
    units = [name for name in values if name != "inputs"]
    return ["inputs", *units[:1]]


def _inputs_and_values(trace, sample):
    """Each quantity of one sequence by its name, `(timesteps, units)`, NaN where masked."""
    inputs = np.array(trace.inputs[sample], dtype=float)
    if trace.mask is not None:
        inputs[~np.asarray(trace.mask[sample], dtype=bool)] = np.nan
    return {"inputs": inputs, **{name: v[sample] for name, v in trace.values.items()}}


def _is_gate(name):
    return name.endswith("_gate")


def _heatmap(ax, name, series, rows, what):
    shown = series[:, rows].T
    if _is_gate(name):
        low, high, colours = 0.0, 1.0, OPENNESS
    else:
        high = round_limit(shown)
        low, colours = -high, SIGNED
    image = ax.imshow(
        shown, aspect="auto", interpolation="nearest", cmap=colours, vmin=low, vmax=high
    )
    ticks = thin(len(rows), 3)
    ax.set_yticks(ticks, [str(rows[k]) for k in ticks])
    ax.set_ylabel(what)
    ticks = [low, (low + high) / 2, high]
    colour_bar(image, ax, ticks, aspect=8)


def _lines(ax, name, series, rows, what):
    for row, line in zip(rows, LINES):
        ax.plot(series[:, row], line, color=colour_of(name), linewidth=2, label=str(row))
    if _is_gate(name):
        ax.set_ylim(-0.05, 1.05)
        ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    elif name != "inputs":
        high = round_limit(series[:, rows])
        ax.set_ylim(-1.1 * high, 1.1 * high)
        ax.set_yticks([-high, 0, high], map(short, (-high, 0, high)))
        ax.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    ax.set_ylabel("value")
