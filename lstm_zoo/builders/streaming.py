"""A model run one step at a time, with the numbers that it has on the whole sequence."""

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import tf
from lstm_zoo.layers.stepping import step_model


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
        self._name, self._model = checks.model("model", model).name, step_model(model)
        self._states: list = []
        self._call = tf.function(self._run, autograph=False) if tf else self._run
        self.reset()

    def __repr__(self) -> str:
        step, *states = (tuple(one.shape[1:]) for one in self._model.inputs)
        return (
            f"Stream({self._name!r}, {self.batch_size} side by side: a step {step}, "
            f"{len(states)} states)"
        )

    def _run(self, *inputs):
        return self._model(list(inputs), training=False)

    def step(self, x: npt.ArrayLike) -> np.ndarray:
        """Read one step.

        Args:
            x: `(batch_size, features)`; `(features,)` too where `batch_size` is 1; `(batch_size,)`
                tokens for a model that embeds.

        Returns:
            What the model gives at this step, `(batch_size, ...)`: for a model that gives one
            answer a sequence, that for the sequence so far.

        Raises:
            ValueError: if `x` is of another shape or not finite, or its tokens are not whole.
        """
        x, wanted = checks.finite("x", x), self._model.inputs[0]
        if x.dtype.kind == "f" and "int" in wanted.dtype and (x != np.round(x)).any():
            raise ValueError(f"x must be tokens, whole numbers, got {x.ravel()[:3].tolist()}")
        if self.batch_size == 1 and x.shape == wanted.shape[1:]:
            x = x[None]
        checks.shape("x", x.shape, (self.batch_size, *wanted.shape[1:]))
        y, *self._states = self._call(ops.convert_to_tensor(x, wanted.dtype), *self._states)
        return ops.convert_to_numpy(y)

    def reset(self) -> None:
        """Forget what was read: the next step is a sequence's first."""
        self._states = [
            ops.zeros((self.batch_size, *state.shape[1:]), state.dtype)
            for state in self._model.inputs[1:]
        ]

    @property
    def state(self) -> list[np.ndarray]:
        """All that is carried from step to step, as arrays; set it to go on from there."""
        return [ops.convert_to_numpy(state) for state in self._states]

    @state.setter
    def state(self, values):
        if len(values) != len(self._states):
            raise ValueError(f"state must hold {len(self._states)} arrays, got {len(values)}")
        for value, now in zip(values, self._states):
            checks.shape("state", np.shape(value), tuple(now.shape))
        self._states = [ops.convert_to_tensor(v, s.dtype) for v, s in zip(values, self._states)]


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
