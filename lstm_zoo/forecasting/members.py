"""Several trained models as one, whose answer is the mean of theirs."""

import keras


def mean_of(members) -> keras.Model:
    """One model of all layers of some models with the same inputs, compiled as the first one is.

    Training ends at other weights from other seeds, and the mean of some forecasts has a lower
    error than most of them.

    Args:
        members: built models; a layer called "lstm" in the second becomes "lstm_member_2".

    Example:
        >>> import numpy as np
        >>> from lstm_zoo.builders import build_forecaster
        >>> members = [build_forecaster((4, 1), 2, lstm_units=3) for _ in range(2)]
        >>> mean_of(members)(np.arange(4.0).reshape(1, 4, 1)).shape
        TensorShape([1, 2])

    Source:
        Hansen & Salamon 1990, Neural network ensembles, https://doi.org/10.1109/34.58871.
    """
    inputs = keras.tree.map_structure(
        lambda one: keras.Input(one.shape[1:], dtype=one.dtype, name=one.name), members[0].input
    )
    outputs = []
    for number, member in enumerate(members, start=1):
        clone = keras.models.clone_model(
            member, input_tensors=inputs, clone_function=lambda layer, k=number: _named(layer, k)
        )
        clone.set_weights(member.get_weights())
        outputs.append(clone.output)
    total, dtype = outputs[0], outputs[0].dtype
    for number, output in enumerate(outputs[1:], start=2):  # two by two, as `lz.predictor` adds
        total = keras.layers.Add(name=f"sum_of_{number}", dtype=dtype)([total, output])
    mean = keras.layers.Rescaling(1 / len(members), name="mean", dtype=dtype)(total)
    model = keras.Model(inputs, mean, name=members[0].name)
    optimizer = members[0].optimizer
    model.compile(type(optimizer).from_config(optimizer.get_config()), loss=members[0].loss)
    model.optimizer.build(model.trainable_variables)  # else a saved model warns when it is loaded
    return model


def _named(layer, number):
    config = layer.get_config()
    return type(layer).from_config({**config, "name": f"{layer.name}_member_{number}"})
