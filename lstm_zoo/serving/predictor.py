"""A trained model as a plain function from arrays to arrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lstm_zoo import checks
from lstm_zoo.serving import plan as plans
from lstm_zoo.serving.compiled import WHY_NOT, Compiled
from lstm_zoo.serving.inputs import arrays_of, nested, refuse
from lstm_zoo.serving.validation import check

if TYPE_CHECKING:
    import keras


class Predictor:
    """A trained model as a function.

    `lz.predictor(model)` makes one from a model, `lz.load_predictor(path)` from a file.

    It holds a copy of the weights. Several threads may call it at once.

    Example:
        >>> import numpy as np
        >>> import lstm_zoo as lz
        >>> model = lz.build_classifier((None, 2), 3, lstm_units=4)
        >>> answer = lz.predictor(model)
        >>> answer(np.zeros((5, 7, 2))).shape
        (5, 3)
    """

    def __init__(self, runner, model=None, steps=None, variable_dtype="float32"):
        self._runner, self._model, self._steps = runner, model, steps
        self._variable_dtype = variable_dtype

    @property
    def name(self) -> str:
        """That of the model."""
        return self._runner.name

    def __call__(self, x: Any) -> Any:
        """What `model.predict(x)` gives.

        Args:
            x: what the model takes: an array `(batch, timesteps, features)`, or `(batch,
                timesteps)` of tokens; for several inputs a dict or list as the model was made with.

        Returns:
            float32 arrays; several are nested as the model's outputs, in dicts and lists.

        Raises:
            ValueError: if an array has another shape than the model takes, is empty or not finite,
                or if a token is not among those that the model knows.
        """
        return self._runner(x)

    def __repr__(self) -> str:
        return f"Predictor({self._runner.name!r}, {self._runner.what})"

    def in_words(self) -> str:
        """What answers calls, and why not the C code where that does not; `lz.explain` asks it."""
        return self._runner.in_words()

    def refresh(self) -> None:
        """Take over the model's weights as they are now.

        Raises:
            ValueError: if the predictor comes from a file.
        """
        if self._model is None:
            raise ValueError("refresh needs the model; this predictor was loaded from a file")
        self._runner = runner_of(self._model, self._variable_dtype)

    def save(self, path: str | os.PathLike) -> None:
        """Write a file that `lz.load_predictor` opens without TensorFlow or Keras.

        Args:
            path: of the file.

        Raises:
            ValueError: if the model needs TensorFlow, naming the layer.
        """
        if not isinstance(self._runner, Native):
            raise ValueError(f"path can't be written: {self._runner.in_words()}")
        steps = self._steps_in_c()
        written = {"whole": self._runner.plan} | ({"steps": steps.plan} if steps else {})
        plans.save(written, path)

    def _steps_in_c(self):
        """What runs the model step by step in C; else None, and the plan says why."""
        try:
            steps = self.steps()
        except ValueError as problem:  # no model to read step by step; `lz.stream` then says why
            self._runner.plan.no_steps = str(problem)
            return None
        return steps if isinstance(steps, Native) else None

    def __reduce__(self):
        if not isinstance(self._runner, Native):
            raise ValueError(f"a predictor can't be pickled: {self._runner.in_words()}")
        return Predictor, (self._runner, None, self._steps_in_c())

    def steps(self):
        """What runs the model step by step, for `lz.stream`.

        Raises:
            ValueError: if a layer needs later steps, naming it.
        """
        if self._model is None:
            if self._steps is None:
                raise ValueError(self._runner.plan.no_steps)
            return self._steps
        from lstm_zoo.layers.stepping import step_model

        return runner_of(step_model(self._model), self._variable_dtype)


class Native:
    """Calls answered by the C code."""

    what = "run in C"

    def __init__(self, plan):
        self.plan, self.name = plan, plan.name
        self._compiled = Compiled(plan)

    def __reduce__(self):
        return Native, (self.plan,)

    def in_words(self):
        return f"{self.name} runs in the C code of lstm_zoo, without TensorFlow."

    def __call__(self, x):
        plan, compiled = self.plan, self._compiled
        arrays = arrays_of(plan, x)
        rows, sizes = arrays[0].shape[0], compiled.sizes(arrays)
        if sizes.min() < 1:
            raise ValueError(f"x must have more timesteps, at least {1 - sizes.min()} more")
        for one, other in plan.alike:
            if sizes[one] != sizes[other]:
                raise ValueError(
                    f"inputs must have equal timesteps, got {sizes[one]} and {sizes[other]}"
                )
        results = compiled.results(rows, sizes)
        problem, number = compiled.run(rows, sizes, arrays, results)
        if problem:
            refuse(problem, plan, number, arrays)
        return nested(plan.gives, results)


def runner_of(model, variable_dtype="float32"):
    """What answers for a model: the C code, or a graph that says why the C code does not."""
    from lstm_zoo.serving.graph import Graph
    from lstm_zoo.serving.tracing import Unserved, plan_of

    try:
        if WHY_NOT is not None:
            raise Unserved(f"the C code of lstm_zoo can't be used: {WHY_NOT}")
        return Native(plan_of(model, variable_dtype == "bfloat16"))
    except Unserved as problem:
        if variable_dtype != "float32":
            raise ValueError(
                f"variable_dtype must be 'float32', because the C code can't run {model.name!r}: "
                f"{problem}"
            ) from None
        return Graph(model, str(problem))


def predictor(model: keras.Model, *, variable_dtype: str = "float32") -> Predictor:
    """A trained model as a plain function from arrays to arrays, fast for one row and for many.

    The answers are those of `model.predict`, to rounding. The recurrent layers and all layers that
    the builders use run in C, with one call for the whole model. A model with any other layer is
    run by one graph of TensorFlow; `lz.explain` of the predictor says which layer that is.

    Args:
        model: a `keras.Model` made of `keras.Input`, or a `keras.Sequential` that is built. Its
            weights are copied: `refresh()` takes over those that training has changed since.
        variable_dtype: "float32", or "bfloat16" to round the kernels of the recurrent layers to
            bfloat16. They take half the memory; all sums are in float32. `docs/serving.md` says
            what that costs and gains.

    Returns:
        A `Predictor`: call it; `save(path)` writes a file for `lz.load_predictor`.

    Raises:
        ValueError: if `model` is no such model, or carries states from call to call (`lz.stream`
            is for that), or if `variable_dtype` is "bfloat16" and the C code can't run the model.

    Example:
        >>> import numpy as np
        >>> import lstm_zoo as lz
        >>> model = lz.build_regressor((None, 2), lstm_units=4)
        >>> x = np.random.default_rng(0).normal(size=(3, 9, 2))
        >>> np.allclose(predictor(model)(x), model.predict(x, verbose=0), atol=1e-5)
        True
    """
    from lstm_zoo.serving.tracing import refuse_states

    refuse_states(checks.model("model", model, built=True))
    checks.one_of("variable_dtype", variable_dtype, ("float32", "bfloat16"))
    return Predictor(runner_of(model, variable_dtype), model, variable_dtype=variable_dtype)


def load_predictor(path: str | os.PathLike) -> Predictor:
    """Open a file that `Predictor.save` wrote; NumPy is all it needs.

    Args:
        path: of the file.

    Returns:
        A `Predictor` that answers as the one that was saved.

    Raises:
        ValueError: if `path` is no such file, or this machine has no C code of lstm_zoo.
        FileNotFoundError: if there is none.

    Example:
        >>> import lstm_zoo as lz, numpy as np, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
        >>> lz.predictor(lz.build_classifier((None, 2), 3, lstm_units=4)).save(path)
        >>> lz.load_predictor(path)(np.zeros((1, 5, 2))).shape
        (1, 3)
    """
    found = plans.load(checks.path("path", path))
    try:
        for plan in found.values():
            check(plan)
        whole, steps = found["whole"], found.get("steps")
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as problem:
        raise ValueError(f"path must be a file of Predictor.save, {problem}") from problem
    return Predictor(Native(whole), steps=Native(steps) if steps else None)
