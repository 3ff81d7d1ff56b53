"""A model that reads one step at a time, made from a model of whole sequences."""

import collections
import inspect

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import get_keras_mask
from lstm_zoo.layers.each_step import acts_on_each_step, is_operation
from lstm_zoo.layers.one_step import one_step_class


def step_model(model: keras.Model) -> keras.Model:
    """The same model, one step at a time: it takes a step and its states, and gives them back.

    Its output after step t is that of `model` for the first t steps; weights are shared. A step
    that is masked leaves the states as they are.

    Args:
        model: with one input, `(batch, timesteps, features)` or tokens `(batch, timesteps)`, made
            of recurrent layers that read forwards, of pooling over time, and of layers that do the
            same to each step or stand behind all of these.

    Returns:
        A `keras.Model` from `[step, *states]`, of shapes `(batch, features)` and `(batch, width)`,
        to `[output, *states after]`. Before the first step, states are zeros: a stateful model
        then is as after `reset_states`.

    Raises:
        ValueError: naming the layer that needs all steps at once, or those that have not come yet;
            or for a model whose `predict` decodes whole sequences, as a tagger's with `crf=True`.

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
            f"got {[tuple(one.shape) for one in inputs]}"
        )
    if len(model.outputs) != 1:
        raise ValueError(f"model must have one output, got {len(model.outputs)}")
    if type(model).predict_step is not keras.Model.predict_step:
        raise ValueError(
            f"model must give its answers step by step, but {type(model).__name__} makes those of "
            "predict from the whole sequence, got one with a step of predict of its own. Pass "
            "keras.Model(model.inputs, model.outputs) for what it computes before: of a CRF the "
            "scores"
        )
    step = keras.Input(inputs[0].shape[2:], name="step", dtype=inputs[0].dtype)
    walk = _Walk()
    sequence = ops.expand_dims(step, 1)
    walk.timed.append(sequence)
    graph = keras.Model(model.inputs, model.outputs)  # a Sequential is one too
    # Keras has no public way to call a model's layers in order on other inputs: clone_model wants
    # all inputs of the result to be those of the model.
    [output] = keras.tree.flatten(
        graph._run_through_graph([sequence], operation_fn=lambda layer: layer, call_fn=walk)
    )
    if walk.has_time(output):
        output = keras.layers.Identity(name=f"{graph.output_names[0]}_now")(output[:, 0])
    return keras.Model([step, *walk.before], [output, *walk.after], name=f"{model.name}_step")


class _Walk:
    """Calls the layers of a model on a sequence of one step, and collects the states."""

    def __init__(self):
        self.before, self.after = [], []
        self.calls = collections.Counter()  # of a layer by name
        self.timed = []  # tensors that have an axis of time

    def has_time(self, tensor):
        return any(tensor is one for one in self.timed)

    def __call__(self, layer, *args, **kwargs):
        given = keras.tree.flatten((args, kwargs))
        timed = any(self.has_time(one) for one in given)
        if timed and isinstance(layer, keras.layers.Bidirectional):
            raise ValueError(
                f"layer {layer.name!r} must not be bidirectional: it needs the end of the sequence "
                "for its first step"
            )
        if timed and one_step_class(layer):
            return self._with_states(layer, *args, **kwargs)
        if timed and not acts_on_each_step(layer, args, kwargs, self.has_time):
            raise ValueError(
                f"layer {layer.name!r} ({type(layer).__name__}) can't be run step by step: it "
                "needs more than the steps so far, or is unknown"
            )
        # A cast to the type that a tensor has gives that tensor itself, with its mask.
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
            raise ValueError(f"layer {name!r} must start from states of its own to be streamed")
        states = [
            keras.Input((width,), name=f"{name}_{state}", dtype=dtype)
            for state, width, dtype in one_step.states_of(sequence.shape[-1])
        ]
        # Keras stores a mask as an argument only where it casts no input; else it is on the tensor.
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
