"""`explore_cell` shows the equations of one step for the values of the sliders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstm_zoo.cells.in_numpy import lstm_steps
from lstm_zoo.plots.cell import GATES, HEIGHT, CellDiagram, completed
from lstm_zoo.plots.style import WIDTH, styled, words
from lstm_zoo.widgets.explorer import Explorer, ipywidgets, signed, table
from lstm_zoo.widgets.picture import Picture

DOT = "\N{MIDDLE DOT}"

PRESETS = {  # biases that hold a gate open or closed for any input
    "latch": {"b_i": -5.0, "b_f": 5.0, "b_o": 5.0},
    "counter": {"b_i": 5.0, "b_f": 5.0, "b_o": 5.0},
    "forgetful cell": {"b_f": -5.0},
}


def explore_cell(weights: Sequence[npt.ArrayLike] | None = None) -> Explorer:
    """Set the input, states and biases of an LSTM with one unit, and see its results.

    Args:
        weights: kernel `(1, 4)`, recurrent kernel `(1, 4)` and bias `(4,)` in the order i, f, g, o,
            such as `get_weights()` of an LSTM layer with one unit and one feature. None uses
            kernels of 1, a forget gate bias of 1 and other biases of 0.

    Returns:
        An `Explorer` with controls x, h and c (input, hidden state and cell state before the step)
        and b_i, b_f, b_g, b_o. Its `numbers` are the six quantities of the equations. The picture
        is `lstm_zoo.plots.plot_cell_diagram` with the equations below. Buttons set the biases of a
        latch that keeps its cell state, of a counter that adds the candidate to it, and of a cell
        that forgets it.

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

    picture = Picture(WIDTH, HEIGHT)
    diagram = styled(CellDiagram)(picture.axes(0, 0, 0, 0))
    picture.keep([diagram.ax])

    def look(x, h, c, **biases):
        b = np.array([*biases.values()])
        h_before, c_before = np.full((1, 1), h), np.full((1, 1), c)
        [now] = lstm_steps(
            np.full((1, 1, 1), x), kernel, recurrent_kernel, b, h=h_before, c=c_before
        )
        numbers = {name: value.item() for name, value in now.items()}
        before = {"input": x, "previous_hidden_state": h, "previous_cell_state": c}
        diagram.show(completed({**numbers, **before}))
        inner = [
            f"{_two(w)} {DOT} {_two(x)} + {_two(u)} {DOT} {_two(h)} + {_two(one)}"
            for w, u, one in zip(kernel[0], recurrent_kernel[0], b)
        ]
        return numbers, picture, table(_equations(numbers, inner, c))

    return Explorer(controls, look, text_below=True, presets=PRESETS)


def _one_unit(weights):
    if weights is None:
        return np.ones((1, 4)), np.ones((1, 4)), np.array([0.0, 1.0, 0.0, 0.0])
    try:
        weights = [np.asarray(weight, float) for weight in weights]
    except (TypeError, ValueError):
        raise ValueError(f"weights must be a list of three arrays, got {weights!r:.80}") from None
    shapes = [weight.shape for weight in weights]
    if shapes != [(1, 4), (1, 4), (4,)] or not all(np.isfinite(w).all() for w in weights):
        raise ValueError(
            "weights must be finite and of shapes (1, 4), (1, 4), (4,), as in an LSTM with one "
            f"unit and one feature, got shapes {shapes}"
        )
    return weights


def _slider(description, value, most):
    return ipywidgets.FloatSlider(
        value, min=-most, max=most, step=0.05, description=description, readout_format=".2f"
    )


def _equations(numbers, inner, c):
    """The rows of `table`: name, equation, equation with numbers, result."""
    i, f, g, o, now, _ = map(_two, numbers.values())
    formulas, filled = [], []
    for k, squash, numbers_in in zip("ifgo", ("σ", "σ", "tanh", "σ"), inner):
        z = f"W<sub>{k}</sub> x + U<sub>{k}</sub> h + b<sub>{k}</sub>"
        formulas.append(f"{k}<sub>t</sub> = {squash}({z})")
        filled.append(f"= {squash}({numbers_in})")
    formulas.append(f"c<sub>t</sub> = f<sub>t</sub> {DOT} c + i<sub>t</sub> {DOT} g<sub>t</sub>")
    formulas.append(f"h<sub>t</sub> = o<sub>t</sub> {DOT} tanh(c<sub>t</sub>)")
    filled += [f"= {f} {DOT} {_two(c)} + {i} {DOT} {g}", f"= {o} {DOT} tanh({now})"]
    return [
        (name, formula, part, value)
        for (name, value), formula, part in zip(numbers.items(), formulas, filled)
    ]


def _two(value):
    return signed(f"{value:.2f}")
