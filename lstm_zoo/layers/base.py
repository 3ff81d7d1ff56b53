"""`RNN`, which runs any cell over time, and the loop that all layers of LSTM Zoo share."""

import keras

from lstm_zoo.layers.fitting import fitted_mask, fitted_states
from lstm_zoo.layers.states import LearnsInitialState
from lstm_zoo.recurrence import engines
from lstm_zoo.recurrence.engines import LayerCall
from lstm_zoo.recurrence.engines.parallel import is_parallel


def run_layer(layer, sequences, initial_state, mask, training=False):
    """Run a layer's `inner_loop` on the engine that can run it.

    Args:
        layer: a `keras.layers.RNN` whose class has `chooses_engine`.
        sequences: `(batch, timesteps, features)`.
        initial_state: a list of states that broadcast to `(batch, width)`.
        mask: booleans that broadcast to `(batch, timesteps)`, a list with one such mask, or None.
        training: whether dropout is on.

    Returns:
        The last output `(batch, width)`, all outputs `(batch, timesteps, width)` (only the last
        without `return_sequences`), and the last states.

    Raises:
        ValueError: if a state or the mask has the wrong size.
    """
    states = fitted_states(layer, sequences, list(initial_state))
    mask = fitted_mask(sequences, keras.tree.flatten(mask)[0])
    call = LayerCall(layer, sequences, states, mask, training)
    return engines.engine_for(call).run(call)


class RNN(LearnsInitialState):
    """A `keras.layers.RNN` that runs the cells of LSTM Zoo on fast engines.

    In `mixed_bfloat16` and `mixed_float16`, the layer rounds inputs, weights and outputs, but keeps
    the states float32 between steps (except on a GPU, and for cells that run in Keras's own loop).

    Args:
        cell: a `lstm_zoo.cells.Cell`; any other cell, or a list of cells, runs in Keras's own loop.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: as in
            `keras.layers.RNN`.
        recompute: whether training stores the states of every sqrt(timesteps)-th step only and
            recomputes the others, which saves memory for about a third more time (Chen et al.
            2016).
        learned_initial_state: whether the states before the first step are weights that training
            learns, starting from zero; not for a stateful layer.
        parallel: whether to compute all steps in parallel, for cells whose gates do not see the
            states (`min_gru`, `min_lstm`, `mlstm`); "auto" does so if it is faster.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: the cell's states, each `(batch, width)`; zeros if None.
        mask: `(batch, timesteps)` of booleans. A masked step keeps the states, and its output
            repeats the previous output (zeros at the start).
        training: whether dropout is on.

    Returns:
        `(batch, width)`, or `(batch, timesteps, width)` with `return_sequences`; with
        `return_state`, a tuple of this output and the states.

    Raises:
        ValueError: if a state or the mask has the wrong size.

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
                "parallel must be False or 'auto' for a cell whose gates see its states, got "
                f"{type(cell).__name__}"
            )
        self.parallel = parallel

    def inner_loop(self, sequences, initial_state, mask, training=False):
        return run_layer(self, sequences, initial_state, mask, training)

    def get_config(self):
        own = {"recompute": self.recompute, "parallel": self.parallel}
        return {**super().get_config(), **own}


keras.saving.register_keras_serializable(package="lstm_zoo")(RNN)
