"""The classes of a model: their number, their names, and the layer that predicts them."""

from collections.abc import Sequence

import keras

from lstm_zoo import checks
from lstm_zoo.layers import NamedDense
from lstm_zoo.texts import holds_texts, is_listed, rows_of_words

Classes = int | Sequence[str] | Sequence[Sequence[str]]


def counted_and_named(num_classes) -> tuple[int, tuple[str, ...] | None]:
    """The number of classes, and their names or None.

    Class names, each listed once, keep their order. If some repeat, they are labels of samples, and
    the classes are sorted.

    >>> counted_and_named(["low", "high"]), counted_and_named([["b", "a"], ["b"]])
    ((2, ('low', 'high')), (2, ('a', 'b')))
    """
    if not is_listed(num_classes):
        return checks.count("num_classes", num_classes, least=2), None
    if not holds_texts(num_classes):
        raise ValueError(
            "num_classes must be a whole number, a list of class names, or a list of labels as "
            f"strings, got {num_classes!r:.80}"
        )
    nested = not isinstance(next(iter(num_classes)), str)
    rows = rows_of_words("num_classes", num_classes if nested else [list(num_classes)])
    labels = [label for row in rows for label in row]
    names = tuple(dict.fromkeys(labels))
    if nested or len(names) < len(labels):
        names = tuple(sorted(names))
    if len(names) < 2:
        raise ValueError(f"num_classes must name at least two classes, got only {names[0]!r}")
    return len(names), names


def probabilities(x, num_classes: int, names, activation: str = "softmax"):
    """The probability of each class, from a layer that keeps the class names, if any."""
    options = {"activation": activation, "name": "probabilities"}
    if names is None:
        return keras.layers.Dense(num_classes, **options)(x)
    return NamedDense(num_classes, class_names=names, **options)(x)
