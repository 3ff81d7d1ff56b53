"""Pictures of how well a model does: its training, its mistakes, its forecasts."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from lstm_zoo.palette import (
    AMOUNT,
    CYCLE,
    axes_for,
    choice,
    numbers,
    styled,
    thin,
    words,
)

CELL_NUMBERS_UP_TO = 12  # classes; beyond, the numbers of a confusion matrix would overlap
CLASS_NAMES_UP_TO = 20


@styled
def plot_history(history, metric="loss", ax=None):
    """Draw a loss or a metric over the epochs, for training and, if it was measured, validation.

    Args:
        history: what `fit` returns, or a dict of lists, one number an epoch, such as
            `{"loss": [...], "val_loss": [...]}`.
        metric: which of its curves, such as "loss", "accuracy" or "grad_norm".
        ax: a matplotlib Axes to draw on; a new figure if None.

    Returns:
        The Axes. For a loss, the epoch with the lowest validation loss is marked.

    Raises:
        ValueError: if there is no such curve, or no number in it.

    Example:
        >>> ax = plot_history({"loss": [1.0, 0.6], "val_loss": [1.1, 0.8]})
        >>> ax.get_ylabel()
        'loss'
    """
    curves = getattr(history, "history", history)
    if not isinstance(curves, dict) or not curves:
        raise ValueError(
            f"history must be what fit returns or a dict of lists, got {history!r:.80}"
        )
    choice("metric", metric, [name for name in curves if not name.startswith("val_")])
    ax = axes_for(ax)
    for prefix, label, colour, line, marker in (
        ("", "training", CYCLE[0], "-", "o"),
        ("val_", "validation", CYCLE[1], "--", "s"),
    ):
        if prefix + metric not in curves:
            continue
        values = numbers(prefix + metric, curves[prefix + metric], 1)
        epochs = np.arange(1, len(values) + 1)
        every = max(1, len(values) // 10)
        ax.plot(epochs, values, line, color=colour, marker=marker, markevery=every, label=label)
        if prefix and metric == "loss":
            best = int(np.nanargmin(values))
            ax.plot(
                epochs[best],
                values[best],
                marker="*",
                markersize=13,
                markeredgecolor="white",
                color="black",
                linestyle="none",
                label=f"lowest, epoch {epochs[best]}",
            )
    ax.set(xlabel="epoch", ylabel=words(metric))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    ax.legend()
    return ax


@styled
def plot_confusion(y_true, y_pred, class_names=None, ax=None):
    """Draw a confusion matrix: the fraction of each true class that got each prediction.

    Args:
        y_true: `(samples,)`, class numbers from 0.
        y_pred: `(samples,)`, class numbers, or `(samples, classes)`, probabilities as
            `model.predict` gives them.
        class_names: one string a class; the class numbers if None.
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
    """
    y_pred = np.asarray(y_pred)
    classes = y_pred.shape[1] if y_pred.ndim == 2 else None
    if classes:
        y_pred = np.argmax(numbers("y_pred", y_pred, 2), axis=1)
    y_true, y_pred = _labels("y_true", y_true), _labels("y_pred", y_pred)
    if len(y_true) != len(y_pred):
        raise ValueError(f"y_true and y_pred must be as long, got {len(y_true)} and {len(y_pred)}")
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
    ticks = thin(classes, CLASS_NAMES_UP_TO)
    names = [str(class_names[k]) for k in ticks]
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(ticks, names, **(slant if max(map(len, names)) > 2 else {}))
    ax.set_yticks(ticks, names)
    ax.tick_params(length=0)
    ax.spines[:].set(visible=True, color="#bbbbbb")
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.set_title(f"accuracy {np.mean(y_true == y_pred):.2f}, {len(y_true)} samples")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, ticks=[0, 0.5, 1])
    bar.set_label("fraction of the true class")
    bar.ax.tick_params(labelsize=ax.xaxis.label.get_size())
    return ax


def _labels(name, value):
    labels = numbers(name, value, 1)
    if (labels < 0).any() or (labels != labels.round()).any():
        raise ValueError(f"{name} must be class numbers from 0, got {np.unique(labels)[:5]}")
    return labels.astype(int)
