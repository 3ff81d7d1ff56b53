"""The weight of each sample or timestep in the loss: `sample_weight` and `class_weight`."""

import numpy as np

from lstm_zoo import naming
from lstm_zoo.training import losses
from lstm_zoo.training.data import check_numbers, named_targets


def check_weights(model, sample_weight, class_weight, y, samples, prefix=""):
    """The weights of a loss's values (a tree of them for several outputs); None if all are 1."""
    name = f"{prefix}sample_weight"
    if sample_weight is not None:
        sample_weight, arrays = named_targets(model, name, sample_weight, "(samples,)")
        for called, array, _ in arrays:
            check_numbers(called, array)
            if len(array) != samples:
                raise ValueError(
                    f"x and {called} must have the same number of samples, "
                    f"got {samples} and {len(array)}"
                )
            if (array < 0).any():
                raise ValueError(f"{called} must not be negative, got {array.min()}")
        if not any(np.any(array) for _, array, _ in arrays):
            raise ValueError(f"{name} must be above 0 for at least one sample")
    return weighed(model, name, y, sample_weight, class_weight)


def weighed(model, name, y, sample_weight, class_weight):
    """The products of sample and class weights, one for each value of the loss."""
    if class_weight is None:
        if sample_weight is None or y is None:
            return sample_weight
        return _as_values(model, name, losses.outputs_of(model, y), sample_weight)
    key, y, output, loss = _one_target(model, y)
    by_class = weights_of_classes(model, class_weight, np.asarray(y), loss, output)
    if sample_weight is None:
        return by_class
    sample_weight = _of_output(sample_weight, key)
    return np.asarray(aligned(name, sample_weight, by_class.shape, loss, model)) * by_class


def _one_target(model, y):
    """The key, targets, output and loss of the model's only output, for `class_weight`."""
    targets = [] if y is None else losses.outputs_of(model, y)
    if len(targets) != 1:
        raise ValueError(
            f"class_weight needs y and a model with one output, got {len(targets)} targets"
        )
    [(key, y, output)] = targets
    [loss] = losses.losses_of(model, [output])
    return key, y, output, loss


def _as_values(model, name, targets, sample_weight):
    """The sample weights of each output, repeated to the shape of its loss's values."""
    of_each = losses.losses_of(model, [output for _, _, output in targets])
    weights = []
    for (key, y, output), loss in zip(targets, of_each):
        weight = _of_output(sample_weight, key)
        shape = losses.values_shape(model, loss, y.shape, output)
        if weight is not None and shape is not None:
            called = name if key is None else f"{name}[{key!r}]"
            weight = aligned(called, weight, shape, loss, model)
        weights.append(weight)
    if isinstance(sample_weight, dict):
        return dict(zip((key for key, _, _ in targets), weights))
    if isinstance(sample_weight, (list, tuple)):
        return type(sample_weight)(weights)
    return weights[0]


def _of_output(sample_weight, key):
    """The weights of one output, taken from the weights of all outputs."""
    if isinstance(sample_weight, dict):
        return sample_weight.get(key) if key is not None else next(iter(sample_weight.values()))
    if isinstance(sample_weight, (list, tuple)):
        return sample_weight[key or 0]
    return sample_weight


def aligned(name, weight, values, loss, model):
    """Weights repeated to the shape of the loss's values; the first axes are aligned.

    Keras aligns the last axes instead. If a batch has as many samples as a sequence has steps, it
    mistakes the weights of samples for weights of steps.
    """
    weight = np.asarray(weight)
    given = weight.shape
    while weight.ndim > 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if weight.shape != tuple(values)[: weight.ndim]:
        forms = [tuple(values)[: n + 1] for n in range(len(values))]
        raise ValueError(
            f"{name} must be of shape {' or '.join(map(str, forms))}, got {given}"
            f"{_why(loss, model)}"
        )
    return np.broadcast_to(
        weight.reshape(weight.shape + (1,) * (len(values) - weight.ndim)), values
    )


def _why(loss, model):
    """Why a loss has fewer values than there are targets, and what to do."""
    if getattr(model, "scores_whole_sequences", False):
        return ": a CRF has one loss per sequence, not per step"
    name = losses.name_of(loss)
    if name in losses.NUMBERS and not losses.leaves_out_missing(loss) and name != "quantile_loss":
        return (
            f": {name} averages over the last axis of y; to weight each target, compile with "
            f'lz.builders.ObservedLoss("{name}")'
        )
    return ""


def balanced(model, x, y) -> dict[int, float]:
    """A weight for each class that gives all classes the same total: n / (classes * count).

    Masked steps and targets that the loss ignores do not count.
    """
    key, y, output, loss = _one_target(model, y)
    labels, _ = _labels(model, np.asarray(y), loss, output)
    mask = naming.steps_that_count(model, x) if labels.ndim == 2 else None
    if mask is not None and mask.shape == labels.shape:
        labels = labels[mask]
    used, counts = np.unique(labels.astype("int64"), return_counts=True)
    ignored = getattr(loss, "ignore_class", None)
    if ignored is not None:
        used, counts = used[used != ignored], counts[used != ignored]
    weights = counts.sum() / (len(used) * counts)
    return {int(label): float(weight) for label, weight in zip(used, weights)}


def weights_of_classes(model, class_weight, y, loss, output):
    """The class weight of each value of the loss; 1 for classes that are not listed."""
    labels, classes = _labels(model, y, loss, output)
    beyond = [label for label in class_weight if classes is not None and label >= classes]
    if beyond:
        raise ValueError(f"class_weight must name classes from 0 to {classes - 1}, got {beyond[0]}")
    used, where = np.unique(np.nan_to_num(np.round(labels)), return_inverse=True)
    weights = [class_weight.get(int(label), 1.0) for label in used]
    return np.asarray(weights, "float32")[where].reshape(labels.shape)


def _labels(model, y, loss, output):
    """The class of each value of a loss, and the number of classes, or None if unknown."""
    if getattr(model, "scores_whole_sequences", False):
        raise ValueError(
            "class_weight must be None for a CRF, which has one loss per sequence; "
            "pass sample_weight of shape (samples,) instead"
        )
    name = losses.name_of(loss)
    rank = len(output.shape) if output is not None else None
    width = output.shape[-1] if output is not None else None
    if name in losses.ONE_HOT:
        return y.argmax(axis=-1), y.shape[-1]
    if name in losses.LABELS:
        return _without_last(y, rank), width
    if name in losses.BINARY:
        return _binary(y, rank, width, name), 2
    if name:
        raise ValueError(
            f"class_weight must be None if y holds no classes, got the loss {name}; "
            "pass sample_weight instead"
        )
    return _labels_of_unknown(y, rank, width)


def _binary(y, rank, width, name):
    """Labels 0 and 1 for a model with one output at each place."""
    if width is None and y.ndim > 1 and y.shape[-1] > 1:
        raise ValueError(
            "y must have a last axis of size 1 with class_weight, because the shape of the model's "
            f"output is unknown, got shape {y.shape}: its last axis may be timesteps or classes"
        )
    if (width or 1) > 1:
        raise ValueError(
            f"class_weight must be None if a sample can have several labels, got {name} "
            f"and {width} outputs; pass sample_weight instead"
        )
    labels = _without_last(y, rank)
    if (labels < 0).any():
        raise ValueError(
            f"y must hold classes that start at 0 with class_weight, got {labels.min()}; "
            "lz.encode_labels makes them"
        )
    return labels


def _without_last(y, rank):
    """Labels without a last axis of size one, unless that axis is time."""
    one = y.ndim > 1 and y.shape[-1] == 1
    return y[..., 0] if one and (rank is None or y.ndim == rank) else y


def _labels_of_unknown(y, rank, width):
    """The labels for a custom loss, where y holds integers or rows of probabilities."""
    one_hot = y.ndim > 1 and y.shape[-1] > 1 and (rank is None or (y.ndim == rank and width > 1))
    if one_hot:
        labels, fits = y.argmax(axis=-1), (y >= 0).all() and np.allclose(y.sum(axis=-1), 1)
    else:
        labels = _without_last(y, rank)
        fits = not (labels % 1).any()
    if not fits:
        raise ValueError(
            "class_weight needs classes in y, as integers or one-hot rows; "
            "pass sample_weight instead"
        )
    return labels, None
