"""What `fit` takes, checked before any training."""

import keras
import numpy as np

from lstm_zoo import checks


def check_data(model: keras.Model, x, y, prefix: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Arrays that `model` can be trained on, or a `ValueError` that says why they are none.

    Args:
        model: a compiled `keras.Model`.
        x, y: as `fit` takes them.
        prefix: what to call them in a message, such as "validation ".

    Returns:
        `x` and `y` as NumPy arrays.

    Raises:
        ValueError: as `fit` does.
    """
    if not getattr(model, "compiled", False):
        raise ValueError("model must be compiled: call model.compile(optimizer, loss) first")
    name_x, name_y = f"{prefix}x", f"{prefix}y"
    x, y = _array(name_x, x, "(samples, timesteps, features)"), _array(name_y, y, "(samples, ...)")
    inputs = _one_shape(model, "input")
    if x.ndim != 3 and (inputs is None or len(inputs) == 3):
        raise ValueError(f"{name_x} must be (samples, timesteps, features), got shape {x.shape}")
    if len(x) == 0:
        raise ValueError(f"{name_x} must hold at least one sample, got none")
    batch = inputs and inputs[0]
    if batch and len(x) % batch:
        raise ValueError(
            f"{name_x} must hold whole batches of {batch} samples, as the model's input, "
            f"got {len(x)} samples"
        )
    if len(x) != len(y):
        raise ValueError(f"{name_x} and {name_y} must be equally long, got {len(x)} and {len(y)}")
    for axis, what in ((1, "timesteps"), (2, "features")):
        wanted = None if inputs is None or axis >= len(inputs) else inputs[axis]
        if wanted is not None and x.shape[axis] != wanted:
            raise ValueError(
                f"{name_x} must have {wanted} {what}, as the model's input, got {x.shape[axis]}"
            )
    _check_finite(name_x, x)
    outputs = _one_shape(model, "output")
    labels = "sparse_categorical_crossentropy" in _loss_name(model)
    if outputs is not None:
        _check_shape(name_y, y, outputs[1:], labels, "quantile" in _loss_name(model))
    if labels:
        _check_labels(name_y, y, outputs and outputs[-1], fit=not prefix)
    else:
        _check_finite(name_y, y)
    return x, y


def _array(name, value, wanted):
    """`value` as an array, unless it is something else that Keras trains on."""
    iterates = hasattr(value, "__next__") or isinstance(value, keras.utils.PyDataset)
    iterates |= hasattr(value, "element_spec") or hasattr(value, "as_numpy_iterator")
    if value is None:
        raise ValueError(f"{name} must be one array {wanted}, got None")
    if iterates or isinstance(value, dict) or _is_several(value):
        raise ValueError(
            f"{name} must be one array {wanted}, got {_kind(value)}; model.fit takes datasets, "
            "generators and several inputs, and runs the layers of lstm_zoo as fast"
        )
    try:
        return np.asarray(value)
    except ValueError as problem:
        raise ValueError(
            f"{name} must be one array {wanted}, got a {type(value).__name__} of parts of unequal "
            "shape; pad sequences to one length and mask them, and give several inputs to model.fit"
        ) from problem


def _is_several(value):
    return isinstance(value, (list, tuple)) and any(
        getattr(part, "ndim", 0) > 2 for part in value[:1]
    )


def _kind(value):
    if hasattr(value, "element_spec"):
        return "a tf.data.Dataset"
    if _is_several(value):
        return f"a {type(value).__name__} of {len(value)} arrays"
    return f"a {type(value).__name__}"


def _one_shape(model, side):
    """The shape of the one input or output of a model, or None where it is not known before."""
    try:
        shape = getattr(model, f"{side}_shape", None)
    except (AttributeError, ValueError):  # a subclassed model has none
        return None
    if isinstance(shape, dict) or (shape and isinstance(shape[0], (tuple, list))):
        raise ValueError(f"model must have one {side}, got {len(shape)}; model.fit takes several")
    return shape


def _loss_name(model):
    return model.loss if isinstance(model.loss, str) else getattr(model.loss, "name", "")


def _check_shape(name, y, wanted, labels, quantiles):
    if labels:
        wanted = wanted[:-1]
        fits = _fits(y.shape[1:], wanted) or _fits(y.shape[1:], (*wanted, 1))
    else:
        last_is_implied = (wanted and wanted[-1] == 1) or quantiles
        fits = _fits(y.shape[1:], wanted) or (last_is_implied and _fits(y.shape[1:], wanted[:-1]))
    if not fits:
        sizes = ["samples", *("timesteps" if size is None else str(size) for size in wanted)]
        comma = "," if len(sizes) == 1 else ""
        raise ValueError(
            f"{name} must be ({', '.join(sizes)}{comma}), as the model's output, "
            f"got shape {y.shape}"
        )


def _fits(shape, wanted):
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted))


def _check_labels(name, y, num_classes, fit):
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"{name} must hold integer labels, got {y.dtype}")
    if y.min() < 0 or (num_classes is not None and y.max() >= num_classes):
        most = "the number of classes" if num_classes is None else num_classes - 1
        raise ValueError(f"{name} must hold labels from 0 to {most}, got {y.min()} to {y.max()}")
    if fit and y.min() == y.max():
        raise ValueError(f"{name} must hold at least two classes, got only class {y.min()}")


def _check_finite(name, array):
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise ValueError(f"{name} must hold numbers, got {array.dtype}")
    checks.finite(name, array)
