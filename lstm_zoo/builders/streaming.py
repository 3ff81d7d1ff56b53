"""Runs a model one step at a time, with the same outputs as on the whole sequence."""

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import tf
from lstm_zoo.layers.stepping import step_model


class Stream:
    """A model that reads one step at a time; `lz.stream` returns it.

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
            f"Stream({self._name!r}, batch_size={self.batch_size}: step shape {step}, "
            f"{len(states)} states)"
        )

    def _run(self, *inputs):
        return self._model(list(inputs), training=False)

    def step(self, x: npt.ArrayLike) -> np.ndarray:
        """Read one step.

        Args:
            x: `(batch_size, features)`, or also `(features,)` if `batch_size` is 1; tokens
                `(batch_size,)` for a model with an embedding.

        Returns:
            The model's output at this step, `(batch_size, ...)`. A model with one output per
            sequence returns its output for the sequence so far.

        Raises:
            ValueError: if `x` has another shape or is not finite, or tokens are not integers.
        """
        x, wanted = checks.finite("x", x), self._model.inputs[0]
        if x.dtype.kind == "f" and "int" in wanted.dtype and (x != np.round(x)).any():
            raise ValueError(f"x must hold integer tokens, got {x.ravel()[:3].tolist()}")
        if self.batch_size == 1 and x.shape == wanted.shape[1:]:
            x = x[None]
        checks.shape("x", x.shape, (self.batch_size, *wanted.shape[1:]))
        y, *self._states = self._call(ops.convert_to_tensor(x, wanted.dtype), *self._states)
        return ops.convert_to_numpy(y)

    def reset(self) -> None:
        """Forget all steps so far; the next step is the first of a sequence."""
        self._states = [
            ops.zeros((self.batch_size, *state.shape[1:]), state.dtype)
            for state in self._model.inputs[1:]
        ]

    @property
    def state(self) -> list[np.ndarray]:
        """The state after the last step, as a list of arrays; set it to continue from there."""
        return [ops.convert_to_numpy(state) for state in self._states]

    @state.setter
    def state(self, values):
        if len(values) != len(self._states):
            raise ValueError(f"state must hold {len(self._states)} arrays, got {len(values)}")
        for value, now in zip(values, self._states):
            checks.shape("state", np.shape(value), tuple(now.shape))
        self._states = [ops.convert_to_tensor(v, s.dtype) for v, s in zip(values, self._states)]


def stream(model: keras.Model, batch_size: int = 1) -> Stream:
    """Run a model one step at a time, with the same outputs as on the whole sequence.

    Args:
        model: a model with one input, in which no layer needs later steps. Models from
            `build_classifier`, `build_regressor`, `build_forecaster`, `build_tagger` and
            `build_language_model` qualify with any cell, without `bidirectional`; so do your own
            models with such layers. The stream shares the model's weights.
        batch_size: number of sequences to read in parallel.

    Returns:
        A `Stream` with `step(x_t)`, `reset()`, and `state`, which you can store and set.

    Raises:
        ValueError: if a layer needs later steps; the message names the layer.

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
