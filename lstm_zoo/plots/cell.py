"""Draws the LSTM cell with its gates, and the values of one step flowing through it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from lstm_zoo import checks, inspection
from lstm_zoo.cells import LSTMCell
from lstm_zoo.plots.style import (
    COLOURS,
    NOTE,
    STYLE,
    WIDTH,
    axes_for,
    numbers,
    one_direction,
    styled,
    words,
)

GATES = LSTMCell.gate_names
NEEDED = (*GATES, "previous_cell_state")
OPTIONAL = ("input", "previous_hidden_state", "cell_state", "hidden_state")

SYMBOLS = {
    "input_gate": "$i_t$",
    "forget_gate": "$f_t$",
    "candidate": "$g_t$",
    "output_gate": "$o_t$",
    "kept": r"$f_t\,c_{t-1}$",
    "written": r"$i_t\,g_t$",
    "cell_state": "$c_t$",
    "hidden_state": "$h_t$",
    "previous_cell_state": "$c_{t-1}$",
    "previous_hidden_state": "$h_{t-1}$",
    "input": "$x_t$",
}
ENDS = ("previous_cell_state", "cell_state", "previous_hidden_state", "hidden_state")
ONE_LINE = ("kept", "input")

# Positions in inches, in a figure 5 inches wide.
HEIGHT = 3.6
C, BOXES, BUS, X = 3.0, 1.3, 0.68, 0.62
F, I, G, O, OUT = 0.97, 1.84, 2.71, 3.58, 4.26
WRITE, SQUASH, READ = 2.32, 2.68, 2.12  # heights of i * g, of tanh, of o * tanh(c)
BOX, RADIUS = (0.83, 0.66), 0.13
PLACES = {"forget_gate": F, "input_gate": I, "candidate": G, "output_gate": O}


@styled
def plot_cell_diagram(
    values: inspection.Trace | dict[str, float] | None = None,
    step: int | None = None,
    sample: int = 0,
    unit: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the LSTM cell, with the values of one step flowing through one of its units.

    The previous cell state and hidden state enter from the left, the input from below. The forget
    gate scales the old cell state, the input gate scales the candidate that is added to it, and the
    output gate scales its tanh, which becomes the hidden state.

    Args:
        values: None draws symbols only. A Trace of an LSTM shows the values at `step`, `sample` and
            `unit`. A dict of numbers needs input_gate, forget_gate, candidate, output_gate and
            previous_cell_state; input, previous_hidden_state, cell_state and hidden_state are
            optional (the last two follow from the equations).
        step, sample, unit: indices into a Trace; a `step` of None is the first step read.
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes. Wider lines carry larger values; a fuller box means a more open gate.

    Raises:
        ValueError: if `values` is none of these, lacks a value, or is masked at that step.

    Source:
        Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735, with the forget
        gate of Gers et al. 2000, https://doi.org/10.1162/089976600300015015.

    Example:
        >>> step = dict(input_gate=0.5, forget_gate=0.9, candidate=0.8, output_gate=0.3)
        >>> ax = plot_cell_diagram({**step, "previous_cell_state": 1.0})
        >>> ax.get_title()
        ''
    """
    title = ""
    if isinstance(values, (inspection.Trace, inspection.BidirectionalTrace)):
        walk = walk_through(values, sample, unit)
        t = (
            next(iter(walk))
            if step is None
            else checks.count("step", step, 0, below=values.timesteps)
        )
        if t not in walk:
            raise ValueError(
                f"step must not be masked, got step {t} of sample {sample}; choose one of {[*walk]}"
            )
        title = f"{values.layer}, sample {sample}, unit {unit}, step {t}"
        values = walk[t]
    ax = axes_for(ax, height=HEIGHT + (0.3 if title else 0))
    CellDiagram(ax).show(None if values is None else completed(values))
    ax.set_title(title, loc="right", color=NOTE)
    return ax


class CellDiagram:
    """The cell's wires, boxes and labels on an Axes; `show` sets their values."""

    def __init__(self, ax):
        self.ax, self.wires, self.labels, self.fills = ax, {}, {}, {}
        ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect="equal")
        ax.axis("off")
        ax.add_patch(_rounded(0.5, 0.42, 4.0, 3.05, "#f4f4f4", "#bbbbbb"))
        self._draw_wires()
        for name, x in PLACES.items():
            self._draw_gate(name, x)
        for x, y, sign in ((F, C, "×"), (G, C, "+"), (G, WRITE, "×"), (OUT, READ, "×")):
            ax.add_patch(Circle((x, y), RADIUS, facecolor="white", edgecolor="black", zorder=4))
            self._write(x, y, sign, ha="center")
        ax.add_patch(_rounded(OUT - 0.24, SQUASH - 0.13, 0.48, 0.26, "white", "black", zorder=4))
        self._write(OUT, SQUASH, "tanh", ha="center")
        self._draw_labels()

    def show(self, values=None):
        for name, label in self.labels.items():
            symbol = SYMBOLS.get(name, "")
            number = "" if values is None or name not in values else two_decimals(values[name])
            if name in ONE_LINE and number:
                label.set_text(f"{symbol} = {number}")
            elif name in ENDS:  # the wire runs between the two lines of text
                label.set_text(f"{symbol}\n{number or ' '}")
            else:
                label.set_text("\n".join(filter(None, [symbol, number])))
        for name, lines in self.wires.items():
            value = 0.25 if values is None else values.get(name, 0.25)
            for line in lines:
                line.set_linewidth(1 + 3.5 * np.tanh(abs(value)))
        for name, fill in self.fills.items():
            value = 0.0 if values is None else values[name]
            low, high = (-1, 1) if name == "candidate" else (0, 1)
            bottom, top = (np.clip((v - low) / (high - low), 0, 1) for v in sorted((0, value)))
            fill.set(y=BOXES - BOX[1] / 2 + bottom * BOX[1], height=(top - bottom) * BOX[1])

    def _wire(self, name, colour, *points, arrow=True, zorder=2):
        x, y = zip(*points)
        [line] = self.ax.plot(x, y, color=colour, solid_joinstyle="round", zorder=zorder)
        self.wires.setdefault(name, []).append(line)
        if arrow:
            angle = np.degrees(np.arctan2(y[-1] - y[-2], x[-1] - x[-2])) - 90
            self.ax.plot(x[-1], y[-1], marker=(3, 0, angle), markersize=8, color=colour, zorder=3)

    def _draw_wires(self):
        cell, hidden = COLOURS["cell_state"], COLOURS["hidden_state"]
        top, edge = BOXES + BOX[1] / 2, RADIUS + 0.05
        self._wire("previous_cell_state", cell, (0.05, C), (F - edge, C))
        self._wire("kept", cell, (F, C), (G - edge, C))
        self._wire("cell_state", cell, (G, C), (WIDTH - 0.08, C))
        self._wire("forget_gate", COLOURS["forget_gate"], (F, top), (F, C - edge))
        into = (I, top), (I, WRITE), (G - edge, WRITE)
        self._wire("input_gate", COLOURS["input_gate"], *into)
        self._wire("candidate", COLOURS["candidate"], (G, top), (G, WRITE - edge))
        self._wire("written", cell, (G, WRITE), (G, C - edge))
        self._wire("squashed", cell, (OUT, C), (OUT, READ + edge))
        into = (O, top), (O, READ), (OUT - edge, READ)
        self._wire("output_gate", COLOURS["output_gate"], *into)
        self._wire("hidden_state", hidden, (OUT, READ), (OUT, BUS), (WIDTH - 0.08, BUS))
        self._wire("previous_hidden_state", hidden, (0.05, BUS), (O, BUS), arrow=False)
        self._wire("input", COLOURS["inputs"], (X, 0.05), (X, BUS), arrow=False)
        for x in PLACES.values():  # every gate sees all of x_t and h_{t-1}
            self._wire("", hidden, (x, BUS), (x, BOXES - BOX[1] / 2 - 0.05))
        self.ax.plot([X, OUT], [BUS, C], "o", markersize=4, color="black", zorder=3)

    def _draw_gate(self, name, x):
        width, height = BOX
        left, bottom = x - width / 2, BOXES - height / 2
        self.ax.add_patch(_rounded(left, bottom, width, height, "white", "none", zorder=3))
        frame = _rounded(left, bottom, width, height, "none", COLOURS[name], zorder=5)
        frame.set_linewidth(2)
        self.ax.add_patch(frame)
        fill = Rectangle(
            (left, bottom), width, 0, color=COLOURS[name], alpha=0.4, linewidth=0, zorder=4
        )
        self.fills[name] = self.ax.add_patch(fill)
        fill.set_clip_path(frame)
        squash = "tanh" if name == "candidate" else "σ"
        self._write(x, BOXES, "\n".join([squash, *words(name).split()]), ha="center")

    def _draw_labels(self):
        beside = {"va": "center", "ha": "left"}
        for name, x, y in (
            ("forget_gate", F, 2.2),
            ("input_gate", I, 1.98),
            ("candidate", G, 1.94),
            ("output_gate", O, 1.87),
            ("written", G + 0.03, 2.6),
        ):
            self.labels[name] = self._write(x + 0.07, y, **beside)
        self.labels["squashed"] = self._write(OUT - 0.08, 2.4, ha="right")
        self.labels["kept"] = self._write((F + G) / 2, C + 0.16, ha="center")
        for name, x, y in (
            ("previous_cell_state", 0.24, C),
            ("cell_state", WIDTH - 0.24, C),
            ("previous_hidden_state", 0.24, BUS),
            ("hidden_state", WIDTH - 0.24, BUS),
        ):
            self.labels[name] = self._write(x, y, ha="center", linespacing=1.7)
        self.labels["input"] = self._write(X + 0.08, 0.2, **beside)

    def _write(self, x, y, text="", ha="left", va="center", **how):
        return self.ax.text(x, y, text, ha=ha, va=va, fontsize=STYLE["font.size"], zorder=6, **how)


def _rounded(x, y, width, height, face, edge, zorder=0):
    shape = "round,pad=0,rounding_size=0.1"
    return FancyBboxPatch(
        (x, y), width, height, shape, facecolor=face, edgecolor=edge, zorder=zorder
    )


def two_decimals(value):
    text = f"{value:.2f}"
    return text.replace("-", "" if float(text) == 0 else "\N{MINUS SIGN}")


def completed(values):
    """All values of the diagram for one step, from the numbers in `NEEDED` and `OPTIONAL`."""
    if not isinstance(values, dict):
        raise ValueError(f"values must be a Trace, a dict or None, got {type(values).__name__}")
    missing = [name for name in NEEDED if name not in values]
    unknown = [name for name in values if name not in (*NEEDED, *OPTIONAL)]
    if missing or unknown:
        raise ValueError(
            f"values must hold {', '.join(NEEDED)} and may hold {', '.join(OPTIONAL)}; "
            f"missing {missing}, unknown {unknown}"
        )
    v = {name: float(numbers(name, value, 0)) for name, value in values.items()}
    v["kept"] = v["forget_gate"] * v["previous_cell_state"]
    v["written"] = v["input_gate"] * v["candidate"]
    v.setdefault("cell_state", v["kept"] + v["written"])
    v["squashed"] = float(np.tanh(v["cell_state"]))
    v.setdefault("hidden_state", v["output_gate"] * v["squashed"])
    return v


def has_a_diagram(trace):
    """Whether a Trace has all values of the diagram, with equal width."""
    needed = (*GATES, *LSTMCell.state_names)
    return {*needed} <= {*trace.values} and len({trace.values[n].shape[2] for n in needed}) == 1


def walk_through(trace, sample, unit):
    """A dict from each unmasked step to its values, in the order in which the layer reads."""
    one_direction(trace)
    if not has_a_diagram(trace):
        widths = {name: value.shape[2] for name, value in trace.values.items()}
        raise ValueError(
            "trace must come from an LSTM with four gates, a cell state and a hidden state of "
            f"equal width, got kind {trace.kind!r} with {widths}"
        )
    sample = checks.count("sample", sample, 0, below=len(trace.inputs))
    unit = checks.count("unit", unit, 0, below=trace.units)
    order = trace.order(sample)
    if not order:
        raise ValueError(f"sample must have an unmasked step, got {sample}, which has none")
    walk = {
        t: {name: float(series[sample, t, unit]) for name, series in trace.values.items()}
        for t in order
    }
    for name in LSTMCell.state_names:
        for step, before in zip(walk.values(), trace.before(name, sample)):
            step[f"previous_{name}"] = float(before[unit])
    if trace.inputs.shape[2] == 1:
        for t, step in walk.items():
            step["input"] = float(trace.inputs[sample, t, 0])
    return walk
