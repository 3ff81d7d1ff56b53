"""How objects show themselves in a notebook: a small table with a curve in each row.

The curves are SVG, made when the notebook displays them; nothing here imports matplotlib.
"""

from __future__ import annotations

import base64
import html
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

COLOURS = {
    "input_gate": "#009E73",
    "forget_gate": "#D55E00",
    "candidate": "#CC79A7",
    "output_gate": "#56B4E9",
    "cell_state": "#0072B2",
    "hidden_state": "#000000",
    "update_gate": "#E69F00",
    "reset_gate": "#882255",
    "inputs": "#595959",
}
"""One colour for each quantity of an LSTM or a GRU (Okabe & Ito 2008), the same in every figure."""

PLAIN = "#595959"
SIZE, MARGIN, MOST_POINTS = (160, 26), 3, 320


def curve(values: npt.ArrayLike, title: str, colour: str = PLAIN) -> str:
    """An `<img>` with a curve of numbers over time or epochs, scaled to their range.

    Args:
        values: `(points,)`; NaN and infinity leave gaps.
        title: the text for screen readers.
        colour: the colour of the line.

    Returns:
        HTML without scripts, so that an untrusted notebook shows it too.

    Example:
        >>> curve([0.0, 1.0, 0.5], "loss")[:16]
        '<img alt="loss" '
    """
    values = np.asarray(values, float)
    if not len(values):
        values = np.array([np.nan])
    if len(values) > MOST_POINTS:
        values = values[np.linspace(0, len(values) - 1, MOST_POINTS).round().astype(int)]
    (width, height), (low, high) = SIZE, span(values)
    x = np.linspace(MARGIN, width - MARGIN, len(values))
    rise = (
        (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 0.5, np.nan)
    )
    y = height - MARGIN - (height - 2 * MARGIN) * rise
    lines = ""
    for piece in np.ma.clump_unmasked(np.ma.masked_invalid(values)):
        points = [f"{a:.1f},{b:.1f}" for a, b in zip(x[piece], y[piece])]
        points *= 2 if len(points) == 1 else 1  # a line of zero length is drawn as a dot
        lines += f'<polyline points="{" ".join(points)}"/>'
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        '<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<g fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round" '
        f'stroke-linecap="round">{lines}</g></svg>'
    )
    address = "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()
    return f'<img alt="{html.escape(title)}" width="{width}" height="{height}" src="{address}">'


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; cells that start with `<img` stay HTML, all others are escaped.

    >>> table("one", ["a"], [["x < y"]]).count("x &lt; y")
    1
    """

    def line(cells, tag):
        shown = [str(c) if str(c).startswith("<img ") else html.escape(str(c)) for c in cells]
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in shown) + "</tr>"

    body = [line(head, "th"), *(line(row, "td") for row in rows)]
    return f"<div><b>{html.escape(caption)}</b></div><table>{''.join(body)}</table>"


def words(name: str) -> str:
    """A name for readers: `"forget_gate"` becomes `"forget gate"`."""
    return name.replace("_", " ")


def number(value: npt.ArrayLike) -> str:
    """A number with three significant digits and a typographic minus sign.

    >>> number(-0.12345)
    '−0.123'
    """
    return f"{float(np.asarray(value)) + 0.0:.3g}".replace("-", "\N{MINUS SIGN}")


def span(values: npt.ArrayLike) -> tuple[float, float]:
    """The lowest and the highest finite number; NaN if there are none.

    >>> span([2.0, np.nan, 1.0])
    (1.0, 2.0)
    """
    values = np.asarray(values, float)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)


def mean(values: np.ndarray, axis: tuple[int, ...] | int | None = None) -> np.ndarray:
    """The mean ignoring NaN; NaN if all values are NaN, without a warning.

    >>> float(mean(np.array([1.0, np.nan, 3.0])))
    2.0
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(values, axis=axis)
