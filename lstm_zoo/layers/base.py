"""Any cell run over time: the loop that every layer of LSTM Zoo has, and the layer around it."""

import keras
from keras import ops

from lstm_zoo import recurrence
from lstm_zoo.cells import Cell
from lstm_zoo.layers.states import LearnsInitialState
from lstm_zoo.recurrence import loop, portable, scan
from lstm_zoo.recurrence.engines import engine_of


def run_layer(layer, sequences, initial_state, mask, training=False):
    """What the `inner_loop` of a layer returns, from the engine that serves it.

    Args:
        layer: a `keras.layers.RNN` whose class has `chooses_engine`.
        sequences: `(batch, timesteps, features)`.
        initial_state: a list, each `(batch, width)` or what broadcasts to it.
        mask: `(batch, timesteps)` of booleans or what broadcasts to it, a list of one, or None.
        training: whether dropout is on.

    Returns:
        The last output `(batch, width)`, all outputs `(batch, timesteps, width)` (the last alone
        without `return_sequences`), and the last states.

    Raises:
        ValueError: if a state or the mask is of another size.
    """
    mask = keras.tree.flatten(mask)[0]
    initial_state = _fitting_states(layer.cell, sequences, initial_state)
    if layer.stateful:  # PyTorch overwrites the variable, while the gradient needs its old value
        initial_state = [ops.copy(state) for state in initial_state]
    mask = _fitting_mask(sequences, mask)
    engine = engine_of(layer, mask is not None, sequences.shape[1]).name
    target = None if engine == "keras" else portable.target()
    if target is not None:
        outputs, states = portable.run(target, layer, sequences, initial_state, mask)
        return _finished(layer, outputs, states, mask)
    if engine == "cudnn":
        return keras.layers.LSTM.inner_loop(layer, sequences, initial_state, mask, training)
    cell = layer.cell
    drawn = None
    if training and isinstance(cell, Cell):
        drawn = cell.draw(*ops.shape(sequences)[:2])
    if engine == "keras":
        if drawn is not None:  # no loop of JAX may draw
            sequences = ops.concatenate([sequences, ops.cast(drawn, sequences.dtype)], axis=-1)
        return in_keras_loop(layer, sequences, initial_state, mask, training)
    dropout = training and 0.0 < cell.dropout < 1.0
    recurrent = training and 0.0 < cell.recurrent_dropout < 1.0
    input_mask = cell.get_dropout_mask(sequences[:, 0]) if dropout else None
    recurrent_mask = None
    if recurrent:
        recurrent_mask = cell.get_recurrent_dropout_mask(cell.recurrent_part(initial_state))
    run, options = recurrence.run, {"recurrent_mask": recurrent_mask, "drawn": drawn}
    if engine == "parallel":
        run, options = scan.run, {}
    elif engine == "loop":
        run, options = loop.run, {**options, "unroll": layer.unroll}
    else:
        options |= {
            "training": training,
            "return_sequences": layer.return_sequences,
            "recompute": layer.recompute,
            "use_native": engine == "native",
        }
    outputs, states = run(
        cell,
        sequences,
        initial_state,
        mask,
        input_mask=input_mask,
        go_backwards=layer.go_backwards,
        **options,
    )
    return _finished(layer, outputs, states, mask)


def in_keras_loop(layer, sequences, initial_state, mask, training):
    """Run Keras's own loop; under a mask, JAX then gives the numbers of the other backends.

    Keras's loop for JAX puts out the first state, and not zeros, before the first unmasked step.
    """
    last, outputs, states = keras.layers.RNN.inner_loop(
        layer, sequences, initial_state, mask, training
    )
    if mask is not None and keras.backend.backend() == "jax":
        outputs, last = _as_keras_masks(layer, outputs, last, mask)
    return last, outputs, states


def _finished(layer, outputs, states, mask):
    """The last output, all outputs and the last states, with the outputs that Keras wants."""
    last = states[0]
    if mask is not None:
        outputs, last = _as_keras_masks(layer, outputs, last, mask)
    return last, last[:, None] if outputs is None else outputs, states


def _as_keras_masks(layer, outputs, last, mask):
    """The output at a masked step repeats the one before, which is zeros at the start."""
    mask = ops.cast(ops.flip(mask, axis=1) if layer.go_backwards else mask, "bool")
    seen = mask if layer.zero_output_for_mask else ops.cumsum(ops.cast(mask, "int32"), 1) > 0
    if outputs is not None:
        outputs = ops.where(ops.expand_dims(seen, -1), outputs, 0)
    return outputs, ops.where(seen[:, -1:], last, 0)


def _fitting_states(cell, sequences, states):
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    states = list(states)
    if len(states) != len(sizes):
        raise ValueError(f"initial_state must hold {len(sizes)} states, got {len(states)}")
    return [_broadcast("initial_state", s, sequences, (size,)) for s, size in zip(states, sizes)]


def _fitting_mask(sequences, mask):
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


class RNN(LearnsInitialState):
    """`keras.layers.RNN` for the cells of LSTM Zoo, at their speed.

    In `mixed_bfloat16` and `mixed_float16` inputs, weights and outputs are rounded, and all between
    two steps is float32 (not so on a GPU, nor for cells that run in Keras's own loop).

    Args:
        cell: a `lstm_zoo.cells.Cell`; any other cell, or a list of cells, runs in Keras's own loop.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: as in
            `keras.layers.RNN`.
        recompute: whether training keeps the states at every square-root-of-timesteps-th step only
            and computes those between again, for about a third more time (Chen et al. 2016).
        learned_initial_state: whether the states before the first step are weights, which start at
            zero; not for a stateful layer.
        parallel: whether all steps are computed side by side where the gates of the cell see the
            input alone (`min_gru`, `min_lstm`, `mlstm`); "auto" where that is quicker.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: the cell's states, each `(batch, width)`; zeros if None.
        mask: `(batch, timesteps)` of booleans; at a masked step the states stay as they were and
            the output repeats the one before, which is zeros at the start.
        training: whether dropout is on.

    Returns:
        `(batch, width)`, or `(batch, timesteps, width)` with `return_sequences`; with
        `return_state` a tuple of that and the states.

    Raises:
        ValueError: if the size of a state or of the mask is wrong.

    Example:
        >>> import lstm_zoo as lz
        >>> layer = RNN(lz.PeepholeLSTMCell(8), return_sequences=True)
        >>> tuple(layer(keras.ops.ones((2, 5, 3))).shape)
        (2, 5, 8)
    """

    chooses_engine = True

    def __init__(
        self,
        cell,
        *args,
        recompute: bool = False,
        learned_initial_state: bool = False,
        parallel: bool | str = "auto",
        **kwargs,
    ):
        super().__init__(cell, *args, **kwargs)
        self.recompute = recompute
        self._set_initial_state(learned_initial_state)
        if parallel not in ("auto", True, False):
            raise ValueError(f'parallel must be "auto", True or False, got {parallel!r}')
        if parallel is True and not scan.is_parallel(cell):
            raise ValueError(
                "parallel must not be True for a cell whose gates see its states, got "
                f"{type(cell).__name__}"
            )
        self.parallel = parallel

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if isinstance(self.cell, keras.layers.StackedRNNCells):
            mask = _fitting_mask(sequences, keras.tree.flatten(mask)[0])
            return in_keras_loop(self, sequences, initial_state, mask, training)
        return run_layer(self, sequences, initial_state, mask, training)

    def get_config(self):
        own = {"recompute": self.recompute, "parallel": self.parallel}
        return {**super().get_config(), **own}


keras.saving.register_keras_serializable(package="lstm_zoo")(RNN)
