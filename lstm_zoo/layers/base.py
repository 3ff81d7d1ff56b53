"""Any cell run over time: the loop that every layer of LSTM Zoo has, and the layer around it."""

import keras

from lstm_zoo.layers.fitting import fitted_mask, fitted_states
from lstm_zoo.layers.states import LearnsInitialState
from lstm_zoo.recurrence import engines
from lstm_zoo.recurrence.engines import LayerCall
from lstm_zoo.recurrence.engines.parallel import is_parallel


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
    states = fitted_states(layer, sequences, list(initial_state))
    mask = fitted_mask(sequences, keras.tree.flatten(mask)[0])
    call = LayerCall(layer, sequences, states, mask, training)
    return engines.engine_for(call).run(call)


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
        if parallel is True and not is_parallel(cell):
            raise ValueError(
                "parallel must not be True for a cell whose gates see its states, got "
                f"{type(cell).__name__}"
            )
        self.parallel = parallel

    def inner_loop(self, sequences, initial_state, mask, training=False):
        return run_layer(self, sequences, initial_state, mask, training)

    def get_config(self):
        own = {"recompute": self.recompute, "parallel": self.parallel}
        return {**super().get_config(), **own}


keras.saving.register_keras_serializable(package="lstm_zoo")(RNN)
