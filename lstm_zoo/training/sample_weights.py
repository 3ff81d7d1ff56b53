"""How much each sample counts, or each timestep of one: `sample_weight` and `class_weight`."""

import numpy as np

from lstm_zoo import naming
from lstm_zoo.training import losses
from lstm_zoo.training.data import check_numbers, named_targets


def check_weights(model, sample_weight, class_weight, y, samples, prefix=""):
    """The weights of a loss's values, for several outputs a tree of them; None if all are 1."""
    name = f"{prefix}sample_weight"
    if sample_weight is not None:
        sample_weight, arrays = named_targets(model, name, sample_weight, "(samples,)")
        for called, array, _ in arrays:
            check_numbers(called, array)
            if len(array) != samples:
                raise ValueError(
                    f"x and {called} must be equally long, got {samples} and {len(array)}"
                )
            if (array < 0).any():
                raise ValueError(f"{called} must not be negative, got {array.min()}")
        if not any(np.any(array) for _, array, _ in arrays):
            raise ValueError(f"{name} must not be 0 for all samples")
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
    """Key, targets, output and loss of the one output whose classes have weights."""
    targets = [] if y is None else losses.outputs_of(model, y)
    if len(targets) != 1:
        raise ValueError("class_weight needs a model with one output and its y")
    [(key, y, output)] = targets
    [loss] = losses.losses_of(model, [output])
    return key, y, output, loss


def _as_values(model, name, targets, sample_weight):
    """Sample weights repeated to the shape of the loss's values, for each output."""
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
    """The weights of one output, from those of all outputs."""
    if isinstance(sample_weight, dict):
        return sample_weight.get(key) if key is not None else next(iter(sample_weight.values()))
    if isinstance(sample_weight, (list, tuple)):
        return sample_weight[key or 0]
    return sample_weight


def aligned(name, weight, values, loss, model):
    """Weights repeated to the shape of the loss's values, from the first axis on.

    Keras aligns the last axes. If a batch has as many samples as a sequence has steps, it takes
    weights of samples for weights of steps.
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
        return ": a CRF has one loss for a whole sequence"
    name = losses.name_of(loss)
    if name in losses.NUMBERS and not losses.leaves_out_missing(loss) and name != "quantile_loss":
        return (
            f": {name} is a mean over the last axis of y; "
            f'loss=lz.builders.ObservedLoss("{name}") weighs each target'
        )
    return ""


def balanced(model, x, y) -> dict[int, float]:
    """The weight of each class by which all classes weigh as much: n / (classes * count).

    Counted are the targets of `y`, without masked steps and those that the loss ignores.
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
    """The weight of the class of each value of the loss, 1 where the class has none."""
    labels, classes = _labels(model, y, loss, output)
    beyond = [label for label in class_weight if classes is not None and label >= classes]
    if beyond:
        raise ValueError(f"class_weight must name classes from 0 to {classes - 1}, got {beyond[0]}")
    used, where = np.unique(np.nan_to_num(np.round(labels)), return_inverse=True)
    weights = [class_weight.get(int(label), 1.0) for label in used]
    return np.asarray(weights, "float32")[where].reshape(labels.shape)


def _labels(model, y, loss, output):
    """The class of each value of a loss, and the number of classes, or None if not known."""
    if getattr(model, "scores_whole_sequences", False):
        raise ValueError(
            "class_weight must be None for a CRF, whose loss is that of whole sequences of labels; "
            "weigh sequences by sample_weight of shape (samples,)"
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
            f"class_weight must be None where y is no class, got the loss {name}; "
            "give sample_weight instead"
        )
    return _labels_of_unknown(y, rank, width)


def _binary(y, rank, width, name):
    """Labels 0 and 1 for a model with one output at each place."""
    if width is None and y.ndim > 1 and y.shape[-1] > 1:
        raise ValueError(
            "y must end in an axis of 1 beside class_weight where the model's output is not known, "
            f"got shape {y.shape}: its last axis may be timesteps or classes"
        )
    if (width or 1) > 1:
        raise ValueError(
            f"class_weight must be None where a sample can be of several classes, got {name} "
            f"and {width} outputs; give sample_weight instead"
        )
    labels = _without_last(y, rank)
    if (labels < 0).any():
        raise ValueError(f"y must hold classes from 0 on beside class_weight, got {labels.min()}")
    return labels


def _without_last(y, rank):
    """Labels without a last axis of width one, unless that axis is time."""
    one = y.ndim > 1 and y.shape[-1] == 1
    return y[..., 0] if one and (rank is None or y.ndim == rank) else y


def _labels_of_unknown(y, rank, width):
    """The labels for a user's own loss, whose y is whole numbers or rows of probabilities."""
    one_hot = y.ndim > 1 and y.shape[-1] > 1 and (rank is None or (y.ndim == rank and width > 1))
    if one_hot:
        labels, fits = y.argmax(axis=-1), (y >= 0).all() and np.allclose(y.sum(axis=-1), 1)
    else:
        labels = _without_last(y, rank)
        fits = not (labels % 1).any()
    if not fits:
        raise ValueError(
            "class_weight needs y that holds classes, whole numbers or one-hot rows; "
            "give sample_weight instead"
        )
    return labels, None
