"""Pictures of what goes on inside a recurrent model.

Every function takes numbers (a Trace, a GradientFlow, arrays) and an optional `ax`, draws, and
returns the Axes it drew on; `plt.show()` is left to you. One that draws several panels takes as
many Axes in `ax` and returns an array of them.
"""

import numpy as np
from matplotlib.ticker import MaxNLocator

from lstm_zoo import inspection
from lstm_zoo.palette import (
    COLOURS,
    LINES,
    OPENNESS,
    SIGNED,
    choice,
    index,
    short,
    stack_of_axes,
    styled,
    thin,
    thinned,
    words,
)
from lstm_zoo.reports import plot_confusion, plot_history

__all__ = [
    "COLOURS",
    "plot_confusion",
    "plot_history",
    "plot_trace",
]

MOST_ROWS = 32  # of a heat map
MOST_LINES = len(LINES)


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
    _one_direction(trace)
    choice("kind", kind, ("heatmap", "lines"))
    values = ["inputs", *trace.values] if values is None else list(values)
    for name in values:
        choice("values", name, ["inputs", *trace.values])
    sample = index("sample", sample, len(trace.inputs))
    series = _inputs_and_values(trace, sample)
    if np.isnan(series["hidden_state"]).all():
        raise ValueError(f"sample {sample} has no step to draw, its mask leaves none")
    if units is not None:
        units = [index("units", u, trace.units) for u in np.atleast_1d(units).tolist()]
    most = MOST_ROWS if kind == "heatmap" else MOST_LINES
    if units is not None and len(units) > most:
        raise ValueError(f'units must be at most {most} for kind="{kind}", got {len(units)}')

    panels = stack_of_axes(ax, [1.1] * len(values))
    notes = {values[0]: [f"{trace.layer}, sample {sample}"]}
    for panel, name in zip(panels, values):
        every = series[name]
        rows = thin(every.shape[1], most) if units is None or name == "inputs" else np.array(units)
        what = "feature" if name == "inputs" else "unit"
        draw = _lines if kind == "lines" or every.shape[1] == 1 else _heatmap
        draw(panel, name, every, rows, what)
        if name in _first_of_each_kind(values):
            notes.setdefault(name, []).extend(thinned(len(rows), every.shape[1], what))
            if draw is _lines:
                panel.legend(title=what, loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=0)
        panel.set_title(words(name), loc="left")
        panel.set_title(", ".join(notes.get(name, [])), loc="right", color="#595959")
        panel.spines["left"].set(color=COLOURS[name], linewidth=4, position=("outward", 3))
        panel.set_xlim(-0.5, len(every) - 0.5)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        if panel is not panels[-1]:
            panel.tick_params(labelbottom=False)
    panels[-1].set_xlabel("time step")
    panels[0].figure.align_ylabels(panels)
    return panels


def _first_of_each_kind(values):
    """The panel that says for all of its kind, inputs or units, which rows are shown."""
    units = [name for name in values if name != "inputs"]
    return ["inputs", *units[:1]]


def _one_direction(trace):
    if isinstance(trace, inspection.BidirectionalTrace):
        raise ValueError("trace has two directions, pass trace.forward or trace.backward")
    if not isinstance(trace, inspection.Trace):
        raise ValueError(
            f"trace must be what lstm_zoo.inspection.trace returns, got {type(trace).__name__}"
        )


def _inputs_and_values(trace, sample):
    """Each quantity of one sequence by its name, `(timesteps, units)`, NaN where masked."""
    inputs = np.array(trace.inputs[sample], dtype=float)
    if trace.mask is not None:
        inputs[~np.asarray(trace.mask[sample], dtype=bool)] = np.nan
    return {"inputs": inputs, **{name: v[sample] for name, v in trace.values.items()}}


def _is_gate(name):
    return name.endswith("_gate")


def _limit(values):
    """A round number that no absolute value exceeds, to scale a signed quantity."""
    largest = float(np.nanmax(np.abs(values)))
    if largest == 0:
        return 1.0
    digit = 10.0 ** (np.floor(np.log10(largest)) - 1)
    return float(np.ceil(round(largest / digit, 6)) * digit)


def _heatmap(ax, name, series, rows, what):
    shown = series[:, rows].T
    if _is_gate(name):
        low, high, colours = 0.0, 1.0, OPENNESS
    else:
        high = _limit(shown)
        low, colours = -high, SIGNED
    image = ax.imshow(
        shown, aspect="auto", interpolation="nearest", cmap=colours, vmin=low, vmax=high
    )
    ticks = thin(len(rows), 3)
    ax.set_yticks(ticks, [str(rows[k]) for k in ticks])
    ax.set_ylabel(what)
    ticks = [low, (low + high) / 2, high]
    bar = ax.figure.colorbar(image, ax=ax, pad=0.01, aspect=8, ticks=ticks)
    bar.ax.set_yticks(ticks, map(short, ticks), fontsize=ax.yaxis.label.get_size())


def _lines(ax, name, series, rows, what):
    for row, line in zip(rows, LINES):
        ax.plot(series[:, row], line, color=COLOURS[name], linewidth=2, label=str(row))
    if _is_gate(name):
        ax.set_ylim(-0.05, 1.05)
        ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    elif name != "inputs":
        high = _limit(series[:, rows])
        ax.set_ylim(-1.1 * high, 1.1 * high)
        ax.set_yticks([-high, 0, high], map(short, (-high, 0, high)))
        ax.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    ax.set_ylabel("value")
