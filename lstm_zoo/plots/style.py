"""What every figure shares: colours, line styles, colour maps, sizes, and checks of what came in.

There are two palettes that people with any common colour blindness tell apart. Gates and states
have the colours of Okabe & Ito (2008, https://jfly.uni-koeln.de/color/), each the same in every
figure; all else has the muted ones of Tol (2021, https://personal.sron.nl/~pault/), so that nothing
looks like a gate that is none. Line styles and markers differ too, and a figure survives a grey
printer. Figures are 5 inches wide and set in 11 pt: shrunk to half a page, 3.3 inches, their text
is still above 7 pt.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.transforms import ScaledTranslation

from lstm_zoo import checks, inspection
from lstm_zoo.display import COLOURS, words  # noqa: F401

CYCLE = ("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#AA4499", "#999933", "#44AA99")
"""The colours of what is no quantity of a cell: models, curves, classes, forecasts, marks."""

CURSOR = CYCLE[3]  # of the step that is shown, across lines of gates and states
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "*")

# Lightness rises along both maps, so a grey copy keeps the order. Zero of a signed quantity is a
# grey that nobody takes for a blank.
OPENNESS = mpl.colormaps["viridis"]
SIGNED = LinearSegmentedColormap.from_list(
    "lstm_zoo_signed", ["#08204d", "#2273b8", "#9b9b9b", "#f0a336", "#fff4cf"]
)
AMOUNT = LinearSegmentedColormap.from_list("lstm_zoo_amount", ["#ffffff", "#9ecae1", "#08306b"])

NOTE = "#595959"  # of what a title adds in its right corner

WIDTH = 5.0
STYLE: dict[Any, Any] = {
    "font.size": 11,
    **dict.fromkeys(("axes.titlesize", "axes.labelsize", "legend.fontsize"), 11),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.title_fontsize"), 11),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "mathtext.fontset": "dejavusans",
}
styled = mpl.rc_context(STYLE)
"""Decorates a function that draws: its figure then looks the same whatever the user's settings."""


def axes_for(ax, height=3.2):
    """The Axes to draw on: `ax`, or one in a new figure of `height` inches."""
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, height), layout="constrained")
    elif not isinstance(ax, mpl.axes.Axes):
        raise ValueError(f"ax must be a matplotlib Axes or None, got {type(ax).__name__}")
    _keep_text_size(ax)
    return ax


def stack_of_axes(ax, heights):
    """An array of Axes, one for each of `heights` in inches: `ax`, or a new figure's, stacked."""
    if ax is None:
        _, ax = plt.subplots(
            len(heights),
            figsize=(WIDTH, sum(heights)),
            height_ratios=heights,
            layout="constrained",
            squeeze=False,
        )
    panels = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(panels) != len(heights) or not all(isinstance(a, mpl.axes.Axes) for a in panels):
        raise ValueError(f"ax must hold {len(heights)} matplotlib Axes, one a panel, got {ax!r}")
    for panel in panels:
        _keep_text_size(panel)
    return panels


def _keep_text_size(ax):
    # Ticks are made when a figure is drawn, by then outside `styled`.
    ax.tick_params(labelsize=STYLE["font.size"])


def colour_of(name):
    """The colour of a quantity; grey for one that only a cell of the user's own has."""
    return COLOURS.get(name, NOTE)


def numbers(name, value, *ranks):
    """`value` as a float array with one of `ranks` axes and at least one finite number in it."""
    array = checks.array(name, value, *ranks).astype(float)
    if not np.isfinite(array).any():
        raise ValueError(f"{name} must hold finite numbers, got none in shape {array.shape}")
    return array


def one_direction(trace):
    """`trace`, which must be a Trace and not the pair of a `Bidirectional`."""
    if isinstance(trace, inspection.BidirectionalTrace):
        raise ValueError("trace has two directions, pass trace.forward or trace.backward")
    if not isinstance(trace, inspection.Trace):
        raise ValueError(
            f"trace must be what lstm_zoo.inspection.trace returns, got {type(trace).__name__}"
        )
    return trace


def thin(size, most):
    """`size` indices, or `most` of them evenly spread, the first and the last among them."""
    return np.arange(size) if size <= most else np.linspace(0, size - 1, most).round().astype(int)


def thinned(shown, size, what):
    """A word about thinning for a title, `["32 of 64 units"]`; empty if all are shown."""
    return [] if shown == size else [f"{shown} of {size} {what}s"]


def short(number):
    """`-0.1234` as a label: `"−0.12"`."""
    return f"{number:.2g}".replace("-", "\N{MINUS SIGN}")


def round_limit(values):
    """A number of two digits that no absolute value exceeds, to scale a signed quantity."""
    largest = float(np.nanmax(np.abs(values)))
    if largest == 0:
        return 1.0
    digit = 10.0 ** (np.floor(np.log10(largest)) - 1)
    return float(np.ceil(round(largest / digit, 6)) * digit)


def colour_bar(image, ax, ticks, **where):
    """A narrow bar beside `ax` that says which number a colour is, at `ticks`."""
    panels = list(np.atleast_1d(np.asarray(ax, dtype=object)))
    bar = panels[0].figure.colorbar(image, ax=panels, pad=0.01, **where)
    bar.ax.set_yticks(ticks, map(short, ticks), fontsize=STYLE["font.size"])
    return bar


def dates_below(ax):
    """Few dates under the x axis, each written as short as it can be."""
    locator = AutoDateLocator(minticks=3, maxticks=5)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def legend_below(ax, ncols):
    """A legend under the x axis, where it covers no data and leaves room for a title."""
    down = ScaledTranslation(0, -3.6 * STYLE["font.size"] / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper left",
        ncols=ncols,
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + down,
        borderaxespad=0,
    )
