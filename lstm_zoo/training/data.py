"""Checks the data that `fit` gets, before any training."""

import keras
import ml_dtypes
import numpy as np

from lstm_zoo import checks, precision
from lstm_zoo.training import losses

_GAPS = (
    "; fill gaps, for example with np.nan_to_num(x, nan=-999.0), and build the model with "
    "mask_value=-999.0"
)
_CHUNK = 2**24  # numbers to check at once, so that a memory-mapped array is never loaded whole


def check_data(model: keras.Model, x, y, prefix: str = "") -> tuple:
    """Check that `model` can be trained on the arrays `x` and `y`.

    Args:
        model: a compiled `keras.Model`.
        x, y: arrays, or lists or dicts of arrays, as for `fit`.
        prefix: written before "x" and "y" in error messages, such as "validation ".

    Returns:
        `x` and `y`, with NumPy arrays in place of data frames, lists and tensors.

    Raises:
        ValueError: if the arrays do not fit the model, with the same message as `fit`.
    """
    check_compiled(model)
    name_x, name_y = f"{prefix}x", f"{prefix}y"
    inputs = losses.tensors_of(model, "inputs")
    one_sequence = inputs is None or (len(inputs) == 1 and len(inputs[0].shape) == 3)
    wanted = "(samples, timesteps, features)" if one_sequence else "(samples, ...)"
    x, arrays = _named_arrays(name_x, x, inputs, [tensor.name for tensor in inputs or ()], wanted)
    widest = float_type(model)
    for name, array, tensor in arrays:
        _check_input(name, array, tensor, widest)
    samples = len(arrays[0][1])
    if y is None and not losses.needs_targets(model):
        return x, None
    y, targets = named_targets(model, name_y, y, "(samples, ...)")
    of_each = losses.losses_of(model, [tensor for _, _, tensor in targets])
    for name, array, _ in arrays[1:] + targets:
        if len(array) != samples:
            raise ValueError(
                f"{arrays[0][0]} and {name} must have the same number of samples, "
                f"got {samples} and {len(array)}"
            )
    checked = [
        _checked_target(name, array, tensor, loss, widest, fit=not prefix)
        for (name, array, tensor), loss in zip(targets, of_each)
    ]
    return x, losses.like_outputs(model, keras.tree.pack_sequence_as(y, checked))


def named_targets(model, name, value, wanted):
    """`value` with its leaves as arrays, and a list of `(name, array, output of the model)`."""
    return _named_arrays(
        name, value, losses.tensors_of(model, "outputs"), getattr(model, "output_names", ()), wanted
    )


def check_compiled(model):
    """Refuse a model that is not compiled."""
    if not getattr(model, "compiled", False):
        raise ValueError("model must be compiled: call model.compile(optimizer, loss) first")


def gives_batches(value) -> bool:
    """Whether `value` yields batches (a dataset, PyDataset, loader or generator), not arrays."""
    if isinstance(value, keras.utils.PyDataset) or hasattr(value, "__next__"):
        return True
    loader = hasattr(value, "dataset") and hasattr(value, "batch_size")  # torch's DataLoader
    return loader or hasattr(value, "element_spec")


def described(value) -> str:
    """The type of `value` with "a" before it, for an error message."""
    if hasattr(value, "element_spec"):
        return "a tf.data.Dataset"
    if _is_several(value):
        return f"a {type(value).__name__} of {len(value)} arrays"
    return f"a {type(value).__name__}"


def float_type(model) -> str:
    """The dtype that floats are cast to: float64 if the model computes in it, else `floatx`."""
    return "float64" if model.compute_dtype == "float64" else keras.config.floatx()


def _named_arrays(name, value, tensors, names, wanted):
    """`value` with its leaves as arrays, and a list of `(name, array, tensor)` of all leaves.

    `tensors` are the matching inputs or outputs of the model, and `names` their names.
    """
    if value is None:
        raise ValueError(f"{name} must be one array {wanted}, got None")
    if gives_batches(value):
        raise ValueError(
            f"{name} must be one array {wanted}, got {described(value)}; "
            "pass batches of (x, y) as x, without y"
        )
    several = isinstance(value, dict) or (
        isinstance(value, (list, tuple)) and len(tensors or ()) > 1 or _is_several(value)
    )
    if tensors is None and several:
        arrays = keras.tree.map_structure(lambda leaf: _array(name, leaf, wanted), value)
        flat = keras.tree.flatten(arrays)
        return arrays, [(f"{name}[{n}]", array, None) for n, array in enumerate(flat)]
    if tensors is None or (len(tensors) == 1 and not several):
        array = _array(name, value, wanted)
        return array, [(name, array, tensors and tensors[0])]
    if not several:
        raise ValueError(
            f"{name} must be a list or a dict of {len(tensors)} arrays to fit the model, "
            f"got {described(value)}"
        )
    if isinstance(value, dict):
        return _by_name(name, value, dict(zip(names, tensors)), wanted)
    if len(value) != len(tensors):
        if len(tensors) == 1:
            raise ValueError(f"{name} must be one array {wanted}, got {described(value)}")
        raise ValueError(
            f"{name} must hold {len(tensors)} arrays to fit the model, got {len(value)}"
        )
    arrays = [_array(f"{name}[{n}]", one, wanted) for n, one in enumerate(value)]
    named = [
        (f"{name}[{n}]", array, tensor) for n, (array, tensor) in enumerate(zip(arrays, tensors))
    ]
    return arrays, named


def _by_name(name, value, tensors, wanted):
    missing = [key for key in tensors if key not in value]
    if missing and len(tensors) == 1:
        raise ValueError(f"{name} must be one array {wanted}, got a dict without {missing[0]!r}")
    if missing:
        raise ValueError(
            f"{name} must have the model's keys {checks.listed(map(repr, tensors))}, "
            f"got {checks.listed(map(repr, value))}"
        )
    arrays = {key: _array(f"{name}[{key!r}]", value[key], wanted) for key in sorted(tensors)}
    return arrays, [(f"{name}[{key!r}]", array, tensors[key]) for key, array in arrays.items()]


def _array(name, value, wanted):
    checks.unmasked(name, value)
    try:
        array = value.to_numpy() if hasattr(value, "to_numpy") else np.asanyarray(value)
    except (ValueError, TypeError) as problem:
        raise ValueError(
            f"{name} must be one array {wanted}, got a {type(value).__name__} of arrays of unequal "
            "shape; lz.pad pads sequences to one length"
        ) from problem
    if array.ndim == 0:
        raise ValueError(f"{name} must be one array {wanted}, got {described(value)}")
    return array


def _is_several(value):
    return isinstance(value, (list, tuple)) and any(
        getattr(array, "ndim", 0) > 2 for array in value[:1]
    )


def _check_input(name, x, tensor, widest):
    shape = tensor.shape if tensor is not None else None
    if shape is not None and x.ndim != len(shape):
        if len(shape) == 3:
            hint = "; x[..., None] adds an axis for a single feature" if x.ndim == 2 else ""
            raise ValueError(
                f"{name} must be (samples, timesteps, features), got shape {x.shape}{hint}"
            )
        sizes = ", ".join("any" if size is None else str(size) for size in shape[1:])
        raise ValueError(
            f"{name} must be (samples, {sizes}) to fit the model's input, got shape {x.shape}"
        )
    if len(x) == 0:
        raise ValueError(f"{name} must hold at least one sample, got none")
    if shape and shape[0] and len(x) % shape[0]:
        raise ValueError(
            f"{name} must hold a multiple of {shape[0]} samples, the model's batch size, "
            f"got {len(x)} samples"
        )
    axes = ("timesteps", "features") if shape and len(shape) == 3 else ()
    for axis, wanted in enumerate(shape[1:] if shape else (), start=1):
        if wanted is not None and x.shape[axis] != wanted:
            what = axes[axis - 1] if axes else f"numbers in axis {axis}"
            raise ValueError(
                f"{name} must have {wanted} {what} to fit the model's input, got {x.shape[axis]}"
            )
    if tensor is None or str(tensor.dtype) != "string":
        check_numbers(name, x, widest, hint=_GAPS)
    if widest == "float32" and tensor is not None and "float" in str(tensor.dtype):
        precision.check_single(name, [x])


def _checked_target(name, y, tensor, loss, widest, fit):
    sparse = losses.is_sparse(loss)
    if tensor is not None and losses.is_known(loss):
        _check_shape(name, y, tensor.shape[1:], sparse, bool(losses.quantiles_of(loss)))
    if not sparse:
        check_numbers(name, y, widest, may_miss=losses.leaves_out_missing(loss))
        if widest == "float32":
            precision.check_single(name, [y])
        return y
    classes = tensor.shape[-1] if tensor is not None else None
    return _labels(name, y, classes, getattr(loss, "ignore_class", None), fit)


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
        one_hot = labels and y.ndim == len(sizes) + 1
        hint = "; lz.encode_labels turns one-hot rows into integers" if one_hot else ""
        raise ValueError(
            f"{name} must be ({', '.join(sizes)}{comma}) to fit the model's output, "
            f"got shape {y.shape}{hint}"
        )


def _fits(shape, wanted):
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted))


def _labels(name, y, num_classes, ignored, fit):
    """Integer labels; whole floats and booleans become integers."""
    whole = y.dtype.kind == "b" or (y.dtype.kind == "f" and np.array_equal(y, np.round(y)))
    labels = y.astype("int64") if whole else y
    if labels.dtype.kind not in "iu":
        gaps = y.dtype.kind == "f" and np.isnan(y).any()
        hint = (
            " with NaN; give steps without a label the label -1, and compile with "
            "keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)"
            if gaps
            else "; lz.encode_labels turns other labels into integers"
        )
        raise ValueError(f"{name} must hold integer labels, got {y.dtype}{hint}")
    used = labels if ignored is None else labels[labels != ignored]
    if used.size == 0:
        raise ValueError(f"{name} must hold at least one label that is not ignored")
    if used.min() < 0 or (num_classes is not None and used.max() >= num_classes):
        most = "the number of classes" if num_classes is None else num_classes - 1
        raise ValueError(
            f"{name} must hold labels from 0 to {most}, got {used.min()} to {used.max()}; "
            "lz.encode_labels makes labels that start at 0"
        )
    if fit and used.min() == used.max():
        raise ValueError(f"{name} must hold at least two classes, got only class {used.min()}")
    return labels


def check_numbers(name, array, widest="float64", may_miss=None, hint=""):
    """Refuse an array that does not hold numbers, or numbers that are not finite as `widest`.

    For targets, `may_miss` tells whether NaN may mark a missing target; otherwise it is None.
    `hint` ends the error for numbers that are not finite.
    """
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ValueError(f"{name} must hold numbers, got dtype {array.dtype}")
    if array.dtype.kind in "biu":
        return
    narrows = array.dtype == "float64" and widest != "float64"
    largest = float(ml_dtypes.finfo(widest).max) if narrows else None
    samples = max(1, _CHUNK // max(1, array[:1].size))
    wrong, missing, most = 0, 0, 0.0
    for start in range(0, len(array), samples):
        chunk = np.asarray(array[start : start + samples])
        gaps = np.isnan(chunk) if may_miss else np.zeros((), bool)
        missing += np.count_nonzero(gaps)
        wrong += np.count_nonzero(~(np.isfinite(chunk) | gaps))
        if largest and not wrong and chunk.size:
            most = max(most, float(np.max(np.abs(chunk), initial=0.0, where=~gaps)))
    if wrong:
        if may_miss is False:
            hint = "; lz.builders.ObservedLoss ignores NaN targets"
        raise ValueError(f"{name} must be finite, got {wrong} NaN or infinite values{hint}")
    if missing and missing == array.size:
        raise ValueError(f"{name} must hold at least one target that is not NaN")
    if largest and most > largest:
        raise ValueError(
            f"{name} must not exceed {largest:.3g}, the largest {widest}, got {most:.3g}; scale it"
        )
