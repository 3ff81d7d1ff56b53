"""A model run one step at a time, with the numbers that it has on the whole sequence."""

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import tf
from lstm_zoo.layers import CRF, AttentionOverTime, MaxOverTime, MeanOverTime

# What does to each step the same, whatever the others are.
STEPWISE = (
    keras.layers.InputLayer,
    keras.layers.Masking,
    keras.layers.Embedding,
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.GaussianNoise,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.Softmax,
    keras.layers.Normalization,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Rescaling,
    keras.layers.TimeDistributed,
    keras.layers.Concatenate,
    keras.layers.Add,
    keras.layers.Multiply,
    keras.layers.Identity,
    CRF,
)
# Operations of `keras.ops` that layers put into a model's graph to make masks.
OF_MASKS = ("NotEqual", "Equal", "Any", "LogicalAnd", "LogicalOr")


class Stream:
    """A model that reads one step at a time; `lz.stream` makes it.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_tagger((None, 2), 3, bidirectional=False, lstm_units=4)
        >>> reader = lz.stream(model)
        >>> reader.step([[0.5, 1.0]]).shape
        (1, 3)
    """

    def __init__(self, model: keras.Model, batch_size: int = 1):
        self.batch_size = checks.count("batch_size", batch_size)
        shape, dtype = _input_of(model)
        self._features = shape[2:]
        one_step = keras.Input(
            batch_shape=(self.batch_size, 1, *self._features), dtype=dtype, name="step"
        )
        self._keepers: list[_Keeper] = []
        self._model = keras.models.clone_model(
            model, input_tensors=one_step, clone_function=self._one_step_of
        )
        outputs = self._model.output
        if isinstance(outputs, (list, tuple, dict)):
            raise ValueError(f"model must have one output, got {len(outputs)}")
        self._every_step = (
            len(outputs.shape) == 3
            and outputs.shape[1] == 1
            and (len(model.output_shape) == 3 and model.output_shape[1] == shape[1])
        )
        self._call = tf.function(self._run, autograph=False) if tf else self._run

    def _run(self, x):
        return self._model(x, training=False)

    def _one_step_of(self, layer):
        kind = type(layer)
        if isinstance(layer, keras.layers.Bidirectional):
            raise ValueError(
                f"layer {layer.name!r} must not be bidirectional: it needs the end of the sequence "
                "for its first step"
            )
        if isinstance(layer, keras.layers.RNN):
            if layer.go_backwards:
                raise ValueError(f"layer {layer.name!r} must not go backwards")
            keeper = _Recurrence(layer, self.batch_size)
        elif kind in _POOLINGS:
            keeper = _POOLINGS[kind](layer, self.batch_size)
        elif isinstance(layer, keras.layers.Reshape):
            return layer if self._is_over_pooled(layer) else _refuse(layer)
        elif isinstance(layer, STEPWISE) or kind.__name__ in OF_MASKS:
            return layer
        else:
            return _refuse(layer)
        self._keepers.append(keeper)
        return keeper

    @staticmethod
    def _is_over_pooled(layer):
        return len(layer.input.shape) == 2

    def step(self, x: npt.ArrayLike) -> np.ndarray:
        """Read one step.

        Args:
            x: `(batch_size, features)`; `(features,)` too where `batch_size` is 1; `(batch_size,)`
                tokens for a model that embeds.

        Returns:
            What the model gives at this step, `(batch_size, ...)`: for a model that gives one
            answer a sequence, that for the sequence so far.

        Raises:
            ValueError: if `x` is of another shape.
        """
        x = np.asarray(x)
        wanted = (self.batch_size, *self._features)
        if self.batch_size == 1 and x.shape == self._features:
            x = x[None]
        checks.shape("x", x.shape, wanted)
        y = ops.convert_to_numpy(self._call(ops.convert_to_tensor(x[:, None])))
        return y[:, 0] if self._every_step else y

    def reset(self) -> None:
        """Forget what was read: the next step is a sequence's first."""
        for keeper in self._keepers:
            keeper.reset()

    @property
    def state(self) -> list[np.ndarray]:
        """All that is carried from step to step, as arrays; set it to go on from there."""
        return [ops.convert_to_numpy(v) for keeper in self._keepers for v in keeper.kept]

    @state.setter
    def state(self, values):
        kept = [v for keeper in self._keepers for v in keeper.kept]
        if len(values) != len(kept):
            raise ValueError(f"state must hold {len(kept)} arrays, got {len(values)}")
        for variable, value in zip(kept, values):
            checks.shape("state", np.shape(value), tuple(variable.shape))
            variable.assign(value)


def stream(model: keras.Model, batch_size: int = 1) -> Stream:
    """A model that reads one step at a time, with the numbers it has on the whole sequence.

    Args:
        model: a model of sequences with one input, none of whose layers needs a later step: of
            `build_classifier`, `build_regressor`, `build_forecaster`, `build_tagger` or
            `build_language_model` without `bidirectional`, with any cell; or your own of like
            layers. It shares the weights of the stream.
        batch_size: how many sequences are read side by side.

    Returns:
        A `Stream`: `step(x_t)`, `reset()`, and `state` to keep and to set.

    Raises:
        ValueError: naming the layer that needs more than the steps so far.

    Example:
        >>> import numpy as np
        >>> import lstm_zoo as lz
        >>> model = lz.build_classifier((None, 2), 3, lstm_units=4, pooling="mean")
        >>> x = np.random.default_rng(0).normal(size=(1, 9, 2)).astype("float32")
        >>> reader = stream(model)
        >>> answers = [reader.step(x[:, t]) for t in range(9)]
        >>> np.allclose(answers[-1], model.predict(x, verbose=0), atol=1e-6)
        True
    """
    return Stream(model, batch_size)


def _input_of(model):
    inputs = getattr(model, "inputs", None)
    if not inputs or len(inputs) != 1 or len(inputs[0].shape) not in (2, 3):
        raise ValueError(
            "model must have one input, (batch, timesteps, features) or (batch, timesteps), "
            f"got {[tuple(i.shape) for i in inputs or []]}"
        )
    return tuple(inputs[0].shape), inputs[0].dtype


def _refuse(layer):
    raise ValueError(
        f"layer {layer.name!r} ({type(layer).__name__}) can't be run step by step: it needs more "
        "than the steps so far, or is unknown"
    )


class _Keeper(keras.layers.Layer):
    """One step of a layer, which keeps what it needs of the steps before."""

    def __init__(self, layer, batch_size):
        super().__init__(name=layer.name, dtype=layer.dtype_policy, trainable=False)
        self.of = layer
        self.batch_size = batch_size
        self.supports_masking = True
        self.kept: list[keras.Variable] = []
        self.at_first: list = []

    def keep(self, value):
        """Keep a value from step to step; this one stands before the first."""
        value = ops.convert_to_numpy(value)
        self.at_first.append(value)
        variable = self.add_weight(
            shape=value.shape,
            dtype=str(value.dtype),
            initializer=keras.initializers.Constant(0),
            trainable=False,
        )
        variable.assign(value)
        self.kept.append(variable)

    def reset(self):
        for variable, value in zip(self.kept, self.at_first):
            variable.assign(value)

    def renew(self, new, mask):
        """Keep new values in the rows whose step counts; those that are kept now."""
        if mask is not None:
            counts = ops.cast(mask, "bool")  # (batch, 1)
            new = [
                ops.where(ops.reshape(counts, (-1, *[1] * (len(v.shape) - 1))), n, v)
                for n, v in zip(new, self.kept)
            ]
        for variable, value in zip(self.kept, new):
            variable.assign(ops.cast(value, variable.dtype))
        return new


class _Recurrence(_Keeper):
    def build(self, input_shape):
        states = self.of.get_initial_state(self.batch_size)
        self.packed = states
        width = self.of.cell.output_size
        self.keep(np.zeros((self.batch_size, width), self.of.compute_dtype))  # the last output
        for state in keras.tree.flatten(states):
            self.keep(state)
        self.built = True

    def compute_mask(self, sequence, mask=None):
        return mask if self.of.return_sequences else None

    def call(self, sequence, mask=None):
        x = ops.cast(sequence[:, 0], self.of.compute_dtype)
        before = keras.tree.pack_sequence_as(self.packed, [ops.copy(v) for v in self.kept[1:]])
        y, after = self.of.cell(x, before, training=False)
        y, *_ = self.renew([y, *keras.tree.flatten(after)], mask)
        return y[:, None] if self.of.return_sequences else y


class _Mean(_Keeper):
    def build(self, input_shape):
        self.keep(np.zeros((self.batch_size, input_shape[-1]), "float32"))
        self.keep(np.zeros((self.batch_size, 1), "float32"))
        self.built = True

    def compute_mask(self, sequence, mask=None):
        return None

    def call(self, sequence, mask=None):
        total, steps = self.kept
        total, steps = self.renew([total + sequence[:, 0], steps + 1], mask)
        return ops.cast(total / ops.maximum(steps, 1), self.compute_dtype)


class _Max(_Mean):
    def call(self, sequence, mask=None):
        largest, steps = self.kept
        x = ops.cast(sequence[:, 0], "float32")
        largest = ops.where(steps > 0, ops.maximum(largest, x), x)
        largest, _ = self.renew([largest, steps + 1], mask)
        return ops.cast(largest, self.compute_dtype)


class _Attention(_Mean):
    """The softmax so far: the weighted sum and the weights' sum, both over exp of the largest."""

    def build(self, input_shape):
        super().build(input_shape)
        self.keep(np.full((self.batch_size, 1), -1e30, "float32"))

    def call(self, sequence, mask=None):
        total, weights, largest = self.kept
        x = sequence[:, 0]
        score = ops.cast(self.of.scores(x), "float32")[:, None]
        new = ops.maximum(largest, score)
        shrink, weight = ops.exp(largest - new), ops.exp(score - new)
        total = total * shrink + weight * ops.cast(x, "float32")
        total, weights, _ = self.renew([total, weights * shrink + weight, new], mask)
        return ops.cast(total / ops.maximum(weights, 1e-30), self.compute_dtype)


_POOLINGS: dict[type, type[_Keeper]] = {
    MeanOverTime: _Mean,
    MaxOverTime: _Max,
    AttentionOverTime: _Attention,
    keras.layers.GlobalAveragePooling1D: _Mean,
    keras.layers.GlobalMaxPooling1D: _Max,
}
