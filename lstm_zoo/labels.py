"""Converts labels of any kind to the integers that a classifier is trained on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_zoo import checks
from lstm_zoo.spelling import suggest as _suggest
from lstm_zoo.texts import filled, rows_of_words

__all__ = ["Labels", "encode_labels", "encode_tags"]


class Labels(NamedTuple):
    """Labels as integers, `(samples,)` or `(samples, timesteps)` int32, and the class names."""

    y: np.ndarray
    names: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"Labels({len(self.y)} of {len(self.names)} classes: {checks.listed(self.names):.80})"
        )


def encode_labels(labels: npt.ArrayLike, names: Sequence[str] | None = None) -> Labels:
    """Convert labels to integers that start at 0, and return the class names.

    Args:
        labels: `(samples,)` strings, booleans or whole numbers (floats too), a pandas column, or
            one-hot rows `(samples, classes)`.
        names: the class names in the order of their integers. For test labels, pass the names
            that the call for the training labels returned. None uses the sorted labels.

    Returns:
        `Labels(y, names)`.

    Raises:
        ValueError: if a label is missing or not in `names`, or if a row is not one-hot.

    Example:
        >>> y, names = encode_labels(["run", "walk", "run"])
        >>> y.tolist(), names
        ([0, 1, 0], ('run', 'walk'))
        >>> encode_labels(["walk"], names).y.tolist()
        [1]
        >>> encode_labels([[0, 1], [1, 0]]).y.tolist()
        [1, 0]
    """
    try:
        values = np.asarray(labels)
    except ValueError as problem:  # rows of unequal length
        raise ValueError(
            "labels must be (samples,) or one-hot rows, got rows of unequal length; "
            "lz.encode_tags takes a list of tags for each sentence"
        ) from problem
    if values.ndim == 1 and not hasattr(labels, "dtype"):
        values = np.asarray(labels, object)  # else NumPy turns numbers next to strings into strings
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.size == 0:
        raise ValueError(f"labels must not be empty, got shape {values.shape}")
    if values.ndim == 2 and values.dtype.kind in "UO":
        raise ValueError(
            f"labels must be (samples,) or one-hot rows, got shape {values.shape} of "
            f"{values[0, 0]!r:.40}; lz.encode_tags takes a list of tags for each sentence"
        )
    if values.ndim == 2:
        return _from_one_hot(values, names)
    if values.ndim != 1:
        raise ValueError(f"labels must be (samples,) or one-hot rows, got shape {values.shape}")
    values = [v.item() if isinstance(v, np.generic) else v for v in values.tolist()]
    texts = [_text(value) for value in values]
    if names is None:
        kinds = {kind for kind, _ in texts}
        if len(kinds) > 1:
            raise ValueError(
                f"labels must all be of the same kind, got {checks.listed(sorted(kinds))}"
            )
        order = sorted(set(values))
        names = tuple(dict.fromkeys(_text(value)[1] for value in order))
    else:
        names = _names(names)
    numbers = {name: number for number, name in enumerate(names)}
    unknown = sorted({text for _, text in texts} - set(numbers))
    if unknown:
        raise ValueError(
            f"labels must be one of {checks.listed(names)}, got {unknown[0]!r}"
            f"{checks.near(unknown[0], names)}"
        )
    return Labels(np.array([numbers[text] for _, text in texts], dtype="int32"), names)


def encode_tags(tags: Sequence[Sequence[str]], names: Sequence[str] | None = None) -> Labels:
    """Convert a list of tags per sentence to integers, padded with 0 to the longest sentence.

    A model built with `vocabulary=` masks padded steps, so their values do not matter. `lz.fit`
    takes the tags of such a model as strings, without this function.

    Args:
        tags: a list of lists of strings, one tag per word.
        names: the tag names in the order of their integers, as an earlier call returned them. None
            uses the sorted tags.

    Returns:
        `Labels(y, names)`, where `y` is `(samples, timesteps)` int32.

    Raises:
        ValueError: if a row is not a list of strings, or a tag is not in `names`; the message names
            the row.

    Example:
        >>> encode_tags([["DET", "NOUN", "VERB"], ["NOUN"]])
        Labels(2 of 3 classes: DET, NOUN, VERB)
        >>> encode_tags([["DET", "NOUN", "VERB"], ["NOUN"]]).y.tolist()
        [[0, 1, 2], [1, 0, 0]]
    """
    rows = rows_of_words("tags", tags)
    names = tuple(sorted(set().union(*rows))) if names is None else _names(names)
    return Labels(filled(numbered("tags", rows, names)), names)


def numbered(name, rows, names) -> list[list[int]]:
    """Rows of strings as rows of their indices in `names`.

    Args:
        name: the name of the rows in an error message.
        rows: lists of strings.
        names: different strings.

    Raises:
        ValueError: if a string is not in `names`; the message names the string and its row.
    """
    numbers = {one: number for number, one in enumerate(names)}
    for row, strings in enumerate(rows):
        unknown = next((one for one in strings if one not in numbers), None)
        if unknown is not None:
            raise ValueError(
                f"{name} must be one of {checks.listed(names):.200}, got {unknown!r} in row {row}"
                f"{checks.near(unknown, names)}"
            )
    return [[numbers[one] for one in strings] for strings in rows]


def _text(value):
    """The kind of a label, and its name; 3.0 and 3 have the same name."""
    if isinstance(value, bool):
        return "booleans", str(value)
    if isinstance(value, (int, float)):
        if value != value:
            raise ValueError("labels must not be missing, got NaN")
        if value != value // 1:
            raise ValueError(f"labels must be whole numbers or names, got {value!r}")
        return "numbers", str(int(value))
    if not isinstance(value, str):
        raise ValueError(f"labels must be whole numbers or names, got {value!r}")
    return "names", value


def _names(names):
    """Check class names; returns a tuple of different strings."""
    names = tuple(map(str, checks.listing("names", names)))
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"names must name each class once, got {twice[0]!r} twice")
    return names


def _from_one_hot(rows, names):
    rows = checks.array("labels", rows, 2)
    if not (np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all()):
        raise ValueError(
            "labels with two axes must be one-hot: a single 1 in each row, 0 elsewhere"
        )
    names = _names(range(rows.shape[1]) if names is None else names)
    if len(names) != rows.shape[1]:
        raise ValueError(f"names must hold {rows.shape[1]} names, one per column, got {len(names)}")
    return Labels(rows.argmax(axis=1).astype("int32"), names)


_suggest(__name__)
