"""Fits the states and the mask of a layer's call to the size of its sequences."""

import keras
from keras import ops


def fitted_states(layer, sequences, states):
    """The initial states of a layer, each `(batch, width)`; a single row is repeated.

    Raises:
        ValueError: if a state is missing or has the wrong size.
    """
    sizes, given = keras.tree.flatten(layer.cell.state_size), keras.tree.flatten(states)
    if len(given) != len(sizes):
        raise ValueError(f"initial_state must hold {len(sizes)} states, got {len(given)}")
    fitted = [_broadcast("initial_state", s, sequences, (size,)) for s, size in zip(given, sizes)]
    if layer.stateful:  # PyTorch overwrites the variable, but the gradient needs its old value
        fitted = [ops.copy(state) for state in fitted]
    return keras.tree.pack_sequence_as(states, fitted)


def fitted_mask(sequences, mask):
    """A mask as `(batch, timesteps)`; repeats a single row and removes a last axis of size 1.

    Raises:
        ValueError: if the mask has the wrong size.
    """
    if mask is None:
        return None
    if len(mask.shape) == 3 and mask.shape[-1] == 1:  # Keras's loop accepts this too
        mask = mask[..., 0]
    return _broadcast("mask", mask, sequences, (sequences.shape[1],))


def _broadcast(argument, value, sequences, rest):
    """`value` as `(batch, *rest)`; a single row is repeated."""
    wanted, got = (sequences.shape[0], *rest), tuple(value.shape)
    fits = len(got) == len(wanted) and all(
        None in (g, w) or g == w or (g == 1 and axis == 0)
        for axis, (g, w) in enumerate(zip(got, wanted))
    )
    if not fits:
        what = {"mask": "(batch, timesteps)"}.get(argument, "(batch, units)")
        raise ValueError(
            f"{argument} must be {what} = {wanted}, or one row for the whole batch, got {got}"
        )
    if got == wanted and None not in got:
        return value
    sizes = ops.shape(sequences)
    return ops.broadcast_to(
        value, (sizes[0], *(sizes[1 + k] if w is None else w for k, w in enumerate(rest)))
    )
