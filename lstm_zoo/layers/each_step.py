"""Layers that act on each step independently, so that they can run step by step."""

import warnings

import keras
import numpy as np
from keras import ops

# Layers that act on each step independently, unless their axis or function spans the sequence.
_OF_KERAS = """
Dense EinsumDense Embedding Dropout SpatialDropout1D GaussianNoise GaussianDropout Activation ReLU
LeakyReLU ELU Softmax LayerNormalization RMSNormalization BatchNormalization Normalization
UnitNormalization Rescaling Masking Identity TimeDistributed Add Subtract Multiply Average Maximum
Minimum Concatenate ActivityRegularization
"""
_LAYERS = {getattr(keras.layers, name) for name in _OF_KERAS.split()}
_OPERATIONS = """
Any Softmax Add Subtract Multiply Average Maximum Minimum Concatenate NotEqual Equal LogicalAnd
LogicalOr Cast
"""
_STEPS = 3


def each_step_alone(layer_class: type) -> type:
    """Decorator that registers a layer class as acting on each step independently."""
    _LAYERS.add(layer_class)
    return layer_class


def is_operation(layer, *names: str) -> bool:
    """Whether a node of a model's graph is an operation of `keras.ops`, such as "Cast".

    Keras does not export the classes of its operations, so this compares class names.
    """
    return not isinstance(layer, keras.layers.Layer) and type(layer).__name__ in names


def acts_on_each_step(layer, args, kwargs, has_time) -> bool:
    """Whether a layer's output at a step does not depend on the other steps.

    The layer's class must be registered, and the claim must hold on random numbers.

    Args:
        layer: a layer that is built.
        args, kwargs: the arguments of its call, with Keras's symbolic tensors.
        has_time: a function that tells whether a symbolic tensor is `(batch, timesteps, ...)`.
    """
    if type(layer) not in _LAYERS and not is_operation(layer, *_OPERATIONS.split()):
        return False
    given = (args, kwargs)
    drawn = keras.tree.map_structure(_drawer(has_time), given)

    def answer(t=None):
        def part(one, values):
            timed = t is not None and isinstance(one, keras.KerasTensor) and has_time(one)
            return values[:, t : t + 1] if timed else values

        args, kwargs = keras.tree.map_structure(part, given, drawn)
        return ops.convert_to_numpy(ops.cast(layer(*args, **kwargs), "float32"))

    try:
        with keras.StatelessScope(collect_losses=True), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            among = np.split(answer(), _STEPS, axis=1)
            alone = [answer(t) for t in range(_STEPS)]
    except Exception:  # each backend raises another for a layer built for one length only
        return False
    return all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-2, atol=1e-2)
        for a, b in zip(alone, among, strict=True)
    )


def _drawer(has_time):
    """A function that draws random numbers of a symbolic tensor's shape and dtype."""
    rng = np.random.default_rng(0)

    def drawn(one):
        if not isinstance(one, keras.KerasTensor):
            return one
        shape = (1, _STEPS, *one.shape[2:]) if has_time(one) else (1, *one.shape[1:])
        x = rng.normal(size=shape)
        return ops.convert_to_tensor(x if "float" in one.dtype else x > 0, one.dtype)

    return drawn
