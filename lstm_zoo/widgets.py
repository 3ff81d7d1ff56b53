"""The pictures with sliders, for JupyterLab, Notebook 7 and Colab.

Each function returns an `Explorer`: controls, a picture that follows them, and its numbers. A
notebook shows it when it is the last line of a cell. Its controls can be moved by the mouse, by the
arrow keys, and by code: `explorer.controls["c"].value = 2.0`.
"""

import base64
import io

import numpy as np
from matplotlib.figure import Figure

from lstm_zoo import inspection
from lstm_zoo.diagram import GATES, HEIGHT, plot_cell_diagram, walk_through
from lstm_zoo.learning import plot_gradient_flow
from lstm_zoo.palette import COLOURS, LINES, NOTE, WIDTH, axes_for, colour_of, styled, words
from lstm_zoo.vanishing import (
    MOST_TIMESTEPS,
    example_networks,
    lstm_gradients,
    rnn_gradients,
    sigmoid,
)

try:
    import ipywidgets
except ImportError as problem:
    raise ImportError(
        "lstm_zoo.widgets needs ipywidgets: run `pip install ipywidgets` and restart the notebook"
    ) from problem

MINUS, DOT = "\N{MINUS SIGN}", "\N{MIDDLE DOT}"
PIXELS_AN_INCH = 110


class Explorer(ipywidgets.VBox):
    """Controls, a picture that follows them, and its numbers, from the functions below.

    Figures are made without `matplotlib.pyplot`, which would keep every one of them.

    Attributes:
        controls: by name, the ipywidgets to move.
        numbers: by name, the numbers of the picture, as they are now.
        picture: the `ipywidgets.Image` that shows it, a PNG.
        text: the `ipywidgets.HTML` with the numbers.
    """

    def __init__(self, controls, look, text_below=False):
        self.controls, self._look = controls, look
        self.picture = ipywidgets.Image(format="png")
        self.picture.layout.width = "480px"
        self.text = ipywidgets.HTML()
        self.text.layout.max_width = None if text_below else "350px"
        for control in controls.values():
            control.style.description_width = "160px"
            control.layout.width = "350px"
            control.observe(self._follow, names="value")
        self._follow()
        column, below = [*controls.values()], []
        (below if text_below else column).append(self.text)
        beside = ipywidgets.Box([ipywidgets.VBox(column), self.picture])
        beside.layout.flex_flow = "row wrap"  # the picture goes under the sliders on a small screen
        super().__init__([beside, *below])

    def _repr_mimebundle_(self, **options):
        """The picture besides, for pages where no kernel runs."""
        picture = base64.b64encode(self.picture.value).decode()
        return {**super()._repr_mimebundle_(**options), "image/png": picture}

    def _follow(self, change=None):
        settings = {name: control.value for name, control in self.controls.items()}
        self.numbers, figure, text = self._look(**settings)
        self.picture.value = _png(figure)  # first, as it takes longest: both change together
        self.text.value = text


def explore_cell(weights=None):
    """Set the input, the states and the biases of an LSTM of one unit, and see what it computes.

    Args:
        weights: kernel `(1, 4)`, recurrent kernel `(1, 4)` and bias `(4,)` in the order i, f, g, o,
            as `get_weights()` of an LSTM layer of one unit and one feature gives them; if None,
            kernels of 1 and biases of 0, but 1 for the forget gate.

    Returns:
        An `Explorer` with controls x, h and c (input, hidden state and cell state before the step)
        and b_i, b_f, b_g, b_o. Its `numbers` are the six quantities of the equations. The picture
        is that of `lstm_zoo.plots.plot_cell_diagram`, under it stand the equations.

    Raises:
        ValueError: if `weights` are not three finite arrays of these shapes.

    Source:
        Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735, with the forget
        gate of Gers et al. 2000, https://doi.org/10.1162/089976600300015015.

    Example:
        >>> cell = explore_cell()
        >>> cell.controls["b_f"].value = -5.0  # the forget gate closes
        >>> round(cell.numbers["forget_gate"], 3)
        0.018
    """
    kernel, recurrent_kernel, bias = _one_unit(weights)
    controls = {
        "x": _slider("x, input", 1.0, 3.0),
        "h": _slider("h, hidden state before", 0.0, 1.0),
        "c": _slider("c, cell state before", 0.5, 3.0),
    }
    for gate, symbol, b in zip(GATES, "ifgo", bias):
        controls[f"b_{symbol}"] = _slider(f"bias of the {words(gate)}", b, max(5.0, abs(b)))

    def look(x, h, c, **biases):
        b = np.array([*biases.values()])
        i, f, g, o = (x * kernel + h * recurrent_kernel + b).tolist()
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        now = f * c + i * g
        values = [i, f, g, o, now, o * np.tanh(now)]
        numbers = dict(zip([*GATES, "cell_state", "hidden_state"], map(float, values)))
        ax = Figure(figsize=(WIDTH, HEIGHT)).add_axes((0, 0, 1, 1))
        before = {"input": x, "previous_hidden_state": h, "previous_cell_state": c}
        plot_cell_diagram({**numbers, **before}, ax=ax)
        inner = [
            f"{_two(w)} {DOT} {_two(x)} + {_two(u)} {DOT} {_two(h)} + {_two(one)}"
            for w, u, one in zip(kernel, recurrent_kernel, b)
        ]
        return numbers, ax.figure, _table(_equations(numbers, inner, c))

    return Explorer(controls, look, text_below=True)


def explore_trace(model, x, layer=None):
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
        >>> import keras
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
        series = {name: v[sample, :, unit].astype(float) for name, v in trace.values.items()}
        numbers = {name: float(v[step]) for name, v in series.items()}
        masked = np.isnan(numbers["hidden_state"])
        heading = ", ".join(filter(None, [trace.layer, direction, f"unit {unit}, step {step}"]))
        if masked:
            heading += ": masked, the layer leaves this step out"
        figure, ax = _trace_figure(series, step, {*GATES, "cell_state"} <= {*series})
        if ax is not None:
            walk = None if masked else walk_through(trace, sample, unit)[step]
            plot_cell_diagram(walk, ax=ax)
        return numbers, figure, f"{heading}{_table(numbers.items())}"

    return Explorer(controls, look)


def explore_gradients():
    """See how far back the gradient reaches in a SimpleRNN and in an LSTM, as their weights change.

    Both are untrained: 16 units read 8 random sequences of 4 features. The recurrent matrices, one
    of the SimpleRNN and one a gate of the LSTM, are orthogonal ones times a scale: each stretches
    every vector by that scale. The loss is the sum of the last hidden state over its units, divided
    by 4, so that the gradient of that state has norm 1.

    Returns:
        An `Explorer` with controls scale, timesteps and forget_bias. Its `numbers` are, for the
        SimpleRNN's hidden state and the LSTM's hidden state and cell state, the norm of the
        gradient at every step, `(timesteps,)`, averaged over the sequences. The picture is that of
        `lstm_zoo.plots.plot_gradient_flow`.

    Sources:
        Bengio, Simard & Frasconi 1994, https://doi.org/10.1109/72.279181;
        Jozefowicz, Zaremba & Sutskever 2015 (forget bias),
        https://proceedings.mlr.press/v37/jozefowicz15.html.

    Example:
        >>> flow = explore_gradients()
        >>> flow.controls["timesteps"].value = 50
        >>> [len(norms) for norms in flow.numbers.values()]
        [50, 50, 50]
    """
    controls = {
        "scale": ipywidgets.FloatSlider(1.0, min=0.0, max=2.0, step=0.05),
        "timesteps": ipywidgets.IntSlider(100, 2, MOST_TIMESTEPS),
        "forget_bias": ipywidgets.FloatSlider(1.0, min=-3.0, max=6.0, step=0.25),
    }
    described = ["recurrent weight scale", "sequence length", "forget bias"]
    for control, description in zip(controls.values(), described):
        control.description, control.continuous_update = description, False

    def look(scale, timesteps, forget_bias):
        x, rnn, lstm = example_networks(scale, timesteps, forget_bias)
        hidden, cell = lstm_gradients(x, *lstm)
        norms = {
            "SimpleRNN, hidden state": rnn_gradients(x, *rnn),
            "LSTM, hidden state": hidden,
            "LSTM, cell state": cell,
        }
        flows = {name: inspection.GradientFlow({"": n}, {}) for name, n in norms.items()}
        figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
        ax = plot_gradient_flow(flows, ax=figure.subplots())
        ax.set(ylim=(1e-10, 1e3), ylabel="gradient norm")
        ax.set_title("mean of 8 sequences", loc="right", color=NOTE)
        numbers = {name: flow.mean() for name, flow in flows.items()}
        reach = "".join(
            f"<div>{name}: norm {curve[0]:.2g} at step 0, {curve[-1]:.2g} at the last step</div>"
            for name, curve in numbers.items()
        )
        return numbers, figure, reach

    return Explorer(controls, look)


def _one_unit(weights):
    if weights is None:
        return np.ones(4), np.ones(4), np.array([0.0, 1.0, 0.0, 0.0])
    try:
        weights = [np.asarray(weight, float) for weight in weights]
    except (TypeError, ValueError):
        raise ValueError(f"weights must be a list of three arrays, got {weights!r:.80}") from None
    shapes = [weight.shape for weight in weights]
    if shapes != [(1, 4), (1, 4), (4,)] or not all(np.isfinite(w).all() for w in weights):
        raise ValueError(
            "weights must be finite and of shapes (1, 4), (1, 4), (4,), those of an LSTM of one "
            f"unit that reads one feature, got shapes {shapes}"
        )
    return map(np.ravel, weights)


def _slider(description, value, most):
    return ipywidgets.FloatSlider(
        value, min=-most, max=most, step=0.05, description=description, readout_format=".2f"
    )


@styled
def _png(figure):
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=PIXELS_AN_INCH)
    return drawn.getvalue()


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
        for (name, values), line in zip(part.items(), LINES):
            ax.plot(values, line, color=colour_of(name), label=words(name))
        ax.axvline(step, color=COLOURS["inputs"], linewidth=1)
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


def _equations(numbers, inner, c):
    """The rows of `_table`: name, equation, the same with numbers, result."""
    i, f, g, o, now, _ = map(_two, numbers.values())
    formulas, filled = [], []
    for k, squash, numbers_in in zip("ifgo", ("σ", "σ", "tanh", "σ"), inner):
        z = f"W<sub>{k}</sub> x + U<sub>{k}</sub> h + b<sub>{k}</sub>"
        formulas.append(f"{k}<sub>t</sub> = {squash}({z})")
        filled.append(f"= {squash}({numbers_in}) =")
    formulas.append(f"c<sub>t</sub> = f<sub>t</sub> {DOT} c + i<sub>t</sub> {DOT} g<sub>t</sub>")
    formulas.append(f"h<sub>t</sub> = o<sub>t</sub> {DOT} tanh(c<sub>t</sub>)")
    filled += [f"= {f} {DOT} {_two(c)} + {i} {DOT} {g} =", f"= {o} {DOT} tanh({now}) ="]
    return [
        (name, formula, part, value)
        for (name, value), formula, part in zip(numbers.items(), formulas, filled)
    ]


def _table(rows):
    """HTML with a row a quantity, marked in its colour; the number has the name as its class."""
    style = "padding: 0 10px; white-space: nowrap"
    lines = []
    for name, *texts, value in rows:
        cells = "".join(f'<td style="{style}">{text}</td>' for text in texts)
        lines.append(
            f'<tr><td style="{style}; border-left: 6px solid {colour_of(name)}">{words(name)}</td>'
            f'{cells}<td style="{style}"><b class="{name}">{_three(value)}</b></td></tr>'
        )
    return f'<table style="line-height: 1.5">{"".join(lines)}</table>'


def _two(value):
    return f"{value:.2f}".replace("-", MINUS)


def _three(value):
    return "masked" if np.isnan(value) else f"{value:.3f}".replace("-", MINUS)
