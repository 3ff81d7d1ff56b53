"""How much a sample counts: `sample_weight` and `class_weight`."""

import numpy as np

from lstm_zoo import checks
from lstm_zoo.training.data import check_numbers, is_sparse, target_parts


def check_weights(model, sample_weight, class_weight, y, samples, prefix=""):
    """The weight of each sample, or of each sample of each output; None where all weigh alike."""
    name = f"{prefix}sample_weight"
    if sample_weight is not None:
        sample_weight, parts = target_parts(model, name, sample_weight, "(samples,)")
        for part, array, _ in parts:
            check_numbers(part, array)
            if len(array) != samples or array.ndim == 0:
                raise ValueError(
                    f"x and {part} must be equally long, got {samples} and {len(array)}"
                )
            if (array < 0).any():
                raise ValueError(f"{part} must not be negative, got {array.min()}")
        if not any(np.any(array) for _, array, _ in parts):
            raise ValueError(f"{name} must not be 0 for all samples")
    if class_weight is None:
        return sample_weight
    if not isinstance(y, np.ndarray):
        raise ValueError("class_weight needs a model with one output")
    by_class = weights_of_classes(class_weight, y, is_sparse(model.loss))
    if sample_weight is None:
        return by_class
    if sample_weight.shape != by_class.shape:
        raise ValueError(
            f"sample_weight must be of shape {by_class.shape} beside class_weight, "
            f"got {sample_weight.shape}"
        )
    return sample_weight * by_class


def check_class_weight(class_weight):
    """A dict from class to weight, or None."""
    if class_weight is None:
        return None
    if not isinstance(class_weight, dict) or not class_weight:
        raise ValueError(
            "class_weight must be a dict from class to weight, such as {0: 1.0, 1: 5.0}, "
            f"got {class_weight!r}"
        )
    weights = {}
    for label, weight in class_weight.items():
        weight = checks.number(f"class_weight[{label!r}]", weight)
        if weight < 0:
            raise ValueError(f"class_weight[{label!r}] must not be negative, got {weight}")
        weights[checks.count("a class of class_weight", label, least=0)] = weight
    return weights


def weights_of_classes(class_weight, y, sparse):
    """The weight of the class of each label, 1 where the class has none."""
    y = np.asarray(y)
    if not sparse and y.ndim > 1 and y.shape[-1] > 1:
        y = y.argmax(axis=-1)
    elif y.ndim > 1 and y.shape[-1] == 1:
        y = y[..., 0]
    labels, where = np.unique(np.round(y).astype("int64"), return_inverse=True)
    weights = [class_weight.get(int(label), 1.0) for label in labels]
    return np.asarray(weights, "float32")[where].reshape(y.shape)
