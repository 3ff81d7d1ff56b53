"""Finds the class names for a plot, in a model or in the labels themselves."""

import itertools

import keras

from lstm_zoo import checks, naming
from lstm_zoo.labels import numbered
from lstm_zoo.texts import holds_texts, rows_of_words


def names_of(class_names):
    """The class names, from a model or a list."""
    if not isinstance(class_names, keras.Model):
        return class_names
    found = naming.class_names(class_names)
    if found is None:
        raise ValueError(
            "class_names must be a list or a model with class names, got a model without"
        )
    return found


def from_names(class_names, **named):
    """Class numbers from names or from flattened lists of tags, and the class names."""
    found = {}
    for name, value in named.items():
        if not holds_texts(value):
            raise ValueError(f"{name} must hold names like the other, got {value!r:.80}")
        one_each = isinstance(next(iter(value)), str)
        found[name] = [[label] for label in value] if one_each else rows_of_words(name, value)
    names, (first, *others) = list(found), found.values()
    for other in others:
        for row, (some, same) in enumerate(zip(first, other)):
            if len(some) != len(same):
                raise ValueError(
                    f"{' and '.join(names)} must have rows of equal length, got {len(some)} and "
                    f"{len(same)} tags in row {row}"
                )
    if class_names is None:
        every = {label for rows in found.values() for row in rows for label in row}
        class_names = sorted(every)
    class_names = checks.listing("class_names", class_names)
    numbers_of_rows = [numbered(name, rows, class_names) for name, rows in found.items()]
    return [list(itertools.chain(*rows)) for rows in numbers_of_rows], class_names
