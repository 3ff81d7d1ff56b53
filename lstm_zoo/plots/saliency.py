"""Plots which steps of which features influence an output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lstm_zoo import checks
from lstm_zoo.plots.style import (
    AMOUNT,
    CYCLE,
    NOTE,
    colour_bar,
    numbers,
    stack_of_axes,
    styled,
    thinned,
)
from lstm_zoo.texts import holds_texts, split_words

MOST_SERIES = 6
MOST_TOKENS = 40  # up to this many, the axis shows their names


@styled
def plot_saliency(
    saliency: npt.ArrayLike,
    x: npt.ArrayLike,
    sample: int = 0,
    feature_names: Sequence[str] | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> np.ndarray:
    """Draw an input series; the background is darker at steps that influence the output more.

    For tokens it draws one bar per token, with the token below.

    Args:
        saliency: `(batch, timesteps, features)`, from `lstm_zoo.inspection.saliency`; or
            `(batch, timesteps)` for tokens.
        x: the inputs of the saliency, with the same shape. NaN marks padding, which stays blank.
            Tokens may be numbers or strings, or a list of texts or of lists of words; padding after
            these is not drawn.
        sample: the index of a sequence in the batch.
        feature_names: one string per feature; "feature 0" and so on if None.
        ax: one matplotlib Axes per drawn feature; a new figure if None.

    Returns:
        An array with one Axes per feature, or a single Axes for tokens. Of more than 6 features it
        draws the 6 with the largest mean absolute saliency, and the title says so.

    Raises:
        ValueError: if shapes differ, or if the number of names is not the number of features.

    Source:
        Simonyan, Vedaldi & Zisserman 2014, https://arxiv.org/abs/1312.6034.

    Example:
        >>> panels = plot_saliency(np.ones((1, 20, 2)), np.zeros((1, 20, 2)))
        >>> [panel.get_title(loc="left") for panel in panels]
        ['feature 0', 'feature 1']
    """
    saliency = numbers("saliency", saliency, 2, 3)
    if saliency.ndim == 2:
        return _of_tokens(saliency, x, sample, feature_names, ax)
    x = numbers("x", x, 3)
    if saliency.shape != x.shape:
        raise ValueError(
            f"saliency and x must have the same shape, got {saliency.shape} and {x.shape}"
        )
    sample = checks.count("sample", sample, 0, below=len(x))
    series = x[sample]
    size = np.where(np.isnan(series), np.nan, np.abs(saliency[sample]))
    if not np.isfinite(size).any(axis=0).all():
        raise ValueError(f"sample {sample} of saliency and x must have numbers for every feature")
    features = size.shape[1]
    unnamed = [f"feature {k}" for k in range(features)]
    names = unnamed if feature_names is None else checks.listing("feature_names", feature_names)
    if len(names) != features:
        raise ValueError(f"feature_names must name {features} features, got {len(names)}")
    strongest = np.argsort(-np.nanmean(size, axis=0), kind="stable")
    shown = np.sort(strongest[:MOST_SERIES])

    panels = stack_of_axes(ax, [max(1.0, 2.4 / len(shown))] * len(shown))
    darkest = float(np.nanmax(size[:, shown])) or 1.0
    for panel, k in zip(panels, shown):
        image = _draw_feature(panel, series[:, k], size[:, k], darkest, names[k])
        if panel is not panels[-1]:
            panel.tick_params(labelbottom=False)
    note = [f"sample {sample}", *thinned(len(shown), features, "feature")]
    panels[0].set_title(", ".join(note), loc="right", color=NOTE)
    panels[-1].set_xlabel("time step")
    panels[0].figure.align_ylabels(panels)
    bar = colour_bar(image, panels, [0, darkest], aspect=12 * len(shown))
    bar.ax.set_ylim(0, darkest)
    bar.set_label(r"saliency  $|\partial y/\partial x|$")
    return panels


def _draw_feature(panel, series, size, darkest, name):
    """Draw one feature's series over its saliency; returns the image of the saliency."""
    steps = len(series)
    line = np.where(np.isnan(size), np.nan, series)
    low, high = np.nanmin(line), np.nanmax(line)
    margin = 0.1 * (high - low) or 1.0
    image = panel.imshow(
        size[None],
        extent=(-0.5, steps - 0.5, low - margin, high + margin),
        aspect="auto",
        interpolation="nearest",
        cmap=AMOUNT,
        vmin=0,
        vmax=1.6 * darkest,  # keeps the line darker than any background
    )
    panel.plot(line, color=CYCLE[0], marker="." if steps <= 60 else "", label=name)
    panel.set_title(name, loc="left")
    panel.set_ylabel("value")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=3))
    return image


def _of_tokens(saliency, x, sample, feature_names, ax):
    """Draw a bar for each token of a sequence."""
    if holds_texts(x):
        tokens = [split_words(row) if isinstance(row, str) else list(row) for row in x]
        shape = (len(tokens), max(map(len, tokens)))
    else:
        tokens = np.asarray(x)
        shape = tokens.shape
    if saliency.shape != shape:
        raise ValueError(
            f"saliency and x must have the same shape, got {saliency.shape} and {shape}"
        )
    if feature_names is not None:
        raise ValueError(f"feature_names must be None for tokens, got {feature_names!r:.80}")
    sample = checks.count("sample", sample, 0, below=len(tokens))
    [panel] = panels = stack_of_axes(ax, [2.4])
    steps = np.arange(len(tokens[sample]))
    panel.bar(steps, saliency[sample, : len(steps)], color=CYCLE[0])
    panel.axhline(0, color=NOTE, linewidth=0.8)
    if len(steps) <= MOST_TOKENS:
        longest = max(len(str(token)) for token in tokens[sample])
        panel.set_xticks(
            steps, map(str, tokens[sample]), rotation=90 if longest * len(steps) > 40 else 0
        )
    panel.set_title(f"sample {sample}", loc="right", color=NOTE)
    panel.set_xlabel("token" if len(steps) <= MOST_TOKENS else "time step")
    panel.set_ylabel("saliency")
    return panels
