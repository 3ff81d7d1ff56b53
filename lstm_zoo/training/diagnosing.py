"""Finds the first value that is not finite, and suggests what to try."""

import keras
import numpy as np

from lstm_zoo.backend import tf
from lstm_zoo.training import losses

unpack = keras.utils.unpack_x_y_sample_weight


def diagnosis(model, batch, loss: float, norm: float) -> str:
    """Describe which part of a model is not finite on a batch, and what to try."""
    x, y, weight = unpack(keras.tree.map_structure(_tensor, batch))
    may_miss = any(map(losses.leaves_out_missing, keras.tree.flatten(model.loss)))
    if not all(map(_finite, keras.tree.flatten((x, None if may_miss else y, weight)))):
        return "the batch itself holds NaN or infinity: check the data"
    broken = [w.path for w in model.weights if not _finite(w.value)]
    if broken:
        return f"the weights {broken[0]} hold NaN or infinity: build the model again"
    advice = (
        "try a lower learning rate, a smaller clipnorm, or data scaled to about 1; "
        'on_nan="skip" skips such steps'
    )
    if model.dtype_policy.name == "mixed_float16":
        advice += "; float16 overflows above 65504, mixed_bfloat16 does not"
    layer = _first_layer(model, x)
    if layer:
        return f"layer {layer!r} is the first whose output is NaN or infinite: {advice}"
    if not np.isfinite(loss):
        return f"the outputs of all layers are finite but the loss is {loss}: {advice}"
    variable = _last_gradient(model, x, y, weight)
    if variable:
        layer = variable.rsplit("/", 1)[0]
        return f"the gradient of layer {layer!r} ({variable}) is not finite: {advice}"
    return f"each layer's gradient is finite but the global norm is {norm}: {advice}"


def _first_layer(model, x):
    """The first layer whose output is not finite; None if the model's graph is unknown."""
    if not getattr(model, "inputs", None):
        return None
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    try:
        outputs = [layer.output for layer in layers]
        values = keras.Model(model.inputs, outputs)(x, training=True)
    except (AttributeError, ValueError):  # a layer called twice has two outputs
        return None
    for layer, value in zip(layers, values if isinstance(values, list) else [values]):
        if not all(map(_finite, keras.tree.flatten(value))):
            return layer.name
    return None


def _last_gradient(model, x, y, weight):
    """The variable nearest to the output whose gradient is not finite: the likely origin."""
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True), weight)
    gradients = tape.gradient(loss, [v.value for v in variables])
    for variable, gradient in reversed(list(zip(variables, gradients))):
        if gradient is not None and not _finite(gradient):
            return variable.path
    return None


def _tensor(leaf):
    return leaf if leaf is None else tf.convert_to_tensor(leaf)


def _finite(value):
    if value is None or not value.dtype.is_floating:
        return True
    return bool(tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(value))))
