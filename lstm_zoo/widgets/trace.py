"""`explore_trace` shows the steps and units of a layer of a trained model."""

from __future__ import annotations

import itertools

import keras
import numpy as np
from matplotlib.ticker import MaxNLocator

from lstm_zoo import inspection
from lstm_zoo.inspection.finding import Inputs
from lstm_zoo.plots.cell import HEIGHT, CellDiagram, completed, has_a_diagram, walk_through
from lstm_zoo.plots.style import CURSOR, LINES, WIDTH, axes_for, colour_of, styled, words
from lstm_zoo.widgets.explorer import Explorer, ipywidgets, table
from lstm_zoo.widgets.picture import Picture

PANEL = 2.1  # inches


def explore_trace(
    model: keras.Layer, x: Inputs, layer: str | int | keras.Layer | None = None
) -> Explorer:
    """Scrub through the steps and the units of a recurrent layer of a trained model.

    Args:
        model: a `keras.Model`, or a recurrent layer on its own.
        x: the sequences to choose from, as input of the model, usually
            `(batch, timesteps, features)`.
        layer: the recurrent layer, as for `lstm_zoo.trace`; None takes the first.

    Returns:
        An `Explorer` with controls sample, unit and step, and direction for a `Bidirectional`. Its
        `numbers` are the values of this unit at this step, NaN at masked steps. The picture shows
        them over time, and for an LSTM also in the diagram of the cell.

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

    picture = _TracePicture(first)

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
            heading += ": masked, the layer skips this step"
        picture.show_series(series, step)
        if picture.diagram:
            walk = None if masked else completed(walk_through(trace, sample, unit)[step])
            picture.diagram.show(walk)
        return numbers, picture, f"{heading}{table(numbers.items())}"

    play = ipywidgets.Play(max=first.timesteps - 1, interval=400, description="step")
    ipywidgets.jslink((play, "value"), (controls["step"], "value"))
    return Explorer(controls, look, extra=[play])


class _TracePicture(Picture):
    """Gates and states over time, below the cell diagram of an LSTM, from the first Trace."""

    def __init__(self, trace):
        self.diagram = None
        gates = [name for name in trace.values if name.endswith("_gate")]
        states = [name for name in trace.values if name not in gates]
        panels = [part for part in (gates, states) if part]
        top = HEIGHT if has_a_diagram(trace) else 0.0
        height = PANEL * len(panels) + 0.25
        super().__init__(WIDTH, height + top)
        styled(self._draw)(panels, trace.timesteps, top)

    def _draw(self, panels, timesteps, top):
        self._lines, self._cursors, moving = {}, [], []
        height = self.figure.get_figheight()
        for k, names in enumerate(panels):
            above = top + PANEL * k
            ax = axes_for(self.axes(0.8, height - above - PANEL + 0.25, 0.1, above + 0.55))
            for name, line in zip(names, itertools.cycle(LINES)):
                [self._lines[name]] = ax.plot(
                    [], [], line, color=colour_of(name), label=words(name)
                )
            self._cursors.append(ax.axvline(0, color=CURSOR, linewidth=2, zorder=1))
            ax.set(xlim=(-0.5, timesteps - 0.5), ylabel="value")
            ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
            ax.legend(
                loc="lower left",
                ncols=3,
                bbox_to_anchor=(-0.12, 1),
                handlelength=1.5,
                columnspacing=1,
            )
            if names[0].endswith("_gate"):
                ax.set(ylim=(-0.05, 1.05))
            else:
                self._free = ax  # its scale adapts to the values
                moving.append(ax.yaxis)
            moving += [self._cursors[-1], *ax.lines[:-1]]
        ax.set_xlabel("time step")
        if top:
            diagram_height = height - top
            self.diagram = CellDiagram(self.axes(0, diagram_height, 0, 0))
            moving.append(self.diagram.ax)
        self.keep(moving)

    def show_series(self, series, step):
        for name, line in self._lines.items():
            values = series.get(name, [])
            line.set_data(np.arange(len(values)), values)
        for cursor in self._cursors:
            cursor.set_xdata([step, step])
        self._free.relim()
        self._free.autoscale_view(scalex=False)
