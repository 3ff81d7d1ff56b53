"""A cell run over masked sequences in NumPy, in float64, by its paper's equations."""

import pathlib
import runpy

import keras
import numpy as np

CONTRACTS = pathlib.Path(__file__).parents[1] / "contracts"
REFERENCES = runpy.run_path(str(CONTRACTS / "references.py"))["REFERENCES"]


def run(name, cell, x, states=None, mask=None, go_backwards=False):
    """All outputs `(batch, timesteps, width)` and the last states, in the order of the steps.

    The output at a masked step repeats the one before, which is zeros at the start.
    """
    weights = [
        np.asarray(keras.ops.convert_to_numpy(w.value), "float64") for w in cell.trainable_weights
    ]
    states = [np.zeros((len(x), size)) for size in cell.state_size] if states is None else states
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    if go_backwards:
        x, mask = x[:, ::-1], mask[:, ::-1]
    outputs = [np.zeros((len(x), cell.state_size[0]))]
    for x_t, seen in zip(x.astype("float64").swapaxes(0, 1), mask.T[..., None]):
        now = REFERENCES[name](x_t, *states, *weights)
        states = [np.where(seen, now[s], old) for s, old in zip(cell.state_names, states)]
        outputs.append(np.where(seen, states[0], outputs[-1]))
    return np.stack(outputs[1:], axis=1), states
