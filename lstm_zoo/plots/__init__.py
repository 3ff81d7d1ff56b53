"""Pictures of what goes on inside a recurrent model, and of what comes out of it.

Every function takes numbers (a Trace, a GradientFlow, a History, arrays) and an optional `ax`,
draws, and returns the Axes it drew on; `plt.show()` is left to you. One that draws several panels
takes as many Axes in `ax` and returns an array of them.
"""

from lstm_zoo.plots.animation import animate_trace
from lstm_zoo.plots.cell import plot_cell_diagram
from lstm_zoo.plots.predictions import plot_confusion, plot_embedding, plot_forecast
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
    """What draws: the palettes and the modules of this folder are there, but not offered."""
    return [name for name in __all__ if not name.isupper()]


_suggest(__name__)
