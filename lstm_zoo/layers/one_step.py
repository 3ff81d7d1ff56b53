"""The layers of a model on one step at a time, as a model that hands its states on."""

import collections
import inspect

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import get_keras_mask, wide
from lstm_zoo.cells import Cell
from lstm_zoo.layers.each_step import acts_on_each_step
from lstm_zoo.layers.pooling import AttentionOverTime, MaxOverTime, MeanOverTime


def streaming(model: keras.Model) -> keras.Model:
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
        >>> [tuple(state.shape) for state in streaming(model).inputs]
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
        if isinstance(layer, keras.layers.Bidirectional):
            raise ValueError(
                f"layer {layer.name!r} must not be bidirectional: it needs the end of the sequence "
                "for its first step"
            )
        if isinstance(layer, keras.layers.RNN):
            return self._with_states(_Recurrence, layer, *args, **kwargs)
        if timed and type(layer) in _POOLINGS:
            _check_pooling(layer)
            return self._with_states(_POOLINGS[type(layer)], layer, *args, **kwargs)
        if timed and not acts_on_each_step(layer, args, kwargs, self.has_time):
            raise ValueError(
                f"layer {layer.name!r} ({type(layer).__name__}) can't be run step by step: it "
                "needs more than the steps so far, or is unknown"
            )
        # A cast to the type that a tensor has gives that tensor itself, with its mask.
        same = type(layer).__name__ == "Cast" and layer.dtype == args[0].dtype
        output = args[0] if same else layer(*args, **kwargs)
        if timed:
            self.timed.extend(keras.tree.flatten(output))
        return output

    def _with_states(self, kind, layer, sequence, initial_state=None, mask=None, **kwargs):
        self.calls[layer.name] += 1
        again = self.calls[layer.name]
        name = layer.name if again == 1 else f"{layer.name}_{again}"
        one_step = kind(layer, f"{name}_step")
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


def state_names(cell) -> list[str]:
    """What each state of a cell is called, in the order in which a layer returns them."""
    count = len(keras.tree.flatten(cell.state_size))
    usual = {1: ("hidden_state",), 2: ("hidden_state", "cell_state")}.get(count)
    if isinstance(cell, keras.layers.StackedRNNCells) or not usual:
        usual = [f"state_{k}" for k in range(count)]
    return [*getattr(cell, "state_names", usual)]


class _OneStep(keras.layers.Layer):
    """A layer on a sequence of one step, `(batch, 1, features)`, and what it knows of those before.

    Returns its output, and its states after the step; they are zeros before the first.
    """

    gives_sequences = False

    def __init__(self, layer, name):
        super().__init__(name=name, dtype=layer.dtype_policy, autocast=False)
        self.of = layer
        self.built = True

    def compute_mask(self, sequence, mask=None):
        # Of this layer's results only a sequence has one.
        states = self.states_of(sequence.shape[-1])
        return (mask if self.gives_sequences else None, *[None] * len(states))


def _renewed(new, old, mask):
    """New states in the rows whose step counts; those from before in the others."""
    if mask is None:
        return new
    return [ops.where(mask[:, :1], n, o) for n, o in zip(new, old)]


class _Recurrence(_OneStep):
    def __init__(self, layer, name):
        if layer.go_backwards:
            raise ValueError(f"layer {layer.name!r} must not go backwards")
        if layer.return_state:
            raise ValueError(f"layer {layer.name!r} must not return its states to be streamed")
        super().__init__(layer, name)
        self.gives_sequences = layer.return_sequences
        first = map(ops.convert_to_numpy, keras.tree.flatten(layer.get_initial_state(1)))
        learned = getattr(layer, "learned_initial_state", False)
        self.starts_from_zeros = not (learned or any(state.any() for state in first))

    def states_of(self, _):
        cell = self.of.cell
        names, sizes = state_names(cell), keras.tree.flatten(cell.state_size)
        if not _gives_its_first_state(cell):
            names, sizes = [*names, "output"], [*sizes, cell.output_size]
        if not self.starts_from_zeros:  # before the first step that counts, the output is zeros
            names, sizes = [*names, "seen"], [*sizes, 1]
        return [(name, size, self._dtype_of_states()) for name, size in zip(names, sizes)]

    def _dtype_of_states(self):
        """Float32 for half precision too, as between the steps of a whole sequence."""
        own_call = getattr(type(self.of.cell), "call", None) is not Cell.call
        return self.of.compute_dtype if own_call else wide(self.of.compute_dtype)

    def call(self, sequence, states, mask=None):
        cell, states = self.of.cell, list(states)
        seen = 1 if self.starts_from_zeros else states.pop()
        if not self.starts_from_zeros:  # then what is carried is the difference from the first
            first = keras.tree.flatten(self.of.get_initial_state(1))
            first += [0.0] * (len(states) - len(first))  # an output that is kept
            states = [ops.add(state, one) for state, one in zip(states, first)]
        structure = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [0]
        flat = states[: len(keras.tree.flatten(structure))]
        x = ops.cast(sequence[:, 0], self.of.compute_dtype)
        if self._dtype_of_states() != self.of.compute_dtype:  # a call would round the states
            now = cell.values(ops.cast(x, self._dtype_of_states()), flat)
            after = [now[name] for name in cell.state_names]
            output = ops.cast(after[0], self.of.compute_dtype)
        else:
            output, after = cell(x, keras.tree.pack_sequence_as(structure, flat), training=False)
            after = keras.tree.flatten(after)
        if len(states) > len(flat):
            after.append(output)
        after = _renewed(after, states, mask)
        if mask is not None:
            last = after[0] if len(states) == len(flat) else after[-1]
            if self.of.zero_output_for_mask:
                last = ops.zeros_like(output)
            output = ops.where(mask[:, :1], output, ops.cast(last * seen, output.dtype))
        if not self.starts_from_zeros:
            after = [ops.subtract(state, one) for state, one in zip(after, first)]
            after += _renewed([ops.ones_like(seen)], [seen], mask)
        if self.of.return_sequences:
            output = ops.expand_dims(output, 1)
        return (output, *after)


def _gives_its_first_state(cell):
    of_keras = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)
    return isinstance(cell, (Cell, *of_keras))


def _check_pooling(layer):
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ValueError(
            f"layer {layer.name!r} must pool over time to be streamed, data_format "
            f"'channels_last', got {layer.data_format!r}"
        )
    if getattr(layer, "keepdims", False):
        raise ValueError(f"layer {layer.name!r} must have keepdims=False to be streamed, got True")


class _Mean(_OneStep):
    def states_of(self, features):
        return [("total", features, "float32"), ("steps", 1, "float32")]

    def call(self, sequence, states, mask=None):
        total, steps = states
        new = [total + ops.cast(sequence[:, 0], "float32"), steps + 1]
        total, steps = _renewed(new, states, mask)
        mean = total / ops.maximum(steps, 1)
        return ops.cast(mean, self.of.compute_dtype), total, steps


class _Max(_OneStep):
    def states_of(self, features):
        return [("largest", features, "float32"), ("steps", 1, "float32")]

    def call(self, sequence, states, mask=None):
        largest, steps = states
        x = ops.cast(sequence[:, 0], "float32")
        new = [ops.where(steps > 0, ops.maximum(largest, x), x), steps + 1]
        largest, steps = _renewed(new, states, mask)
        return ops.cast(largest, self.of.compute_dtype), largest, steps


class _Attention(_OneStep):
    """The softmax so far: the weighted sum and the weights' sum, both over exp of the largest."""

    def states_of(self, features):
        widths = {"total": features, "weights": 1, "largest": 1}
        return [(name, width, "float32") for name, width in widths.items()]

    def call(self, sequence, states, mask=None):
        total, weights, largest = states
        x = ops.cast(sequence[:, 0], self.of.compute_dtype)
        score = ops.expand_dims(ops.cast(self.of.scores(x), "float32"), -1)
        before = ops.where(weights > 0, largest, score)
        now = ops.maximum(before, score)
        shrink, weight = ops.exp(before - now), ops.exp(score - now)
        new = [total * shrink + weight * ops.cast(x, "float32"), weights * shrink + weight, now]
        total, weights, largest = _renewed(new, states, mask)
        mean = total / ops.maximum(weights, 1e-30)
        return ops.cast(mean, self.of.compute_dtype), total, weights, largest


_POOLINGS: dict[type, type[_OneStep]] = {
    MeanOverTime: _Mean,
    MaxOverTime: _Max,
    AttentionOverTime: _Attention,
    keras.layers.GlobalAveragePooling1D: _Mean,
    keras.layers.GlobalMaxPooling1D: _Max,
}
