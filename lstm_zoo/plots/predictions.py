"""Pictures of what comes out of a model: its mistakes, its forecasts, the classes it sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator

from lstm_zoo import checks, inspection
from lstm_zoo.plots.names import from_names, names_of
from lstm_zoo.plots.style import (
    AMOUNT,
    CYCLE,
    MARKERS,
    axes_for,
    colour_bar,
    dates_below,
    legend_below,
    numbers,
    one_direction,
    styled,
)
from lstm_zoo.texts import holds_texts

CELL_NUMBERS_UP_TO = 12  # classes; beyond, the numbers of a confusion matrix would overlap
CLASS_NAMES_UP_TO = 20


@styled
def plot_confusion(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    class_names: Sequence[str] | keras.Model | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a confusion matrix: the fraction of each true class that got each prediction.

    Args:
        y_true: `(samples,)`, class numbers from 0 or names; or a list of tags for each sentence.
        y_pred: the same, as `lz.predict` gives them, or `(samples, classes)`, probabilities as
            `model.predict` gives them.
        class_names: one string a class, or the model that has them; the class numbers if None, or
            the names in y.
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes. Colour is the fraction of a row; the numbers, left out beyond 12 classes, are
        counts.

    Raises:
        ValueError: if lengths differ, a label is no class number, or names and classes do not
            match.

    Example:
        >>> ax = plot_confusion([0, 0, 1, 1], [0, 1, 1, 1], class_names=["up", "down"])
        >>> ax.get_title()
        'accuracy 0.75, 4 samples'
        >>> plot_confusion(["up", "down"], ["up", "up"]).get_title()
        'accuracy 0.50, 2 samples'
    """
    class_names = names_of(class_names)
    if holds_texts(y_true) or holds_texts(y_pred):
        (y_true, y_pred), class_names = from_names(class_names, y_true=y_true, y_pred=y_pred)
    y_pred = np.asarray(y_pred)
    classes = y_pred.shape[1] if y_pred.ndim == 2 else None
    if classes:
        y_pred = np.argmax(numbers("y_pred", y_pred, 2), axis=1)
    y_true, y_pred = _labels("y_true", y_true), _labels("y_pred", y_pred)
    if len(y_true) != len(y_pred):
        raise ValueError(f"y_true and y_pred must be as long, got {len(y_true)} and {len(y_pred)}")
    if class_names is not None:
        class_names = checks.listing("class_names", class_names)
    seen = int(max(y_true.max(), y_pred.max())) + 1
    classes = classes or (seen if class_names is None else len(class_names))
    class_names = [str(k) for k in range(classes)] if class_names is None else class_names
    if seen > classes or len(class_names) != classes:
        raise ValueError(
            f"class_names must name each class: {max(seen, classes)} classes, "
            f"{len(class_names)} names"
        )
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (y_true, y_pred), 1)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    ax = axes_for(ax, height=4.4)
    image = ax.imshow(fractions, cmap=AMOUNT, vmin=0, vmax=1)
    if classes <= CELL_NUMBERS_UP_TO:
        for (row, column), count in np.ndenumerate(counts):
            ink = "white" if fractions[row, column] > 0.5 else "black"
            label = str(count) if count else ""
            ax.text(column, row, label, ha="center", va="center", color=ink)
    ticks = np.arange(0, classes, -(-classes // CLASS_NAMES_UP_TO))
    names = [str(class_names[k]) for k in ticks]
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(ticks, names, **(slant if max(map(len, names)) > 2 else {}))
    ax.set_yticks(ticks, names)
    ax.tick_params(length=0)
    ax.spines[:].set(visible=True, color="#bbbbbb")
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.set_title(f"accuracy {np.mean(y_true == y_pred):.2f}, {len(y_true)} samples")
    bar = colour_bar(image, ax, [0, 0.5, 1], shrink=0.8)
    bar.set_label("fraction of the true class")
    return ax


@styled
def plot_forecast(
    history: npt.ArrayLike | Any,
    truth: npt.ArrayLike | None = None,
    prediction: npt.ArrayLike | None = None,
    quantiles: Sequence[float] | None = None,
    ylabel: str = "value",
    ax: Axes | None = None,
    *,
    series: Any = None,
    target: str | None = None,
    last: int | None = None,
) -> Axes:
    """Draw a forecast behind the series it continues, with a band for each pair of quantiles.

    Args:
        history: `(timesteps,)`, the series up to now; or what `lz.forecast` returns, which has its
            own prediction, quantiles, name and dates.
        truth: `(horizon,)`, what came, or None.
        prediction: `(horizon,)`, or `(horizon, len(quantiles))` with quantiles.
        quantiles: rising fractions such as `(0.1, 0.5, 0.9)`; the first and the last bound the
            widest band, and so on inwards; one in the middle is drawn as a line.
        ylabel: what the series is and its unit, such as "load (kW)".
        ax: a matplotlib Axes to draw on; a new figure if None.
        series, target: which of those of `lz.forecast`; the first if None.
        last: steps before the forecast to draw; None takes all of an array, and of what
            `lz.forecast` returns three horizons or two seasons, whichever is more.

    Returns:
        The Axes. Step 0 is now, the last step of the history; or times are those of the data.

    Raises:
        ValueError: if lengths do not match, or there is not a column of the prediction for each
            quantile.

    Example:
        >>> ax = plot_forecast([1, 2, 3], [4, 5], [[3, 4, 6], [3, 5, 8]], quantiles=(0.1, 0.5, 0.9))
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['truth', 'median forecast', '10 to 90 %']
    """
    times = None
    if hasattr(history, "drawn"):
        times, history, prediction, quantiles, name = history.drawn(series, target, last)
        ylabel = name if ylabel == "value" else ylabel
    elif last is not None:
        history = numbers("history", history, 1)[-checks.count("last", last) :]
    history = numbers("history", history, 1)
    columns = numbers("prediction", prediction, 1 if quantiles is None else 2)
    columns = columns.reshape(len(columns), -1)
    quantiles = _rising(quantiles, columns.shape[1])
    if times is None:
        times = np.arange(1 - len(history), len(columns) + 1)
        xlabel = "steps from now"
    else:
        xlabel = "" if np.asarray(times).dtype.kind in "MO" else "step"
    so_far, ahead = times[: len(history)], times[len(history) :]
    ax = axes_for(ax, height=3.6)
    ax.plot(so_far, history, color=CYCLE[0], label="truth")
    if truth is not None:
        truth = numbers("truth", truth, 1)
        if len(truth) != len(columns):
            raise ValueError(
                f"truth must be as long as prediction, {len(columns)} steps, got {len(truth)}"
            )
        ax.plot([so_far[-1], *ahead], [history[-1], *truth], color=CYCLE[0])
    pairs = len(quantiles) // 2
    if len(quantiles) % 2:
        q = quantiles[pairs]
        kind = "" if len(quantiles) == 1 else "median " if q == 0.5 else f"{100 * q:.3g} % "
        ax.plot(
            ahead,
            columns[:, pairs],
            "--",
            color=CYCLE[1],
            linewidth=2.2,
            label=f"{kind}forecast",
        )
    for k in range(pairs):
        strength = 0.35 + 0.65 * k / pairs  # inner bands are darker
        ax.fill_between(
            ahead,
            columns[:, k],
            columns[:, -1 - k],
            color=1 - strength * (1 - np.array(to_rgb(CYCLE[4]))),
            linewidth=0,
            label=f"{100 * quantiles[k]:.3g} to {100 * quantiles[-1 - k]:.3g} %",
            zorder=1,
        )
    ax.axvline(so_far[-1], color="#999999", linewidth=0.8, linestyle=":")
    if xlabel:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    else:
        dates_below(ax)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    legend_below(ax, ncols=2)
    return ax


def _rising(quantiles, columns):
    if quantiles is None:
        return (0.5,)
    quantiles = checks.rising_fractions("quantiles", quantiles)
    if len(quantiles) != columns:
        raise ValueError(
            f"prediction must have a column for each of {len(quantiles)} quantiles, got {columns}"
        )
    return quantiles


@styled
def plot_embedding(
    states: npt.ArrayLike | inspection.Trace,
    labels: npt.ArrayLike,
    class_names: Sequence[str] | keras.Model | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw hidden states as points in a plane, coloured by class: those of a class should gather.

    The plane is that of the two principal components, along which the states vary most.

    Args:
        states: `(samples, units)`, or a Trace, of which the hidden state after the last step read
            counts.
        labels: `(samples,)`, class numbers from 0 or names.
        class_names: one string a class, or the model that has them; the class numbers if None, or
            the names in `labels`.
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes; its labels say which share of the variance each component holds.

    Raises:
        ValueError: if there are less than 3 samples or 2 units, more than 20 classes, or not a
            label for each sample and a name for each class.

    Source:
        Pearson 1901, https://doi.org/10.1080/14786440109462720.

    Example:
        >>> states = np.random.default_rng(0).normal(size=(30, 8))
        >>> ax = plot_embedding(states, labels=np.arange(30) % 3, class_names=["a", "b", "c"])
        >>> len(ax.collections)
        3
    """
    if isinstance(states, (inspection.Trace, inspection.BidirectionalTrace)):
        states = one_direction(states).last("hidden_state")
    states = numbers("states", states, 2)
    class_names = names_of(class_names)
    if holds_texts(labels):
        [labels], class_names = from_names(class_names, labels=labels)
    labels = _labels("labels", labels)
    if len(labels) != len(states):
        raise ValueError(f"labels must name {len(states)} samples, got {len(labels)}")
    if len(states) < 3 or states.shape[1] < 2 or not np.isfinite(states).all():
        raise ValueError(
            "states must be finite, of 3 samples and 2 units or more, to span a plane, "
            f"got shape {states.shape}"
        )
    present = np.unique(labels)
    if len(present) > CLASS_NAMES_UP_TO:
        raise ValueError(
            f"labels must hold at most {CLASS_NAMES_UP_TO} classes to tell them apart, got "
            f"{len(present)}; choose the samples of some"
        )
    if class_names is not None:
        class_names = checks.listing("class_names", class_names)
        if len(class_names) <= present[-1]:
            raise ValueError(
                f"class_names must name {present[-1] + 1} classes, got {len(class_names)} names"
            )
    points, shares = _principal_plane(states)
    ax = axes_for(ax, height=3.6)
    for k in present:
        x, y = points[labels == k].T
        ax.scatter(
            x,
            y,
            s=32,
            color=CYCLE[k % len(CYCLE)],
            marker=MARKERS[k % len(MARKERS)],
            edgecolor="white",
            linewidth=0.5,
            label=str(k) if class_names is None else str(class_names[k]),
        )
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(
        xlabel=f"component 1 ({shares[0]:.0%} of variance)",
        ylabel=f"component 2 ({shares[1]:.0%})",
    )
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.1, labelspacing=0.3)
    return ax


def _principal_plane(states):
    """Coordinates in the plane of largest variance, `(samples, 2)`, and the variance's shares."""
    centred = states - states.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    for d in directions[:2]:  # either sign is right; the same one every time is better
        d *= np.sign(d[np.argmax(np.abs(d))])
    return centred @ directions[:2].T, sizes[:2] ** 2 / max(np.sum(sizes**2), 1e-30)


def _labels(name, value):
    labels = numbers(name, value, 1)
    if (labels < 0).any() or (labels != labels.round()).any():
        raise ValueError(f"{name} must be class numbers from 0, got {np.unique(labels)[:5]}")
    return labels.astype(int)
