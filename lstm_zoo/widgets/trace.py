"""`explore_trace`: the steps and units of a layer of a trained model."""

from __future__ import annotations

import itertools

import keras
import numpy as np
from matplotlib.figure import Figure

from lstm_zoo import inspection
from lstm_zoo.inspection.finding import Inputs
from lstm_zoo.plots.cell import HEIGHT, has_a_diagram, plot_cell_diagram, walk_through
from lstm_zoo.plots.style import CURSOR, LINES, WIDTH, axes_for, colour_of, styled, words
from lstm_zoo.widgets.explorer import Explorer, ipywidgets, table


def explore_trace(
    model: keras.Layer, x: Inputs, layer: str | int | keras.Layer | None = None
) -> Explorer:
    """Scrub through the steps and the units of a recurrent layer of a trained model.

    Args:
        model: a `keras.Model`, or a recurrent layer on its own.
        x: what the model takes, mostly `(batch, timesteps, features)`: the sequences to choose
            from.
        layer: which recurrent layer, as for `lstm_zoo.trace`; the first one if None.

    Returns:
        An `Explorer` with controls sample, unit and step, and direction for a `Bidirectional`. Its
        `numbers` are the values of that unit at that step, NaN where it is masked. The picture
        shows them over time, and for an LSTM as they flow through the cell.

    Raises:
        ValueError: as `lstm_zoo.trace` does.

    Example:
        >>> seen = explore_trace(keras.layers.GRU(4), np.ones((2, 9, 3)))
        >>> seen.controls["step"].value = 8
        >>> list(seen.numbers)
        ['update_gate', 'reset_gate', 'candidate', 'hidden_state']
    """
    traces = inspection.trace(model, x, layer)
    traces = {"": traces} if isinstance(traces, inspection.Trace) else traces._asdict()
    first = next(iter(traces.values()))
    controls = {
        name: ipywidgets.IntSlider(0, 0, size - 1, description=name)
        for name, size in (
            ("sample", len(first.inputs)),
            ("unit", first.units),
            ("step", first.timesteps),
        )
    }
    if len(traces) > 1:
        controls["direction"] = ipywidgets.Dropdown(options=[*traces], description="direction")

    def look(sample, unit, step, direction=""):
        trace = traces[direction]
        series = {
            name: value[sample, :, unit].astype(float)
            for name, value in trace.values.items()
            if unit < value.shape[2]
        }
        numbers = {name: float(v[step]) for name, v in series.items()}
        masked = np.isnan(numbers["hidden_state"])
        heading = ", ".join(filter(None, [trace.layer, direction, f"unit {unit}, step {step}"]))
        if masked:
            heading += ": masked, the layer leaves this step out"
        figure, ax = _trace_figure(series, step, has_a_diagram(trace))
        if ax is not None:
            walk = None if masked else walk_through(trace, sample, unit)[step]
            plot_cell_diagram(walk, ax=ax)
        return numbers, figure, f"{heading}{table(numbers.items())}"

    play = ipywidgets.Play(max=first.timesteps - 1, interval=400, description="step")
    ipywidgets.jslink((play, "value"), (controls["step"], "value"))
    return Explorer(controls, look, extra=[play])


@styled
def _trace_figure(series, step, with_cell):
    """A figure of gates and states over time, and the Axes above them for the cell, if any."""
    gates = {name: v for name, v in series.items() if name.endswith("_gate")}
    states = {name: v for name, v in series.items() if name not in gates}
    panels = [part for part in (gates, states) if part]
    heights = [HEIGHT] * with_cell + [2.1 * len(panels)]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), height_ratios=heights, squeeze=False).ravel()
    axes = parts[-1].subplots(len(panels), squeeze=False).ravel()
    for ax, part in zip(axes, panels):
        axes_for(ax)
        for (name, values), line in zip(part.items(), itertools.cycle(LINES)):
            ax.plot(values, line, color=colour_of(name), label=words(name))
        ax.axvline(step, color=CURSOR, linewidth=2, zorder=1)
        ax.set(xlim=(-0.5, len(values) - 0.5), ylabel="value")
        ax.legend(
            loc="lower left",
            ncols=3,
            bbox_to_anchor=(-0.12, 1),
            handlelength=1.5,
            columnspacing=1,
        )
        if part is gates:
            ax.set(ylim=(-0.05, 1.05))
    axes[-1].set_xlabel("time step")
    return figure, axes_for(parts[0].subplots()) if with_cell else None
