"""The arrays that a model is called with, checked and in the types that it takes."""

import numpy as np

from lstm_zoo import checks


def arrays_of(plan, x):
    """The arrays of a call in the order of a plan's inputs, contiguous and of their types.

    Raises:
        ValueError: naming the input that has another shape or type, or other rows than the first.
    """
    given = flat(x, plan.takes) if isinstance(plan.takes, (dict, list)) else [x]
    arrays = [_array(one, array) for one, array in zip(plan.inputs, given)]
    pairs = list(zip(plan.inputs, arrays))
    first, rows = next((one.name, len(array)) for one, array in pairs if one.rows is None)
    for one, array in pairs:
        if len(array) != (rows if one.rows is None else one.rows):
            wanted = f"as many rows as {first}, {rows}" if one.rows is None else f"{one.rows} rows"
            raise ValueError(f"{one.name} must have {wanted}, got {len(array)}")
    return arrays


def flat(x, takes):
    """The arrays of nested inputs in the order of a plan; names in excess are left out, as Keras
    does."""
    if len(takes) == 1 and not isinstance(x, (dict, list, tuple)):  # as Keras takes it
        return [x]
    if isinstance(takes, dict):
        if not isinstance(x, dict) or not set(takes) <= set(x):
            raise ValueError(f"x must be a dict with {checks.listed(takes)}, got {_said(x)}")
        pairs = sorted((number, x[name]) for name, number in takes.items())
    else:
        if not isinstance(x, (list, tuple)) or len(x) != len(takes):
            raise ValueError(f"x must be a list of {len(takes)} arrays, got {_said(x)}")
        pairs = sorted(zip(takes, x), key=lambda pair: pair[0])
    return [array for _, array in pairs]


def _said(x):
    if isinstance(x, dict):
        return f"one with {checks.listed(x)}"
    return f"{len(x)} of them" if isinstance(x, (list, tuple)) else type(x).__name__


def _array(wanted, value):
    """An array of the shape and type that an input wants."""
    array = (
        value if isinstance(value, np.ndarray) and value.size else checks.array(wanted.name, value)
    )
    checks.shape(wanted.name, array.shape, ("batch", *wanted.shape))
    if wanted.dtype == "float32":
        if array.dtype != np.float32 or not array.flags.c_contiguous:
            array = _single(wanted, array)
    elif wanted.dtype == "int32":
        array = _tokens(wanted, array)
    elif array.dtype != wanted.dtype:
        array = array.astype(wanted.dtype)
    return array


def _single(wanted, array):
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{wanted.name} must hold numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(array, "float32")
    if array.dtype.kind == "f" and np.isinf(single).any() and np.isfinite(array).all():
        raise ValueError(
            f"{wanted.name} must fit in float32, got numbers up to {np.abs(array).max():.4g}"
        )
    return single


def _tokens(wanted, array):
    whole = array if array.dtype.kind in "biu" else np.round(array)
    limits = np.iinfo("int32")
    if (whole != array).any() or whole.min() < limits.min or whole.max() > limits.max:
        raise ValueError(
            f"{wanted.name} must be tokens, whole numbers, got {array.ravel()[:3].tolist()}"
        )
    return np.ascontiguousarray(whole, "int32")


def nested(gives, results):
    """Results in the order of a plan, nested as it says."""
    if isinstance(gives, dict):
        return {name: nested(one, results) for name, one in gives.items()}
    if isinstance(gives, list):
        return [nested(one, results) for one in gives]
    return results[gives]


def refuse(problem, plan, number, arrays, name=None, given=None):
    """Raise the error for a problem that the C code met, by its number in `serving.h`.

    Args:
        problem: its number.
        plan: what was run.
        number: that of the input that has it.
        arrays: the inputs.
        name, given: of that input, where its array is a copy of what the user gave.
    """
    name = plan.inputs[number].name if name is None else name
    given = arrays[number] if given is None else given
    if problem == 1:
        raise MemoryError(f"no memory to answer for {len(arrays[0])} rows")
    if problem == 2:
        checks.finite(name, given)
        raise ValueError(f"{name} must fit in float32, got {np.abs(given).max():.4g}")
    tokens = [array for one, array in zip(plan.inputs, arrays) if one.dtype == "int32"]
    least, most = min(one.min() for one in tokens), max(one.max() for one in tokens)
    raise ValueError(f"x must hold tokens that the model knows, got tokens from {least} to {most}")
