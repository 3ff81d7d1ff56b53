"""The targets that a model's losses expect, and the shape of the values they average."""

import inspect

import keras

NUMBERS = {
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "quantile_loss",
}
LABELS = {"sparse_categorical_crossentropy"}
ONE_HOT = {"categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"}
BINARY = {"binary_crossentropy", "binary_focal_crossentropy", "hinge", "squared_hinge"}
_MEANS = NUMBERS | ONE_HOT | BINARY | {"cosine_similarity", "kl_divergence"}  # over the last axis


def name_of(loss) -> str:
    """Keras's name for a loss, given in any form that `compile` takes; "" if unknown."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    of_missing = getattr(loss, "loss", None) if leaves_out_missing(loss) else None
    if of_missing is not None:
        return name_of(of_missing)
    if quantiles_of(loss):
        return "quantile_loss"
    name = getattr(getattr(loss, "fn", loss), "__name__", "")
    return name if is_known(loss) else ""


def is_sparse(loss) -> bool:
    """Whether a loss takes integer labels."""
    return name_of(loss) in LABELS


def is_known(loss) -> bool:
    """Whether a loss comes from Keras or this package: it compares targets with outputs 1:1."""
    if isinstance(loss, str):
        return True
    module = getattr(loss if inspect.isfunction(loss) else type(loss), "__module__", "")
    return module.startswith(("keras.", "lstm_zoo."))


def quantiles_of(loss):
    """The quantiles of a quantile loss, or None."""
    return getattr(loss, "quantiles", None) if is_known(loss) else None


def leaves_out_missing(loss) -> bool:
    """Whether a loss leaves out targets that are NaN."""
    return getattr(loss, "leaves_out_missing", False)


def needs_targets(model) -> bool:
    """Whether training needs targets. A custom step or loss may not."""
    own = (getattr(getattr(model, n), "__func__", None) for n in ("train_step", "compute_loss"))
    usual = (keras.Model.train_step, keras.Model.compute_loss)
    return model.loss is not None or all(o is u for o, u in zip(own, usual))


def losses_of(model, outputs) -> list:
    """The loss of each given output of a model; None if it is unknown."""
    loss = model.loss
    if not isinstance(loss, (dict, list, tuple)):
        return [loss] * len(outputs)
    every = tensors_of(model, "outputs") or []
    numbers = [next((n for n, one in enumerate(every) if one is o), None) for o in outputs]
    if isinstance(loss, dict):
        return [None if n is None else loss.get(model.output_names[n]) for n in numbers]
    return [None if n is None or len(loss) != len(every) else loss[n] for n in numbers]


def values_shape(model, loss, y_shape, output):
    """The shape of a loss's values before averaging, for targets of a given shape.

    Each of these values can have a weight. None if the shape is unknown.
    """
    if getattr(model, "scores_whole_sequences", False):
        return tuple(y_shape[:1])
    if output is None:
        return None
    name, y_shape, rank = name_of(loss), tuple(y_shape), len(output.shape)
    if name in LABELS or quantiles_of(loss):
        return y_shape[: rank - 1]
    if name not in _MEANS:
        return None
    full = y_shape if len(y_shape) == rank else (*y_shape, 1)
    return full if leaves_out_missing(loss) else full[:-1]


def tensors_of(model, attribute):
    """The "inputs" or "outputs" of a model, or None if they are unknown until it is called."""
    try:
        found = getattr(model, attribute, None)
    except (AttributeError, ValueError):  # a model that is not built has none
        return None
    return list(found) if found else None


def outputs_of(model, y):
    """The targets of each output as `(key, targets, output)`.

    The key is the key of a dict, the index in a list, or None for a single array. The output is
    None if the model's outputs are unknown until it is called.
    """
    known, names = tensors_of(model, "outputs") or [], getattr(model, "output_names", ())
    if isinstance(y, dict):
        by_name = dict(zip(names, known))
        return [(key, targets, by_name.get(key)) for key, targets in y.items()]
    if isinstance(y, (list, tuple)):
        known = known if len(known) == len(y) else [None] * len(y)
        return [(n, targets, output) for n, (targets, output) in enumerate(zip(y, known))]
    return [(None, y, known[0] if len(known) == 1 else None)]


def like_outputs(model, y, expanded=lambda targets: targets[..., None]):
    """Targets with a last axis of size one if the output has one value per step.

    Without that axis Keras drops the output's last axis and averages over time, before it applies
    masks and weights.
    """
    if y is None:
        return None
    of_outputs = outputs_of(model, y)
    of_each = losses_of(model, [output for _, _, output in of_outputs])
    aligned = [
        expanded(targets) if _lacks_last_axis(targets, output, loss) else targets
        for (_, targets, output), loss in zip(of_outputs, of_each)
    ]
    if isinstance(y, dict):
        return dict(zip(y, aligned))
    return type(y)(aligned) if isinstance(y, (list, tuple)) else aligned[0]


def _lacks_last_axis(targets, output, loss):
    if output is None or output.shape[-1] != 1 or len(output.shape) < 3:
        return False
    if not is_known(loss) or is_sparse(loss) or quantiles_of(loss):
        return False
    shape = targets.shape
    rank = shape.rank if hasattr(shape, "rank") else len(shape)
    return rank == len(output.shape) - 1
