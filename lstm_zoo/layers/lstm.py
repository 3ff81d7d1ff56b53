"""`LSTM`, which takes the place of `keras.layers.LSTM`."""

import keras

from lstm_zoo.backend import sees_a_gpu
from lstm_zoo.cells.lstm import LSTMCell
from lstm_zoo.layers.base import run_layer
from lstm_zoo.layers.states import LearnsInitialState
from lstm_zoo.recurrence.engines import cudnn

_LAYERS: dict[type, type] = {}


def runs(cell_class):
    """Make the decorated layer class the one that runs cells of exactly this class."""

    def decorate(layer_class):
        layer_class.cell_class = cell_class
        _LAYERS[cell_class] = layer_class
        return keras.saving.register_keras_serializable(package="lstm_zoo")(layer_class)

    return decorate


def layer_class_of(cell_class):
    """The layer class that was made for a cell class, or None."""
    return _LAYERS.get(cell_class)


@runs(LSTMCell)
class LSTM(LearnsInitialState, keras.layers.LSTM):
    """A long short-term memory layer, to be used wherever `keras.layers.LSTM` is.

    The same arguments with the same meaning, the same numbers, weights that move both ways with
    `set_weights`, and `isinstance(layer, keras.layers.LSTM)` holds. What differs is inside: the
    cell is `lstm_zoo.LSTMCell`, which reads like its equations.

    On a CPU a native operation runs it, on a GPU cuDNN where Keras would send it, unless it is
    masked and `use_cudnn` is "auto": cuDNN stops the run at a row that is masked whole
    (tensorflow/tensorflow issues 36139 and 43103). `lstm_zoo.explain(layer)` says which.

    In `mixed_bfloat16` and `mixed_float16` inputs, weights and outputs are rounded, and all between
    two steps is float32 (not so on a GPU), so that a cell state can sum over thousands of steps.

    For a variant, subclass and set `cell_class`, and `cell_arguments` to the names of the keyword
    arguments that the cell has beyond those below, as `PeepholeLSTM` does.

    Args:
        units: size of the hidden state and of the cell state, a positive whole number.
        activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
        bias_initializer, unit_forget_bias, kernel_regularizer, recurrent_regularizer,
        bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout,
        recurrent_dropout, seed, forget_bias: those of `lstm_zoo.LSTMCell`.
        activity_regularizer: of the layer's output.
        return_sequences: whether to return the hidden state of every step or of the last only.
        return_state: whether to return the last hidden state and cell state too.
        go_backwards: whether to read the sequence from its end; the output is then reversed too.
        stateful: whether the last states of a batch are the first states of the next, in `predict`,
            `evaluate` and `fit` too, on every backend of Keras.
        unroll: whether to write the loop out, which costs memory and compile time.
        use_cudnn: "auto", True or False, as in Keras.
        recompute: whether training keeps the states at every square-root-of-timesteps-th step only
            and computes those between again, for about a third more time (Chen et al. 2016).
        learned_initial_state: whether the states before the first step are weights, which start at
            zero; not for a stateful layer.
        **kwargs: `name`, `dtype`, `trainable`, `zero_output_for_mask`, as in Keras, and what
            `cell_arguments` lists.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        initial_state: `[h, c]`, each `(batch, units)`; zeros if None.
        mask: `(batch, timesteps)` of booleans; at a masked step the states stay as they were and
            the output repeats the one before, which is zeros at the start.
        training: whether dropout is on.

    Returns:
        `(batch, units)`, or `(batch, timesteps, units)` with `return_sequences`; with
        `return_state` a tuple of that, `h` and `c`.

    Raises:
        ValueError: if an argument or the rank of `sequences` is wrong, or if `dtype` is float64 on
            JAX or PyTorch, where Keras computes in float32.

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
        if use_cudnn not in ("auto", True, False):
            raise ValueError(f'use_cudnn must be "auto", True or False, got {use_cudnn!r}')
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
        # keras.layers.LSTM would make a cell of its own here; its parent takes ours.
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
        # A fused kernel, which Bidirectional may call past inner_loop, knows the plain cell only.
        self.use_cudnn = use_cudnn if type(cell) is LSTMCell else False
        self.recompute = recompute
        self._set_initial_state(learned_initial_state)
        if use_cudnn is True and not cudnn.suits(self):
            raise ValueError(
                "use_cudnn=True needs the plain LSTM with tanh, sigmoid and a bias, without "
                'unroll, recurrent_dropout and implementation=1; pass use_cudnn="auto" to fall '
                "back where cuDNN cannot serve"
            )
        if self.use_cudnn and cudnn.suits(self) and sees_a_gpu():
            self.supports_jit = False  # XLA cannot compile cuDNN's kernel

    def inner_loop(self, sequences, initial_state, mask, training=False):
        return run_layer(self, sequences, initial_state, mask, training)

    def get_config(self):
        of_cell = self.cell.get_config()
        config = {name: of_cell[name] for name in ("forget_bias", *self.cell_arguments)}
        config |= {"use_cudnn": self.use_cudnn, "recompute": self.recompute}
        return {**super().get_config(), **config}
