"""Runs a model one step at a time, with the same outputs as on the whole sequence."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_zoo import checks
from lstm_zoo.serving.compiled import Compiled
from lstm_zoo.serving.inputs import refuse
from lstm_zoo.serving.predictor import Native, Predictor, runner_of

if TYPE_CHECKING:
    import keras


class Stream:
    """A model that reads one step at a time; `lz.stream` returns it.

    It holds a copy of the weights, and the states of its sequences: calls from several threads wait
    for each other.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_tagger((None, 2), 3, bidirectional=False, lstm_units=4)
        >>> reader = lz.stream(model)
        >>> reader.step([[0.5, 1.0]]).shape
        (1, 3)
    """

    def __init__(self, model: keras.Model | Predictor, batch_size: int = 1):
        self.batch_size = checks.count("batch_size", batch_size)
        self._name, self._runner = _steps_of(model)
        inputs = self._runner.plan.inputs
        self._wanted, self._states = inputs[0], inputs[1:]
        self._shape = (self.batch_size, *self._wanted.shape)
        self._lock = threading.Lock()
        steps = _InC if isinstance(self._runner, Native) else _InGraph
        self._steps = steps(self._runner, self.batch_size)

    def __reduce__(self):
        raise ValueError(
            "a stream can't be pickled: keep reader.state, and make a stream of a pickled predictor"
        )

    def __repr__(self) -> str:
        return (
            f"Stream({self._name!r}, batch_size={self.batch_size}: step shape "
            f"{self._wanted.shape}, {len(self._states)} states, {self._runner.what})"
        )

    def in_words(self) -> str:
        """What answers each step; `lz.explain` asks it."""
        return self._runner.in_words()

    def step(self, x: npt.ArrayLike) -> np.ndarray:
        """Read one step.

        Args:
            x: `(batch_size, features)`, or also `(features,)` if `batch_size` is 1; tokens
                `(batch_size,)` for a model with an embedding.

        Returns:
            The model's output at this step, `(batch_size, ...)`. A model with one output per
            sequence returns its output for the sequence so far.

        Raises:
            ValueError: if `x` has another shape or is not finite, or tokens are not integers or not
                known. The states are then as they were before.
        """
        if type(x) is not np.ndarray or x.shape != self._shape or x.dtype != np.float32:
            x = self._fitted(x)
        with self._lock:
            return self._steps.step(x)

    def _fitted(self, x):
        x, wanted = checks.array("x", x), self._wanted
        if x.dtype.kind not in "biuf" or wanted.dtype != "float32":
            checks.finite("x", x)
        if x.dtype.kind == "f" and "int" in wanted.dtype and (x != np.round(x)).any():
            raise ValueError(f"x must hold integer tokens, got {x.ravel()[:3].tolist()}")
        if self.batch_size == 1 and x.shape == wanted.shape:
            x = x[None]
        checks.shape("x", x.shape, self._shape)
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            return x.astype(wanted.dtype)

    def reset(self, rows: npt.ArrayLike | None = None) -> None:
        """Clear the states: the next step is the first of a new sequence.

        Args:
            rows: the sequences whose states are cleared, as NumPy indexes the batch: one number, a
                list of them or a mask; None for all.

        Example:
            >>> import lstm_zoo as lz
            >>> reader = lz.stream(lz.build_regressor((None, 2), lstm_units=4), batch_size=3)
            >>> reader.reset([0, 2])
        """
        with self._lock:
            states = self._steps.states()
            for state in states:
                state[slice(None) if rows is None else rows] = 0
            self._steps.set_states(states)

    @property
    def state(self) -> list[np.ndarray]:
        """The states carried from step to step, copies of `(batch_size, width)` arrays; assign them
        to continue from there."""
        with self._lock:
            return self._steps.states()

    @state.setter
    def state(self, values):
        if len(values) != len(self._states):
            raise ValueError(f"state must hold {len(self._states)} arrays, got {len(values)}")
        for value, state in zip(values, self._states):
            checks.shape("state", np.shape(value), (self.batch_size, *state.shape))
            checks.finite("state", value)
        with self._lock:
            self._steps.set_states(values)


class _InC:
    """Steps run by the C code, on arrays that are made once."""

    def __init__(self, runner, batch_size):
        plan = runner.plan
        self._compiled = compiled = Compiled(plan, checked=1)
        arrays = [np.zeros((batch_size, *one.shape), one.dtype) for one in plan.inputs]
        self._x, *self._now = arrays
        self._sizes = compiled.sizes(arrays)
        self._y, *self._next = compiled.results(batch_size, self._sizes)
        pointers = ctypes.c_void_p * len(arrays)
        one, other = (
            pointers(*(array.ctypes.data for array in (first, *states)))
            for first, states in ((self._x, self._now), (self._y, self._next))
        )
        # Of two turns, one reads the states that the other has written.
        back = pointers(self._x.ctypes.data, *other[1:]), pointers(self._y.ctypes.data, *one[1:])
        address, sizes = compiled.address, self._sizes.ctypes.data
        self._turns = [
            (address, batch_size, sizes, given, taken) for given, taken in ((one, other), back)
        ]
        self._run = compiled.function

    def step(self, x):
        self._x[...] = x
        problem = self._run(*self._turns[0])
        if problem:
            refuse(problem % 8, self._compiled.plan, problem // 8, [self._x], "x", x)
        self._turns.reverse()
        self._now, self._next = self._next, self._now
        return self._y.copy()

    def states(self):
        return [state.copy() for state in self._now]

    def set_states(self, values):
        for state, value in zip(self._now, values):
            state[...] = value


class _InGraph:
    """Steps run by a graph of the model that takes one step and its states."""

    def __init__(self, runner, batch_size):
        self._runner = runner
        self._now = [
            np.zeros((batch_size, *one.shape), one.dtype) for one in runner.plan.inputs[1:]
        ]

    def step(self, x):
        checks.finite("x", x)
        x = np.asarray(x, self._runner.plan.inputs[0].dtype)
        y, *self._now = self._runner.run([x, *self._now])
        return y

    def states(self):
        return [state.copy() for state in self._now]

    def set_states(self, values):
        self._now = [np.array(value, state.dtype) for value, state in zip(values, self._now)]


def _steps_of(model):
    """The name of a model, and what runs it step by step."""
    if isinstance(model, Predictor):
        return model.name, model.steps()
    from lstm_zoo.layers.stepping import step_model

    return checks.model("model", model).name, runner_of(step_model(model))


def stream(model: keras.Model | Predictor, batch_size: int = 1) -> Stream:
    """Run a model one step at a time, with the same outputs as on the whole sequence.

    Args:
        model: a model with one input, in which no layer needs later steps. Models from
            `build_classifier`, `build_regressor`, `build_forecaster`, `build_tagger` and
            `build_language_model` qualify with any cell, without `bidirectional`; so do your own
            models with such layers. Its weights are copied. Or a `Predictor`, also one from a file.
        batch_size: number of sequences to read in parallel.

    Returns:
        A `Stream` with `step(x_t)`, `reset()`, and `state`, which you can store and set.
        `lz.explain` of it says whether C code runs the steps, or Keras.

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
