"""Replaces Keras's layers by layers of LSTM Zoo that more runtimes can run from a file."""

import keras
from keras import ops

from lstm_zoo.exporting.precision import rebuilt
from lstm_zoo.layer_tree import every_layer
from lstm_zoo.layers import GRU, LSTM, SimpleRNN
from lstm_zoo.layers.each_step import each_step_alone


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class PortableMasking(keras.layers.Masking):
    """`keras.layers.Masking` without the reduction "any", which LiteRT for Microcontrollers lacks.

    Call arguments:
        inputs: `(batch, timesteps, features)`.

    Returns:
        The inputs, with masked steps as zeros.
    """

    def compute_mask(self, inputs, mask=None):
        return ops.logical_not(ops.all(ops.equal(inputs, self.mask_value), axis=-1))

    def call(self, inputs):
        # The axis is kept, because LiteRT's converter can't add one to two axes of open size.
        padding = ops.all(ops.equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return ops.where(padding, 0, inputs)


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class PortableAny(keras.layers.Layer):
    """The operation `keras.ops.any`, written with "all"; Keras computes masks with it.

    Args:
        axis: the axis or axes to reduce.
        keepdims: whether they stay as axes of size 1.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: booleans of any shape.

    Returns:
        Booleans.
    """

    def __init__(self, axis=None, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.keepdims = axis, keepdims

    def call(self, inputs):
        return ops.logical_not(ops.all(ops.logical_not(inputs), self.axis, self.keepdims))


_REPLACED = {
    keras.layers.GRU: GRU,
    keras.layers.LSTM: LSTM,
    keras.layers.Masking: PortableMasking,
    keras.layers.SimpleRNN: SimpleRNN,
}


def with_portable_layers(model: keras.Model) -> keras.Model:
    """A model that computes the same with other layers; `model` itself if it has none to replace.

    A model that can't be rebuilt from its configuration stays as it is.
    """
    layers = every_layer(model) if getattr(model, "inputs", None) else []
    if not any(type(layer) in _REPLACED for layer in layers):
        return model
    try:
        again = rebuilt(model, _changed, [ops.convert_to_numpy(w) for w in model.weights])
    except Exception:  # custom layers may raise anything
        return model
    # A Sequential that was built by a call gets another input.
    same = [one.name for one in again.inputs] == [one.name for one in model.inputs]
    return again if same else model


def _changed(config):
    """A configuration with every layer in `_REPLACED` replaced."""
    if isinstance(config, (list, tuple)):
        return type(config)(_changed(value) for value in config)
    if not isinstance(config, dict):
        return config
    config = {name: _changed(value) for name, value in config.items()}
    own = {old.__name__: new for old, new in _REPLACED.items()}
    new = own.get(config.get("class_name")) if config.get("module") == "keras.layers" else None
    if config.get("registered_name") == "Any":
        new = PortableAny
    if new is not None:
        config |= {"class_name": new.__name__, "module": new.__module__}
        config["registered_name"] = keras.saving.get_registered_name(new)
    return config
