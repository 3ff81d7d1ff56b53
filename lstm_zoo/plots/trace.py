"""Plots of a layer's gates and states over time, and of how often its gates saturate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lstm_zoo import checks, inspection
from lstm_zoo.plots.style import (
    LINES,
    MARKERS,
    NOTE,
    OPENNESS,
    SIGNED,
    axes_for,
    colour_bar,
    colour_of,
    one_direction,
    round_limit,
    short,
    stack_of_axes,
    styled,
    thin,
    thinned,
    words,
)

MOST_ROWS = 32  # of a heat map
MOST_LINES = len(LINES)


@styled
def plot_trace(
    trace: inspection.Trace | inspection.BidirectionalTrace,
    sample: int = 0,
    units: Sequence[int] | None = None,
    kind: str = "heatmap",
    values: Sequence[str] | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> np.ndarray:
    """Draw the gates and states of one sequence over time, below its inputs.

    Args:
        trace: a Trace or BidirectionalTrace, from `lstm_zoo.inspection.trace`.
        sample: the index of a sequence in the batch.
        units: a list of unit indices; None draws all units, thinned evenly to 32 rows of a heat map
            or 4 lines, with a note above the panel.
        kind: "heatmap" draws one row per unit, "lines" one line per unit, and "steps" one stepped
            line per unit, which shows single time steps clearly.
        values: the panels from top to bottom, such as `["inputs", "forget_gate"]`; all if None.
        ax: one matplotlib Axes per panel; a new figure if None.

    Returns:
        An array with one Axes per panel; for a `Bidirectional`, `(2, panels)` with forward above
        backward. Masked steps are blank.

    Raises:
        ValueError: if an argument is not as described above, or if all steps are masked.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((20, 3)), keras.layers.LSTM(8)])
        >>> seen = inspection.trace(model, np.zeros((2, 20, 3)))
        >>> panels = plot_trace(seen, sample=1, units=[0, 5], kind="lines")
        >>> [panel.get_title(loc="left") for panel in panels][:3]
        ['inputs', 'input gate', 'forget gate']
    """
    traces = {"": trace}
    if isinstance(trace, inspection.BidirectionalTrace):
        traces = {", forward": trace.forward, ", backward": trace.backward}
    first = one_direction(next(iter(traces.values())))
    checks.one_of("kind", kind, ("heatmap", "lines", "steps"))
    known = ["inputs", *first.values]
    wanted = known if values is None else checks.listing("values", values)
    names = [checks.one_of("values", v, known) for v in wanted]
    sample = checks.count("sample", sample, 0, below=len(first.inputs))
    if not first.order(sample):
        raise ValueError(f"sample must have an unmasked step, got {sample}, which has none")
    most = MOST_ROWS if kind == "heatmap" else MOST_LINES
    if units is not None:
        widths = [first.values[name].shape[2] for name in names if name != "inputs"]
        below = min([first.units, *widths])
        units = [checks.count("units", u, 0, below=below) for u in np.atleast_1d(units).tolist()]
    if not names or (units is not None and not 1 <= len(units) <= most):
        raise ValueError(
            "values must name at least one panel, and units must be a list of 1 to "
            f'{most} units for kind="{kind}", '
            f"got {len(names)} values and {units if units is None else len(units)} units"
        )
    panels = stack_of_axes(ax, [max(1.1, 2.4 / len(names))] * len(names) * len(traces))
    rows = panels.reshape(len(traces), -1)
    for row, (direction, one) in zip(rows, traces.items()):
        _draw_panels(row, one, direction, names, sample, units, kind)
    panels[0].figure.align_ylabels(panels)
    return panels if len(rows) == 1 else rows


def _draw_panels(panels, trace, direction, names, sample, units, kind):
    """Draw the quantities of one direction, one below the other."""
    series = _inputs_and_values(trace, sample)
    most = MOST_ROWS if kind == "heatmap" else MOST_LINES
    told = set()  # notes and legends that an earlier panel already shows
    for panel, name in zip(panels, names):
        every = series[name]
        size = every.shape[1]
        what = "feature" if name == "inputs" else "unit"
        shown = thin(size, most) if units is None or name == "inputs" else np.array(units)
        in_lines = kind != "heatmap" or size == 1
        if in_lines:
            _lines(panel, name, every, shown, "steps-mid" if kind == "steps" else "default")
        else:
            _heatmap(panel, name, every, shown, what)
        note = []
        if (what, size) not in told:
            told.add((what, size))
            note = thinned(len(shown), size, what)
            if in_lines and size > 1:
                panel.legend(title=what, loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=0)
        panel.set_title(words(name) + direction, loc="left")
        panel.set_title(", ".join(note), loc="right", color=NOTE)
        panel.spines["left"].set(color=colour_of(name), linewidth=4, position=("outward", 3))
        panel.set_xlim(-0.5, len(every) - 0.5)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        if panel is not panels[-1]:
            panel.tick_params(labelbottom=False)
    panels[-1].set_xlabel(f"time step of sample {sample}, {trace.layer}")


@styled
def plot_gate_saturation(trace: inspection.Trace, ax: Axes | None = None) -> Axes:
    """Draw, for each unit, how often each gate is nearly closed and how often nearly open.

    A unit at the right keeps its gate below 0.1, a unit at the top keeps it above 0.9. At the
    bottom left, gates take values in between, as they should.

    Args:
        trace: a Trace, from `lstm_zoo.inspection.trace`, of an LSTM or a GRU.
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes.

    Raises:
        ValueError: if `trace` is not a Trace, or has no gates.

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
        raise ValueError(f"trace must come from a layer with gates, got kind {trace.kind!r}")
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
    ax.set_title(f"{trace.layer}, one mark per unit", loc="right", color=NOTE)
    ax.legend(loc="upper right")
    return ax


def _inputs_and_values(trace, sample):
    """A dict of each quantity of one sequence, `(timesteps, units)`, NaN at masked steps."""
    inputs = np.array(trace.inputs[sample], dtype=float)
    if trace.mask is not None:
        inputs[~np.asarray(trace.mask[sample], dtype=bool)] = np.nan
    return {"inputs": inputs, **{name: v[sample] for name, v in trace.values.items()}}


def _is_gate(name):
    return name.endswith("_gate")


def _widest_open(gate):
    """1, or more for a gate that is not a sigmoid and exceeds 1."""
    return max(1.0, round_limit(gate))


def _heatmap(ax, name, series, rows, what):
    shown = series[:, rows].T
    if _is_gate(name):
        low, high, colours = 0.0, _widest_open(shown), OPENNESS
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


def _lines(ax, name, series, rows, drawstyle):
    look = {"color": colour_of(name), "linewidth": 2, "drawstyle": drawstyle}
    for row, line in zip(rows, LINES):
        ax.plot(series[:, row], line, label=str(row), **look)
    if _is_gate(name):
        high = _widest_open(series[:, rows])
        ax.set_ylim(-0.05 * high, 1.05 * high)
        ax.set_yticks([0, high / 2, high], map(short, (0, high / 2, high)))
    elif name != "inputs":
        high = round_limit(series[:, rows])
        ax.set_ylim(-1.1 * high, 1.1 * high)
        ax.set_yticks([-high, 0, high], map(short, (-high, 0, high)))
        ax.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    ax.set_ylabel("value")
