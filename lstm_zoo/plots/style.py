"""The style of all figures: colours, line styles, colour maps, sizes and argument checks.

Both palettes are safe for colour-blind readers. Gates and states have the colours of Okabe & Ito
(2008, https://jfly.uni-koeln.de/color/), the same in every figure. Everything else uses the muted
colours of Tol (2021, https://personal.sron.nl/~pault/), so that nothing looks like a gate by
mistake. Line styles and markers differ too, so figures stay readable in grey. Figures are 5 inches
wide with 11 pt text; at half a page (3.3 inches) the text is still above 7 pt.
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
"""The colours of models, curves, classes, forecasts and marks: of all except cell quantities."""

CURSOR = CYCLE[3]  # marks the current step, across lines of gates and states
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "*")

# Lightness increases along both maps, so a grey copy keeps the order. Zero of a signed quantity is
# a grey that differs clearly from blank.
OPENNESS = mpl.colormaps["viridis"]
SIGNED = LinearSegmentedColormap.from_list(
    "lstm_zoo_signed", ["#08204d", "#2273b8", "#9b9b9b", "#f0a336", "#fff4cf"]
)
AMOUNT = LinearSegmentedColormap.from_list("lstm_zoo_amount", ["#ffffff", "#9ecae1", "#08306b"])

NOTE = "#595959"  # for notes at the right end of a title

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
"""Decorator for plotting functions: their figures look the same with any user settings."""


def axes_for(ax, height=3.2):
    """The Axes to draw on: `ax`, or a new one in a figure of `height` inches."""
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, height), layout="constrained")
    elif not isinstance(ax, mpl.axes.Axes):
        raise ValueError(f"ax must be a matplotlib Axes or None, got {type(ax).__name__}")
    _keep_text_size(ax)
    return ax


def stack_of_axes(ax, heights):
    """An array of Axes: `ax`, or the stacked Axes of a new figure with `heights` in inches."""
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
        raise ValueError(f"ax must hold {len(heights)} matplotlib Axes, one per panel, got {ax!r}")
    for panel in panels:
        _keep_text_size(panel)
    return panels


def _keep_text_size(ax):
    # Matplotlib creates ticks when it draws the figure, after `styled` has ended.
    ax.tick_params(labelsize=STYLE["font.size"])


def colour_of(name):
    """The colour of a quantity; grey for quantities of custom cells."""
    return COLOURS.get(name, NOTE)


def numbers(name, value, *ranks):
    """`value` as a float array with one of `ranks` axes and at least one finite number."""
    array = checks.array(name, value, *ranks).astype(float)
    if not np.isfinite(array).any():
        raise ValueError(f"{name} must hold finite numbers, got none in shape {array.shape}")
    return array


def one_direction(trace):
    """Check that `trace` is a Trace, not the pair of a `Bidirectional`; returns it."""
    if isinstance(trace, inspection.BidirectionalTrace):
        raise ValueError(
            "trace must have one direction, got two: pass trace.forward or trace.backward"
        )
    if not isinstance(trace, inspection.Trace):
        raise ValueError(
            f"trace must be a Trace from lz.trace(model, x), got {type(trace).__name__}"
        )
    return trace


def thin(size, most):
    """All `size` indices, or `most` of them evenly spread, including the first and the last."""
    return np.arange(size) if size <= most else np.linspace(0, size - 1, most).round().astype(int)


def thinned(shown, size, what):
    """A note about thinning for a title, `["32 of 64 units"]`; empty if all are shown."""
    return [] if shown == size else [f"{shown} of {size} {what}s"]


def short(number):
    """`-0.1234` as a label: `"−0.12"`."""
    return f"{number:.2g}".replace("-", "\N{MINUS SIGN}")


def round_limit(values):
    """A two-digit upper limit of all absolute values, as the scale of a signed quantity."""
    largest = float(np.nanmax(np.abs(values)))
    if largest == 0:
        return 1.0
    digit = 10.0 ** (np.floor(np.log10(largest)) - 1)
    return float(np.ceil(round(largest / digit, 6)) * digit)


def colour_bar(image, ax, ticks, **where):
    """A narrow colour bar next to `ax`, labelled at `ticks`."""
    panels = list(np.atleast_1d(np.asarray(ax, dtype=object)))
    bar = panels[0].figure.colorbar(image, ax=panels, pad=0.01, **where)
    bar.ax.set_yticks(ticks, map(short, ticks), fontsize=STYLE["font.size"])
    return bar


def dates_below(ax):
    """Label the x axis with a few dates in their shortest form."""
    locator = AutoDateLocator(minticks=3, maxticks=5)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def legend_below(ax, ncols):
    """A legend below the x axis, where it covers no data and leaves room for a title."""
    down = ScaledTranslation(0, -3.6 * STYLE["font.size"] / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper left",
        ncols=ncols,
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + down,
        borderaxespad=0,
    )
