"""`GRU`, a drop-in replacement for `keras.layers.GRU`."""

import keras

from lstm_zoo.cells.gru import GRUCell
from lstm_zoo.layers.base import run_layer
from lstm_zoo.layers.lstm import check_cudnn, runs
from lstm_zoo.layers.states import LearnsInitialState


@runs(GRUCell)
class GRU(LearnsInitialState, keras.layers.GRU):
    """A gated recurrent unit layer: a faster drop-in for `keras.layers.GRU`.

    It takes the same arguments and computes the same numbers. `set_weights` moves weights both
    ways, and `isinstance(layer, keras.layers.GRU)` holds. The cell is `lstm_zoo.GRUCell`. On a CPU
    a native operation runs the layer, on a GPU cuDNN; `lstm_zoo.explain(layer)` names the engine.

    Half precision, `recompute` and `learned_initial_state` work as in `lstm_zoo.LSTM`.

    Args:
        units: size of the hidden state, a positive integer.
        activation, recurrent_activation, use_bias: as in `lstm_zoo.GRUCell`.
        kernel_initializer, recurrent_initializer, bias_initializer: as in `lstm_zoo.GRUCell`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: as in `lstm_zoo.GRUCell`.
        kernel_constraint, recurrent_constraint, bias_constraint: as in `lstm_zoo.GRUCell`.
        dropout, recurrent_dropout, seed, reset_after: as in `lstm_zoo.GRUCell`.
        activity_regularizer, return_sequences, return_state: as in `lstm_zoo.LSTM`.
        go_backwards, stateful, unroll, use_cudnn: as in `lstm_zoo.LSTM`.
        recompute, learned_initial_state: as in `lstm_zoo.LSTM`.
        **kwargs: `name`, `dtype`, `trainable`, `zero_output_for_mask`, `implementation`, as in
            Keras.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: `(batch, units)`; zeros if None.
        mask: `(batch, timesteps)` of booleans. A masked step keeps the state, and its output
            repeats the previous output (zeros at the start).
        training: whether dropout is on.

    Returns:
        `(batch, units)`, or `(batch, timesteps, units)` with `return_sequences`; with
        `return_state`, a tuple of this output and the hidden state.

    Raises:
        ValueError: as in `lstm_zoo.LSTM`.

    Example:
        >>> layer = GRU(8, return_sequences=True)
        >>> tuple(layer(keras.ops.ones((2, 5, 3))).shape)
        (2, 5, 8)
    """

    cell_class: type
    chooses_engine = True

    def __init__(
        self,
        units: int,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        recompute: bool = False,
        learned_initial_state: bool = False,
        **kwargs,
    ):
        cell = self.cell_class(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            reset_after=reset_after,
            seed=seed,
            implementation=kwargs.pop("implementation", 2),
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="gru_cell",
        )
        # keras.layers.GRU would create its own cell here; its parent class accepts ours.
        keras.layers.RNN.__init__(
            self,
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.use_cudnn, self.recompute = use_cudnn, recompute
        self._set_initial_state(learned_initial_state)
        check_cudnn(self, "GRU (reset_after=True)")

    def inner_loop(self, sequences, initial_state, mask, training=False):
        return run_layer(self, sequences, initial_state, mask, training)

    def get_config(self):
        config = {"use_cudnn": self.use_cudnn, "recompute": self.recompute}
        config["implementation"] = self.cell.implementation
        return {**super().get_config(), **config}
