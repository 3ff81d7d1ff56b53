"""`explore_gradients` shows how far back gradients reach in a SimpleRNN and in an LSTM."""

from __future__ import annotations

import numpy as np

from lstm_zoo import inspection
from lstm_zoo.cells.in_numpy import lstm_gradients, rnn_gradients
from lstm_zoo.plots.style import NOTE, WIDTH, styled
from lstm_zoo.plots.training import line_label, norms_to_draw, plot_gradient_flow
from lstm_zoo.widgets.explorer import Explorer, ipywidgets
from lstm_zoo.widgets.picture import Picture

BATCH, FEATURES, UNITS, MOST_TIMESTEPS = 8, 4, 16, 200

PRESETS = {
    "vanishing": {"scale": 0.6, "forget_bias": 0.0},
    "exploding": {"scale": 1.8, "forget_bias": 1.0},
    "open forget gate": {"scale": 0.6, "forget_bias": 6.0},
}


def explore_gradients() -> Explorer:
    """See how far back the gradient reaches in a SimpleRNN and in an LSTM for different weights.

    Both networks are untrained: 16 units read 8 random sequences of 4 features. The recurrent
    matrices (one in the SimpleRNN, one per gate in the LSTM) are orthogonal matrices times a scale,
    so each stretches every vector by this scale. The loss is the sum of the last hidden state over
    its units, divided by 4, so that its gradient with respect to this state has norm 1.

    Returns:
        An `Explorer` with controls scale, timesteps and forget_bias. Its `numbers` are the norms of
        the gradient at every step, `(timesteps,)`, averaged over the sequences, for the SimpleRNN's
        hidden state and the LSTM's hidden state and cell state. The picture is
        `lstm_zoo.plots.plot_gradient_flow`. Buttons set weights for which both gradients vanish,
        for which the SimpleRNN's explodes, and for which only the cell state keeps its gradient.

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
        control.description = description

    picture = _FlowPicture(_flows(**{name: control.value for name, control in controls.items()}))

    def look(scale, timesteps, forget_bias):
        flows = _flows(scale, timesteps, forget_bias)
        picture.show(flows)
        numbers = {name: flow.mean() for name, flow in flows.items()}
        reach = "".join(
            f"<div>{name}: norm {curve[0]:.2g} at step 0, {curve[-1]:.2g} at the last step</div>"
            for name, curve in numbers.items()
        )
        return numbers, picture, reach

    return Explorer(controls, look, presets=PRESETS)


def _flows(scale, timesteps, forget_bias):
    """A dict of the gradient flows of the three states, by the label of their line."""
    x, rnn, lstm = example_networks(scale, timesteps, forget_bias)
    hidden, cell = lstm_gradients(x, *lstm)
    norms = {
        "SimpleRNN, hidden state": rnn_gradients(x, *rnn),
        "LSTM, hidden state": hidden,
        "LSTM, cell state": cell,
    }
    return {name: inspection.GradientFlow({"": n}, {}) for name, n in norms.items()}


class _FlowPicture(Picture):
    """The picture of `plot_gradient_flow`, with lines that can move."""

    def __init__(self, flows):
        super().__init__(WIDTH, 3.8)
        styled(self._draw)(flows)

    def _draw(self, flows):
        self._ax = plot_gradient_flow(flows, ax=self.axes(0.8, 1.4, 0.1, 0.3))
        self._ax.set(ylim=(1e-10, 1e3), ylabel="gradient norm")
        self._ax.set_title("mean of 8 sequences", loc="right", color=NOTE)
        legend = self._ax.get_legend()
        self._lines = list(zip(self._ax.lines, legend.get_texts()))
        self.keep([self._ax.xaxis, *self._ax.lines, legend])

    def show(self, flows):
        for (line, text), (name, flow) in zip(self._lines, flows.items()):
            norms = norms_to_draw(flow)
            line.set_data(np.arange(len(norms)), norms)
            line.set_markevery(max(1, len(norms) // 8))
            text.set_text(line_label(name, flow))
        last = len(norms) - 1
        self._ax.set_xlim(-0.03 * last, 1.03 * last)


def example_networks(scale, timesteps, forget_bias):
    """The sequences of `explore_gradients`, and the weights of both layers.

    >>> x, rnn, lstm = example_networks(1.0, 50, 1.0)
    >>> [weight.shape for weight in lstm]
    [(4, 64), (16, 64), (64,)]
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, MOST_TIMESTEPS, FEATURES))[:, :timesteps]
    kernel = rng.normal(size=(FEATURES, 4 * UNITS)) / np.sqrt(FEATURES + UNITS)
    turns = [np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0] for _ in range(4)]
    bias = np.repeat([0.0, forget_bias, 0.0, 0.0], UNITS)
    lstm = kernel, scale * np.concatenate(turns, axis=1), bias
    return x, (kernel[:, :UNITS], scale * turns[0], bias[:UNITS]), lstm
