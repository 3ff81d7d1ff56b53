"""A model as a function of named tensors: what every format is made from."""

import keras

from lstm_zoo.backend import tf


def signature_of(model, batch_size=None):
    """A function of tensors that runs a model for inference, and the specifications of them.

    The function returns a dict from the names of the model's outputs.

    Raises:
        ValueError: if `model` is not a built model with named inputs.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ValueError(
            "model must be a keras.Model made of keras.Input, as the builders make it, "
            f"got {type(model).__name__}"
        )
    specs = [
        tf.TensorSpec((batch_size or one.shape[0], *one.shape[1:]), one.dtype, name=one.name)
        for one in model.inputs
    ]
    inputs, names = model.input, list(model.output_names)

    def function(*tensors):
        outputs = model(keras.tree.pack_sequence_as(inputs, tensors), training=False)
        if isinstance(outputs, dict):
            return outputs
        return dict(zip(names, keras.tree.flatten(outputs)))

    return function, specs
