"""Turns a model of whole sequences into a model that reads one step at a time."""

import collections
import inspect

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import get_keras_mask
from lstm_zoo.layer_tree import run_through
from lstm_zoo.layers.each_step import acts_on_each_step, is_operation
from lstm_zoo.layers.one_step import one_step_class


def step_model(model: keras.Model) -> keras.Model:
    """Convert a model to run one step at a time; it takes and returns its states.

    The output after step t equals the output of `model` for the first t steps. Both models share
    their weights. A masked step does not change the states.

    Args:
        model: a model with one input, `(batch, timesteps, features)` or tokens
            `(batch, timesteps)`. It may contain recurrent layers that read forwards, pooling over
            time, layers that act on each step independently, and any layers after the pooling.

    Returns:
        A `keras.Model` from `[step, *states]`, of shapes `(batch, features)` and `(batch, width)`,
        to `[output, *new_states]`. The states before the first step are zeros, as a stateful
        model's after `reset_states`.

    Raises:
        ValueError: if a layer needs later steps (the message names it), or if the `predict` of the
            model decodes whole sequences, as in a tagger with `crf=True`.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_classifier((None, 3), 2, lstm_units=(8, 4))
        >>> [tuple(state.shape) for state in step_model(model).inputs]
        [(None, 3), (None, 8), (None, 8), (None, 4), (None, 4)]
    """
    inputs = getattr(checks.model("model", model), "inputs", None) or []
    tokens = [len(one.shape) == 2 and "int" in one.dtype for one in inputs]
    if len(inputs) != 1 or not (tokens[0] or len(inputs[0].shape) == 3):
        raise ValueError(
            "model must have one input, (batch, timesteps, features) or tokens (batch, timesteps), "
            f"got {[tuple(one.shape) for one in inputs]}; a model whose states are inputs is one "
            "step already, and lz.predictor runs it"
        )
    if len(model.outputs) != 1:
        raise ValueError(f"model must have one output, got {len(model.outputs)}")
    if type(model).predict_step is not keras.Model.predict_step:
        raise ValueError(
            "model must not override predict_step to be streamed: the predict_step of "
            f"{type(model).__name__} reads the whole sequence. Pass "
            "keras.Model(model.inputs, model.outputs) to stream its outputs before decoding, such "
            "as the scores of a CRF"
        )
    step = keras.Input(inputs[0].shape[2:], name="step", dtype=inputs[0].dtype)
    walk = _Walk()
    sequence = ops.expand_dims(step, 1)
    walk.timed.append(sequence)
    graph = keras.Model(model.inputs, model.outputs)  # for a Sequential too
    [output] = keras.tree.flatten(run_through(graph, [sequence], walk))
    if walk.has_time(output):
        output = keras.layers.Identity(name=f"{graph.output_names[0]}_now")(output[:, 0])
    return keras.Model([step, *walk.before], [output, *walk.after], name=f"{model.name}_step")


class _Walk:
    """Calls the layers of a model on a one-step sequence and collects their states."""

    def __init__(self):
        self.before, self.after = [], []
        self.calls = collections.Counter()  # of each layer, by name
        self.timed = []  # tensors with a time axis

    def has_time(self, tensor):
        return any(tensor is one for one in self.timed)

    def __call__(self, layer, *args, **kwargs):
        given = keras.tree.flatten((args, kwargs))
        timed = any(self.has_time(one) for one in given)
        if timed and isinstance(layer, keras.layers.Bidirectional):
            raise ValueError(
                f"layer {layer.name!r} must not be bidirectional to be streamed: its first step "
                "needs the end of the sequence; build the model with bidirectional=False"
            )
        if timed and one_step_class(layer):
            return self._with_states(layer, *args, **kwargs)
        if timed and not acts_on_each_step(layer, args, kwargs, self.has_time):
            raise ValueError(
                f"layer {layer.name!r} ({type(layer).__name__}) can't be run step by step: its "
                "output at a step may need later steps. Run the model on whole sequences with "
                "lz.predictor(model), or, if this layer is your own, register its one-step form as "
                "lstm_zoo/layers/one_step.py shows"
            )
        # Casting a tensor to its own dtype returns the same tensor, with its mask.
        same = is_operation(layer, "Cast") and layer.dtype == args[0].dtype
        output = args[0] if same else layer(*args, **kwargs)
        if timed:
            self.timed.extend(keras.tree.flatten(output))
        return output

    def _with_states(self, layer, sequence, initial_state=None, mask=None, **kwargs):
        self.calls[layer.name] += 1
        again = self.calls[layer.name]
        name = layer.name if again == 1 else f"{layer.name}_{again}"
        one_step = one_step_class(layer)(layer, f"{name}_step")
        if initial_state is not None:
            raise ValueError(f"layer {name!r} must be called without initial_state to be streamed")
        states = [
            keras.Input((width,), name=f"{name}_{state}", dtype=dtype)
            for state, width, dtype in one_step.states_of(sequence.shape[-1])
        ]
        # Keras stores a mask as an argument only if it casts no input; else it is on the tensor.
        if mask is None and "mask" in inspect.signature(layer.call).parameters:
            mask = get_keras_mask(sequence)
        output, *after = one_step(sequence, states, mask=mask)
        self.before.extend(states)
        self.after.extend(
            keras.layers.Identity(name=f"{before.name}_after", dtype=before.dtype)(state)
            for before, state in zip(states, after)
        )
        if one_step.gives_sequences:
            self.timed.append(output)
        return output
