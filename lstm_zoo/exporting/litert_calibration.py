"""Calibration data for int8: LiteRT measures the ranges of a model's numbers on it."""

import numpy as np

from lstm_zoo import checks
from lstm_zoo.cells.lstm import LSTMCell
from lstm_zoo.exporting.signature import looping_layers


def examples_of(model, calibration):
    """Examples for each input of a model, by its name, in the input's dtype.

    Args:
        calibration: an array for a model with one input; otherwise a list in the order of the
            inputs, or a dict by their names.
    """
    names = [one.name for one in model.inputs]
    if isinstance(calibration, dict):
        if set(calibration) != set(names):
            raise ValueError(
                f"calibration must have an array for each input, {', '.join(names)}, "
                f"got {', '.join(map(str, calibration))}"
            )
    elif len(names) == 1:
        calibration = {names[0]: calibration}
    elif isinstance(calibration, (list, tuple)) and len(calibration) == len(names):
        calibration = dict(zip(names, calibration))
    else:
        raise ValueError(
            f"calibration must be a list or a dict with an array for each input, "
            f"{', '.join(names)}, got {type(calibration).__name__}"
        )
    examples = {one.name: _checked(one, calibration[one.name], names) for one in model.inputs}
    counts = {name: len(a) for name, a in examples.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"calibration must have the same number of examples for each input, got {counts}"
        )
    return examples


def _checked(tensor, value, names):
    argument = "calibration" if len(names) == 1 else f"calibration[{tensor.name!r}]"
    value = checks.finite(argument, value, len(tensor.shape))
    checks.shape(argument, value.shape, ("batch", *tensor.shape[1:]))
    if "int" in tensor.dtype and np.any(value != np.round(value)):
        raise ValueError(f"{argument} must hold integer tokens, got dtype {value.dtype}")
    return value.astype(tensor.dtype)


def refuse_int8(model, whole, examples, batch_size, fused):
    """Raise a `ValueError` if int8 is impossible: for a loop, or with too few examples."""
    for layer in looping_layers(model):
        is_loop = type(getattr(layer, "cell", None)) is not LSTMCell
        if is_loop or batch_size is None or not fused:
            raise ValueError(
                "calibration needs the plain LSTM and a batch_size, or streaming=True, because "
                f"LiteRT's converter can't quantise a loop, got the layer {layer.name!r}, "
                f"batch_size={batch_size} and fused={fused}"
            )
    size, first = batch_size or 1, next(iter(examples.values()))
    count = len(first) if model is whole else len(first) * first.shape[1]
    if count < size:
        raise ValueError(f"calibration must hold at least batch_size={size} examples, got {count}")


def calls_of(model, whole, examples, batch_size):
    """The examples in batches, for `whole` or for its streaming form `model`."""
    if model is not whole:
        examples = _steps_of(model, examples)
    size, count = batch_size or 1, len(next(iter(examples.values())))
    return [
        {name: a[k : k + size] for name, a in examples.items()}
        for k in range(0, count - size + 1, size)
    ]


def _steps_of(step_model, examples):
    """The steps of sequences, and the states before each step, for a model that takes one step."""
    [sequences] = examples.values()
    step, *states = step_model.inputs
    shapes = [(len(sequences), *state.shape[1:]) for state in states]
    now = [np.zeros(shape, state.dtype) for shape, state in zip(shapes, states)]
    calls = []
    for t in range(sequences.shape[1]):
        calls.append([sequences[:, t], *now])
        _, *now = (np.asarray(a) for a in step_model(calls[-1], training=False))
    names = [step.name, *(state.name for state in states)]
    return {name: np.concatenate(arrays) for name, arrays in zip(names, zip(*calls))}
