"""The training set and the validation set that `fit` gets, checked."""

import typing

import keras
import numpy as np

from lstm_zoo import checks, naming
from lstm_zoo.training.data import check_compiled, check_data, gives_batches
from lstm_zoo.training.sample_weights import balanced, check_weights


class Sets(typing.NamedTuple):
    """What to train on, and what to measure each epoch on."""

    x: typing.Any  # arrays; or what gives batches, and then `y` and `sample_weight` are None
    y: typing.Any
    sample_weight: typing.Any
    validation: typing.Any  # `(x, y, sample_weight)`, what gives batches, or None


def check_sets(
    model, x, y, sample_weight, *, validation_data, validation_split, batch_size, class_weight
):
    """The `Sets` that a model can be trained on, or a `ValueError` that says what is wrong."""
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
        raise ValueError("give validation_data or validation_split, not both")
    if validation_split:
        sets = _split((x, y, sample_weight), samples, validation_split)
    else:
        sets = Sets(x, y, sample_weight, _check_validation(model, validation_data))
    _check_fixed_batch(model, batch_size)
    return sets


def _checked(model, x, y, prefix=""):
    """Arrays that fit the model: texts and names of classes become numbers."""
    check_compiled(model)
    x = naming.numbers_of(model, f"{prefix}x", x)
    return check_data(model, x, naming.classes_of(model, f"{prefix}y", y, x), prefix)


def _refuse_names_of_classes(class_weight):
    if class_weight == "balanced" or any(isinstance(key, str) for key in class_weight or ()):
        raise ValueError(
            "class_weight must be None or a dict from class numbers to weights where x gives "
            f"batches, got {class_weight!r}"
        )


def _refuse_beside_batches(**arguments):
    for name, value in arguments.items():
        given = value if name != "validation_split" else value or None
        if given is not None:
            raise ValueError(f"{name} must not be given where x gives batches")


def _split(arrays, samples, fraction):
    """The last samples become the validation set."""
    kept = int(samples * (1 - fraction))
    if kept in (0, samples):
        raise ValueError(
            f"validation_split must leave samples on both sides, got {fraction} "
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
    """Refuse another batch size than that of the model's input, if it has a fixed one."""
    shape = getattr(model, "input_shape", None) if model.built else None
    size = shape[0] if isinstance(shape, tuple) and shape else None
    if isinstance(size, (int, np.integer)) and size != batch_size:
        raise ValueError(f"batch_size must be {size}, as the model's input, got {batch_size}")
