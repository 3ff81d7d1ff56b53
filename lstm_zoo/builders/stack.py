"""What all builders share: recurrent layers, then Dense layers, then a head."""

import keras

from lstm_zoo import checks
from lstm_zoo.layers import layer_for


def stack(
    input_shape, lstm_units, dense_units, cell, bidirectional, dropout, mask_value, head, name
):
    """The model of a builder, not yet compiled; the arguments are those of `build_classifier`."""
    timesteps, features = _checked_shape(input_shape)
    lstm_units = checks.counts("lstm_units", lstm_units, least=1)
    dense_units = checks.counts("dense_units", dense_units)
    dropout = checks.fraction("dropout", dropout, below_one=True)

    inputs = x = keras.Input((timesteps, features), name="sequence")
    if mask_value is not None:
        x = keras.layers.Masking(checks.number("mask_value", mask_value), name="mask")(x)
    for number, units in enumerate(lstm_units, start=1):
        name_of_layer = f"recurrent_{number}"
        several = number < len(lstm_units)
        layer = layer_for(cell, units, return_sequences=several, name=name_of_layer)
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=name_of_layer)
        x = layer(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"{name_of_layer}_dropout")(x)
    for number, units in enumerate(dense_units, start=1):
        x = keras.layers.Dense(units, activation="relu", name=f"dense_{number}")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dense_{number}_dropout")(x)
    for layer in head:
        x = layer(x)
    return keras.Model(inputs, x, name=name)


def compiled(model, learning_rate, loss, metrics):
    """The model, compiled with Adam."""
    if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        learning_rate = float(checks.positive("learning_rate", learning_rate))
    model.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=metrics)
    return model


def _checked_shape(input_shape):
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if len(shape) != 2 or shape[1] is None:
        raise ValueError(f"input_shape must be (timesteps or None, features), got {input_shape!r}")
    timesteps, features = shape
    if timesteps is not None:
        timesteps = checks.count("input_shape's timesteps", timesteps)
    return timesteps, checks.count("input_shape's features", features)
