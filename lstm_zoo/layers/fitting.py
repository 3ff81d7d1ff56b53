"""The states and the mask that a layer is called with, in the sizes of its sequences."""

import keras
from keras import ops


def fitted_states(layer, sequences, states):
    """The first states of a layer, each `(batch, width)`, from that or from one row for all.

    Raises:
        ValueError: if a state is missing or of another size.
    """
    sizes, given = keras.tree.flatten(layer.cell.state_size), keras.tree.flatten(states)
    if len(given) != len(sizes):
        raise ValueError(f"initial_state must hold {len(sizes)} states, got {len(given)}")
    fitted = [_broadcast("initial_state", s, sequences, (size,)) for s, size in zip(given, sizes)]
    if layer.stateful:  # PyTorch overwrites the variable, while the gradient needs its old value
        fitted = [ops.copy(state) for state in fitted]
    return keras.tree.pack_sequence_as(states, fitted)


def fitted_mask(sequences, mask):
    """A mask as `(batch, timesteps)`, from that, from one row for all or with a last axis of 1.

    Raises:
        ValueError: if it is of another size.
    """
    if mask is None:
        return None
    if len(mask.shape) == 3 and mask.shape[-1] == 1:  # as Keras's loop takes it too
        mask = mask[..., 0]
    return _broadcast("mask", mask, sequences, (sequences.shape[1],))


def _broadcast(argument, value, sequences, rest):
    """`value` as `(batch, *rest)`, from that shape or from one row for all."""
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
