"""Plots of the inside of a recurrent model, of its training and of its predictions.

Every function takes numbers (a Trace, a GradientFlow, a History, arrays) and an optional `ax`, and
returns the Axes that it drew on. Call `plt.show()` yourself. A function with several panels takes
one Axes per panel in `ax` and returns an array of Axes.
"""

from lstm_zoo.plots.animation import animate_trace
from lstm_zoo.plots.cell import plot_cell_diagram
from lstm_zoo.plots.forecasts import plot_backtest, plot_forecast
from lstm_zoo.plots.predictions import plot_confusion, plot_embedding
from lstm_zoo.plots.saliency import plot_saliency
from lstm_zoo.plots.style import COLOURS, CYCLE, SIGNED
from lstm_zoo.plots.trace import plot_gate_saturation, plot_trace
from lstm_zoo.plots.training import plot_gradient_flow, plot_history
from lstm_zoo.plots.weights import plot_weights
from lstm_zoo.spelling import suggest as _suggest

__all__ = [
    "COLOURS",
    "CYCLE",
    "SIGNED",
    "animate_trace",
    "plot_backtest",
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


def __dir__() -> list[str]:
    """List only the plotting functions, without palettes and modules."""
    return [name for name in __all__ if not name.isupper()]


_suggest(__name__)
