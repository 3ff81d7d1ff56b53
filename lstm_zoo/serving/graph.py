"""Calls answered by one traced graph, for models that the C code can't run."""

import keras

from lstm_zoo import checks
from lstm_zoo.backend import tf
from lstm_zoo.serving.inputs import arrays_of, nested
from lstm_zoo.serving.plan import Input, Plan
from lstm_zoo.serving.tracing import nesting


class Graph:
    """A model that Keras runs, by what its `predict` does with a batch, on a copy of its weights.

    Args:
        model: a `keras.Model`.
        why: why the C code can't run it.
    """

    what = "run by Keras"

    def __init__(self, model, why):
        self.name, self._why, self._model = model.name, why, model
        takes, _ = nesting(model)
        any_rows = any(one.shape[0] is None for one in model.inputs)
        inputs = [
            Input(
                one.name,
                tuple(one.shape[1:]),
                keras.backend.standardize_dtype(one.dtype),
                k,
                one.shape[0] if any_rows else None,
            )
            for k, one in enumerate(model.inputs)
        ]
        self.plan = Plan(self.name, inputs=inputs, takes=takes)
        self._weights = [
            (variable, keras.ops.copy(keras.ops.convert_to_tensor(variable)))
            for variable in model.variables
        ]
        options = {"autograph": False, "reduce_retracing": True}
        self._step = tf.function(self._run, **options) if tf else self._run

    def in_words(self):
        """What answers calls, and why the C code does not."""
        return f"{self.name} is run by Keras, in one graph. Not in C: {self._why}."

    def _run(self, *arrays):
        with keras.StatelessScope(self._weights):
            given = nested(self.plan.takes, arrays)
            return self._model.predict_step((given,))

    def __call__(self, x):
        arrays = arrays_of(self.plan, x)
        for one, array in zip(self.plan.inputs, arrays):
            if one.dtype.startswith("float"):
                checks.finite(one.name, array)
        answers = self._step(*map(keras.ops.convert_to_tensor, arrays))
        return keras.tree.map_structure(keras.ops.convert_to_numpy, answers)

    def run(self, arrays):
        """The outputs in order, for arrays of the right types."""
        answers = self._step(*map(keras.ops.convert_to_tensor, arrays))
        return [keras.ops.convert_to_numpy(one) for one in keras.tree.flatten(answers)]
