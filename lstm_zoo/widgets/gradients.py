"""`explore_gradients`: how far back the gradient reaches in a SimpleRNN and in an LSTM."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lstm_zoo import inspection
from lstm_zoo.cells.in_numpy import lstm_gradients, rnn_gradients
from lstm_zoo.plots.style import NOTE, WIDTH
from lstm_zoo.plots.training import plot_gradient_flow
from lstm_zoo.widgets.explorer import Explorer, ipywidgets

BATCH, FEATURES, UNITS, MOST_TIMESTEPS = 8, 4, 16, 200


def explore_gradients() -> Explorer:
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
        control.description = description

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


def example_networks(scale, timesteps, forget_bias):
    """The sequences of `explore_gradients`, and kernel, recurrent kernel and bias of both layers.

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
