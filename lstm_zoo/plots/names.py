"""Names of classes for a picture: from the model that has them, or from the labels themselves."""

import itertools

import keras

from lstm_zoo import checks, naming
from lstm_zoo.labels import numbered
from lstm_zoo.texts import holds_texts, rows_of_words


def names_of(class_names):
    """The names of classes, as a model has them or as they are given."""
    if not isinstance(class_names, keras.Model):
        return class_names
    found = naming.class_names(class_names)
    if found is None:
        raise ValueError("class_names must be a list or a model that has them, got one without")
    return found


def from_names(class_names, **named):
    """Class numbers from names, lists of tags one after another; and the names of the classes."""
    found = {}
    for name, value in named.items():
        if not holds_texts(value):
            raise ValueError(f"{name} must hold names, as the other does, got {value!r:.80}")
        one_each = isinstance(next(iter(value)), str)
        found[name] = [[label] for label in value] if one_each else rows_of_words(name, value)
    names, (first, *others) = list(found), found.values()
    for other in others:
        for row, (some, same) in enumerate(zip(first, other)):
            if len(some) != len(same):
                raise ValueError(
                    f"{' and '.join(names)} must be as long, got {len(some)} and {len(same)} tags "
                    f"in row {row}"
                )
    if class_names is None:
        every = {label for rows in found.values() for row in rows for label in row}
        class_names = sorted(every)
    class_names = checks.listing("class_names", class_names)
    numbers_of_rows = [numbered(name, rows, class_names) for name, rows in found.items()]
    return [list(itertools.chain(*rows)) for rows in numbers_of_rows], class_names
