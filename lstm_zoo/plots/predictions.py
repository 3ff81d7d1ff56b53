"""Pictures of what comes out of a classifier: its mistakes, and the classes it sees."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from lstm_zoo import checks, inspection
from lstm_zoo.plots.names import from_names, names_of
from lstm_zoo.plots.style import (
    AMOUNT,
    CYCLE,
    MARKERS,
    axes_for,
    colour_bar,
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

    Source: Pearson 1901, https://doi.org/10.1080/14786440109462720.

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
