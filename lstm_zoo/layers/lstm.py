"""`LSTM`, a drop-in replacement for `keras.layers.LSTM`."""

import keras

from lstm_zoo.backend import sees_a_gpu
from lstm_zoo.cells.lstm import LSTMCell
from lstm_zoo.layers.base import run_layer
from lstm_zoo.layers.states import LearnsInitialState
from lstm_zoo.recurrence.engines import cudnn

_LAYERS: dict[type, type] = {}


def runs(cell_class):
    """Decorator that registers the layer class that runs cells of exactly this class."""

    def decorate(layer_class):
        layer_class.cell_class = cell_class
        _LAYERS[cell_class] = layer_class
        return keras.saving.register_keras_serializable(package="lstm_zoo")(layer_class)

    return decorate


def layer_class_of(cell_class):
    """The layer class registered for a cell class, or None."""
    return _LAYERS.get(cell_class)


def check_cudnn(layer, what):
    """Check the argument `use_cudnn` of a layer, and keep XLA away from cuDNN's kernel.

    Args:
        layer: a layer with `use_cudnn`.
        what: the layer that cuDNN supports, in words.
    """
    if layer.use_cudnn not in ("auto", True, False):
        raise ValueError(f'use_cudnn must be "auto", True or False, got {layer.use_cudnn!r}')
    if layer.use_cudnn is True and not cudnn.suits(layer):
        raise ValueError(
            f"use_cudnn=True needs the {what} with tanh, sigmoid and a bias, without "
            'unroll, recurrent_dropout and implementation=1; use_cudnn="auto" uses another '
            "engine if cuDNN cannot run the layer"
        )
    if layer.use_cudnn and cudnn.suits(layer) and sees_a_gpu():
        layer.supports_jit = False  # XLA cannot compile cuDNN's kernel


@runs(LSTMCell)
class LSTM(LearnsInitialState, keras.layers.LSTM):
    """A long short-term memory layer: a faster drop-in for `keras.layers.LSTM`.

    It takes the same arguments and computes the same numbers. `set_weights` moves weights both
    ways, and `isinstance(layer, keras.layers.LSTM)` holds. Only the inside differs: the cell is
    `lstm_zoo.LSTMCell`, whose code reads like the equations.

    On a CPU a native operation runs the layer. On a GPU cuDNN runs it whenever Keras would use
    cuDNN, except for masked input with `use_cudnn="auto"`, because cuDNN raises an error for a
    sequence that is masked throughout (tensorflow/tensorflow issues 36139 and 43103).
    `lstm_zoo.explain(layer)` names the engine.

    In `mixed_bfloat16` and `mixed_float16`, the layer rounds inputs, weights and outputs, but keeps
    the states float32 between steps (except on a GPU), so that a cell state can sum over thousands
    of steps.

    For a variant, subclass `LSTM` and set `cell_class`; list the cell's further keyword arguments
    in `cell_arguments`, as `PeepholeLSTM` does.

    Args:
        units: size of the hidden state and of the cell state, a positive integer.
        activation, recurrent_activation, use_bias: as in `lstm_zoo.LSTMCell`.
        kernel_initializer, recurrent_initializer, bias_initializer: as in `lstm_zoo.LSTMCell`.
        unit_forget_bias, forget_bias: as in `lstm_zoo.LSTMCell`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: as in `lstm_zoo.LSTMCell`.
        kernel_constraint, recurrent_constraint, bias_constraint: as in `lstm_zoo.LSTMCell`.
        dropout, recurrent_dropout, seed: as in `lstm_zoo.LSTMCell`.
        activity_regularizer: regularizer of the layer's output.
        return_sequences: whether to return the hidden state of every step or only of the last.
        return_state: whether to return the last hidden state and cell state too.
        go_backwards: whether to read the sequence from its end; the output is then reversed too.
        stateful: whether each batch starts from the last states of the previous batch, in
            `predict`, `evaluate` and `fit` too, on every Keras backend.
        unroll: whether to unroll the loop, which costs memory and compile time.
        use_cudnn: "auto", True or False, as in Keras.
        recompute: whether training stores the states of every sqrt(timesteps)-th step only and
            recomputes the others, which saves memory for about a third more time (Chen et al.
            2016).
        learned_initial_state: whether the states before the first step are weights that training
            learns, starting from zero; not for a stateful layer.
        **kwargs: `name`, `dtype`, `trainable`, `zero_output_for_mask`, as in Keras, and the
            arguments in `cell_arguments`.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: `[h, c]`, each `(batch, units)`; zeros if None.
        mask: `(batch, timesteps)` of booleans. A masked step keeps the states, and its output
            repeats the previous output (zeros at the start).
        training: whether dropout is on.

    Returns:
        `(batch, units)`, or `(batch, timesteps, units)` with `return_sequences`; with
        `return_state`, a tuple of this output, `h` and `c`.

    Raises:
        ValueError: if an argument or the rank of `sequences` is wrong, or if `dtype` is float64 on
            JAX or PyTorch, because Keras computes in float32 there.

    Example:
        >>> layer = LSTM(8, return_sequences=True)
        >>> tuple(layer(keras.ops.ones((2, 5, 3))).shape)
        (2, 5, 8)
    """

    cell_class: type
    cell_arguments: tuple[str, ...] = ("implementation",)
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
        unit_forget_bias=True,
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
        use_cudnn: bool | str = "auto",
        forget_bias: float = 1.0,
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
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            forget_bias=forget_bias,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="lstm_cell",
            **{name: kwargs.pop(name) for name in self.cell_arguments if name in kwargs},
        )
        # keras.layers.LSTM would create its own cell here; its parent class accepts ours.
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
        # Bidirectional may call a fused kernel instead of inner_loop; it knows only the plain cell.
        self.use_cudnn = use_cudnn
        self.recompute = recompute
        self._set_initial_state(learned_initial_state)
        check_cudnn(self, "plain LSTM")
        if type(cell) is not LSTMCell:
            self.use_cudnn = False

    def inner_loop(self, sequences, initial_state, mask, training=False):
        return run_layer(self, sequences, initial_state, mask, training)

    def get_config(self):
        of_cell = self.cell.get_config()
        config = {name: of_cell[name] for name in ("forget_bias", *self.cell_arguments)}
        config |= {"use_cudnn": self.use_cudnn, "recompute": self.recompute}
        return {**super().get_config(), **config}
