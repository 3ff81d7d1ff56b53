"""Checks the training set and the validation set that are passed to `fit`."""

import typing

import keras
import numpy as np

from lstm_zoo import checks, naming
from lstm_zoo.training.data import check_compiled, check_data, gives_batches
from lstm_zoo.training.sample_weights import balanced, check_weights


class Sets(typing.NamedTuple):
    """The data to train on, and the data to evaluate each epoch on."""

    x: typing.Any  # arrays, or a source of batches; then `y` and `sample_weight` are None
    y: typing.Any
    sample_weight: typing.Any
    validation: typing.Any  # `(x, y, sample_weight)`, a source of batches, or None


def check_sets(
    model, x, y, sample_weight, *, validation_data, validation_split, batch_size, class_weight
):
    """The `Sets` for a model; raises a `ValueError` if the data does not fit it."""
    if gives_batches(x):
        _refuse_beside_batches(y=y, sample_weight=sample_weight, validation_split=validation_split)
        _refuse_names_of_classes(class_weight)
        return Sets(x, None, None, _check_validation(model, validation_data))
    x, y = _checked(model, x, y)
    samples = len(keras.tree.flatten(x)[0])
    if class_weight == "balanced":
        class_weight = balanced(model, x, y)
    elif class_weight is not None:
        class_weight = naming.by_class(model, "class_weight", class_weight)
    sample_weight = check_weights(model, sample_weight, class_weight, y, samples)
    validation_split = checks.fraction("validation_split", validation_split, below_one=True)
    if validation_split and validation_data is not None:
        raise ValueError("validation_data and validation_split must not both be given: pass one")
    if validation_split:
        sets = _split((x, y, sample_weight), samples, validation_split)
    else:
        sets = Sets(x, y, sample_weight, _check_validation(model, validation_data))
    _check_fixed_batch(model, batch_size)
    return sets


def _checked(model, x, y, prefix=""):
    """Arrays that fit the model; converts texts and class names to numbers."""
    check_compiled(model)
    x = naming.numbers_of(model, f"{prefix}x", x)
    return check_data(model, x, naming.classes_of(model, f"{prefix}y", y, x), prefix)


def _refuse_names_of_classes(class_weight):
    if class_weight == "balanced" or any(isinstance(key, str) for key in class_weight or ()):
        raise ValueError(
            "class_weight must be None or a dict from class numbers to weights if x yields "
            f"batches, got {class_weight!r}"
        )


def _refuse_beside_batches(**arguments):
    for name, value in arguments.items():
        given = value if name != "validation_split" else value or None
        if given is not None:
            raise ValueError(
                f"{name} must not be given if x yields batches: the batches must contain it"
            )


def _split(arrays, samples, fraction):
    """Split off the last samples as the validation set."""
    kept = int(samples * (1 - fraction))
    if kept in (0, samples):
        raise ValueError(
            f"validation_split must leave at least one sample in both sets, got {fraction} "
            f"of {samples} samples"
        )

    def cut(samples):
        return keras.tree.map_structure(lambda a: a if a is None else a[samples], arrays)

    return Sets(*cut(slice(None, kept)), validation=cut(slice(kept, None)))


def _check_validation(model, data):
    if data is None or gives_batches(data):
        return data
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(
            "validation_data must be (x, y), (x, y, sample_weight) or batches, "
            f"got {type(data).__name__}"
        )
    x, y, sample_weight = (*data, None)[:3]
    x, y = _checked(model, x, y, prefix="validation ")
    samples = len(keras.tree.flatten(x)[0])
    return x, y, check_weights(model, sample_weight, None, y, samples, prefix="validation ")


def _check_fixed_batch(model, batch_size):
    """Refuse a batch size that differs from the fixed batch size of the model's input, if any."""
    shape = getattr(model, "input_shape", None) if model.built else None
    size = shape[0] if isinstance(shape, tuple) and shape else None
    if isinstance(size, (int, np.integer)) and size != batch_size:
        raise ValueError(
            f"batch_size must be {size}, the fixed batch size of the model's input, "
            f"got {batch_size}"
        )
