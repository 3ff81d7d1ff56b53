"""Interactive plots with sliders, for JupyterLab, Notebook 7 and Colab.

Each function returns an `Explorer` with controls, a picture that follows them, and its numbers. A
notebook shows it if it is the last line of a cell. Move its controls with the mouse, with the arrow
keys, or in code: `explorer.controls["c"].value = 2.0`.
"""

from lstm_zoo.spelling import suggest as _suggest
from lstm_zoo.widgets.cell import explore_cell
from lstm_zoo.widgets.explorer import Explorer
from lstm_zoo.widgets.gradients import explore_gradients
from lstm_zoo.widgets.trace import explore_trace

__all__ = ["Explorer", "explore_cell", "explore_gradients", "explore_trace"]

_suggest(__name__)
