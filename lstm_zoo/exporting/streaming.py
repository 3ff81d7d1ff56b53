"""A model that takes one step at a time and hands its states on."""

import keras
from keras import ops

from lstm_zoo.exporting.signature import signature_of

# What does the same to each step, whatever the others are.
_EACH_STEP = """
Dense EinsumDense Embedding Dropout SpatialDropout1D GaussianNoise GaussianDropout Activation ReLU
LeakyReLU ELU Softmax LayerNormalization RMSNormalization BatchNormalization Normalization
UnitNormalization Rescaling Masking Identity TimeDistributed Add Subtract Multiply Average Maximum
Minimum Concatenate ActivityRegularization NotEqual
"""


def streaming(model: keras.Model) -> keras.Model:
    """The same model, one step at a time: it takes a step and its states, and gives them back.

    Its output after step t is that of `model` for the first t steps; weights are shared. A step
    that `Masking` leaves out leaves the states as they are.

    Args:
        model: with one input, `(batch, timesteps, features)` or tokens `(batch, timesteps)`, made
            of recurrent layers that read forwards, and of layers that do the same to each step or
            stand behind the last of them.

    Returns:
        A `keras.Model` from `[step, *states]`, of shapes `(batch, features)` and `(batch, width)`,
        to `[output, *states after]`. Before the first step, states are zeros.

    Raises:
        ValueError: if a layer needs all steps at once, or those that have not come yet.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_classifier((None, 3), 2, lstm_units=(8, 4))
        >>> [tuple(state.shape) for state in streaming(model).inputs]
        [(None, 3), (None, 8), (None, 8), (None, 4), (None, 4)]
    """
    signature_of(model)
    whole = model.inputs[0]
    tokens = len(whole.shape) == 2 and "int" in whole.dtype
    if len(model.inputs) != 1 or not (tokens or len(whole.shape) == 3):
        got = [tuple(one.shape) for one in model.inputs]
        raise ValueError(f"model must have one input (batch, timesteps, features), got {got}")
    if len(model.outputs) != 1:
        raise ValueError(f"model must have one output, got {model.output_names}")
    step = keras.Input(whole.shape[2:], name="step", dtype=whole.dtype)
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
        output = keras.layers.Identity(name=f"{model.output_names[0]}_now")(output[:, 0])
    return keras.Model([step, *walk.before], [output, *walk.after], name=f"{model.name}_step")


class _Walk:
    """Calls the layers of a model on a sequence of one step, and collects the states."""

    def __init__(self):
        self.before, self.after = [], []
        self.timed = []  # tensors that have an axis of time

    def has_time(self, tensor):
        return any(tensor is one for one in self.timed)

    def __call__(self, layer, *args, **kwargs):
        if isinstance(layer, keras.layers.RNN):
            return self._recurrent(layer, *args, **kwargs)
        given = keras.tree.flatten((args, kwargs))
        timed = any(self.has_time(one) for one in given)
        if timed and not _does_the_same_to_each_step(layer):
            raise ValueError(
                "model must be made of layers that need no step but the present one to be "
                f"streamed, got {layer.name!r}, which is {type(layer).__name__}"
            )
        output = layer(*args, **kwargs)
        if timed:
            self.timed.extend(keras.tree.flatten(output))
        return output

    def _recurrent(self, layer, sequence, initial_state=None, mask=None, **kwargs):
        if layer.go_backwards or initial_state is not None or layer.return_state:
            raise ValueError(
                "recurrent layers must read forwards from states of zeros to be streamed, without "
                f"return_state, got {layer.name!r}"
            )
        names, sizes = _states_of(layer)
        states = [
            keras.Input((size,), name=f"{layer.name}_{name}", dtype=layer.compute_dtype)
            for name, size in zip(names, sizes)
        ]
        output, *after = OneStep(layer, name=f"{layer.name}_step")(sequence, states, mask=mask)
        self.before.extend(states)
        self.after.extend(
            keras.layers.Identity(name=f"{layer.name}_{name}_after")(state)
            for name, state in zip(names, after)
        )
        if layer.return_sequences:
            self.timed.append(output)
        return output


def _does_the_same_to_each_step(layer):
    if type(layer).__name__ == "Any":  # over the features: how Masking finds what it leaves out
        return layer.axis in (-1, [-1])
    return type(layer).__name__ in _EACH_STEP.split()


def _states_of(layer):
    sizes = keras.tree.flatten(layer.cell.state_size)
    names = getattr(layer.cell, "state_names", None)
    if names is None:
        usual = {1: ("hidden_state",), 2: ("hidden_state", "cell_state")}
        names = usual.get(len(sizes)) or [f"state_{k}" for k in range(len(sizes))]
    return names, sizes


class OneStep(keras.layers.Layer):
    """A recurrent layer on a sequence of one step: `(batch, 1, features)` and states.

    Returns the output, and the states after the step.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(dtype=layer.dtype_policy, **kwargs)
        self.layer = layer
        self.built = True

    def call(self, sequence, states, mask=None):
        cell = self.layer.cell
        output, after = cell(sequence[:, 0], list(states), training=False)
        after = keras.tree.flatten(after)
        if mask is not None:
            after = [ops.where(mask[:, :1], new, old) for new, old in zip(after, states)]
            before = ops.zeros_like(output) if self.layer.zero_output_for_mask else states[0]
            last = before if self.layer.return_sequences else after[0]
            output = ops.where(mask[:, :1], output, last)
        if self.layer.return_sequences:
            output = ops.expand_dims(output, 1)
        return (output, *after)

    def compute_mask(self, sequence, mask=None):
        # Of this layer's results only a sequence has one.
        return (
            mask if self.layer.return_sequences else None,
            *[None] * len(_states_of(self.layer)[1]),
        )
