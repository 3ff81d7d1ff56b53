"""The parts that builders share: input, recurrent layers, pooling, Dense layers, compilation."""

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.builders.losses import ObservedLoss, ObservedMean
from lstm_zoo.builders.options import REGULARIZERS, Options
from lstm_zoo.layers import (
    AttentionOverTime,
    MaxOverTime,
    MeanOverTime,
    RunningNormalization,
    WordEmbedding,
    layer_for,
)
from lstm_zoo.layers.scaling import Normalization
from lstm_zoo.layers.variants import reads_times

POOLINGS = {"mean": MeanOverTime, "max": MaxOverTime, "attention": AttentionOverTime}


def sequence_input(input_shape, options: Options, *, normalise=None, name="sequence"):
    """The input of a model, and the tensor `(batch, timesteps, features)` for its first layer.

    The arguments are those of the builders.
    """
    if isinstance(normalise, str):
        checks.one_of("normalise", normalise, ["running"])
    if options.reads_tokens:
        return _token_input(input_shape, options, normalise, name)
    timesteps, features = checked_shape(input_shape)
    inputs = x = keras.Input((timesteps, features), name=name)
    mask_value = options.mask_value
    if mask_value is not None:
        mask_value = checks.number("mask_value", mask_value)
        x = keras.layers.Masking(mask_value, name="mask")(x)
    return inputs, normalised(x, normalise, options.cell, mask_value)


def normalised(x, normalise, cell, mask_value=None, name="normalise"):
    """Apply the argument `normalise` to `(batch, timesteps, features)`."""
    if isinstance(normalise, str):
        return x if reads_times(cell) else RunningNormalization(name=name)(x)
    if normalise is not None:
        return _normalisation(normalise, x.shape[-1], mask_value, name)(x)
    return x


def _token_input(input_shape, options, normalise, name):
    given = "vocabulary_size" if options.vocabulary is None else "vocabulary"
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if len(shape) != 1:
        raise ValueError(
            f"input_shape must be (timesteps or None,) if {given} is given, got {input_shape!r}"
        )
    if shape[0] is not None:
        shape = (checks.count("input_shape's timesteps", shape[0]),)
    if options.mask_value not in (None, 0):
        raise ValueError(
            f"mask_value must be None or 0 if {given} is given, got {options.mask_value!r}"
        )
    if normalise is not None and not isinstance(normalise, str):
        raise ValueError(f"normalise must be None if {given} is given, got {normalise!r:.40}")
    inputs = keras.Input(shape, dtype="int32", name=name)
    return inputs, _embedding(options)(inputs)


def _embedding(options):
    dim = checks.count("embedding_dim", options.embedding_dim)
    if options.vocabulary is not None:
        return WordEmbedding(options.vocabulary, dim, name="embedding")
    return keras.layers.Embedding(
        checks.count("vocabulary_size", options.vocabulary_size, least=2),
        dim,
        mask_zero=options.mask_value == 0,
        name="embedding",
    )


def _normalisation(samples, features, mask_value, name):
    """A layer that subtracts each feature's mean and divides by its standard deviation."""
    samples = checks.array("normalise", samples, 3).astype("float64")
    checks.shape("normalise", samples.shape, ("samples", "timesteps", features))
    steps = samples.reshape(-1, features)
    if mask_value is not None:
        steps = steps[(steps != mask_value).any(axis=1)]
    steps = checks.finite("normalise", steps)
    variance = steps.var(axis=0)
    variance[variance == 0] = 1  # only subtract the mean of a constant feature
    return Normalization(mean=steps.mean(axis=0).tolist(), variance=variance.tolist(), name=name)


def recurrent(
    x,
    lstm_units,
    options: Options,
    *,
    bidirectional=False,
    return_sequences=True,
    prefix="recurrent",
):
    """Stacked recurrent layers, each followed by Dropout; outputs all steps or only the last."""
    lstm_units = numbers_of_units("lstm_units", lstm_units, least=1)
    names = ("recurrent_dropout", *REGULARIZERS)
    given = {name: value for name in names if (value := getattr(options, name))}
    for number, units in enumerate(lstm_units, start=1):
        name = f"{prefix}_{number}"
        several = return_sequences or number < len(lstm_units)
        layer = layer_for(options.cell, units, return_sequences=several, name=name, **given)
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=name)
        x = layer(x)
        if options.dropout:
            x = keras.layers.Dropout(options.dropout, name=f"{name}_dropout")(x)
    return x


def summary(x, lstm_units, options: Options, *, pooling, bidirectional):
    """Recurrent layers, with their hidden states pooled into one vector per sequence."""
    pooling = checks.one_of("pooling", pooling, ["last", *POOLINGS])
    several = pooling != "last"
    x = recurrent(x, lstm_units, options, bidirectional=bidirectional, return_sequences=several)
    return POOLINGS[pooling](name=pooling)(x) if several else x


def dense(x, dense_units, options: Options):
    """Dense layers with ReLU, each followed by Dropout."""
    for number, units in enumerate(numbers_of_units("dense_units", dense_units), start=1):
        name, regularizer = f"dense_{number}", options.kernel_regularizer
        x = keras.layers.Dense(units, activation="relu", kernel_regularizer=regularizer, name=name)(
            x
        )
        if options.dropout:
            x = keras.layers.Dropout(options.dropout, name=f"{name}_dropout")(x)
    return x


def compiled(model, own_loss, own_metrics, options: Options, own_rate=1e-3):
    """Compile the model; the builder's loss, its metrics and Adam are the defaults."""
    loss, metrics = options.loss, options.metrics
    if metrics is None and isinstance(loss, ObservedLoss):
        metrics = own_metrics and [ObservedMean(metric) for metric in own_metrics]
    metrics = own_metrics if metrics is None else metrics
    model.compile(
        _optimizer(options.optimizer, options.learning_rate, own_rate),
        loss=own_loss if loss is None else loss,
        metrics=metrics,
    )
    return model


def _optimizer(optimizer, learning_rate, own_rate):
    if isinstance(optimizer, keras.optimizers.Optimizer):
        if learning_rate is not None:
            raise ValueError(
                "learning_rate must be None if optimizer is an object with its own learning rate, "
                f"got {learning_rate!r}"
            )
        return optimizer
    learning_rate = own_rate if learning_rate is None else learning_rate
    if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        learning_rate = float(checks.positive("learning_rate", learning_rate))
    if optimizer is None:
        return keras.optimizers.Adam(learning_rate)
    return type(checks.of_keras("optimizer", optimizer))(learning_rate)


def numbers_of_units(argument, value, least=0):
    """A tuple of whole numbers, from one number or a sequence."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return (checks.count(argument, value),)
    return checks.counts(argument, value, least)


def checked_shape(input_shape):
    """`(timesteps or None, features)`, checked."""
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if len(shape) != 2 or shape[1] is None:
        raise ValueError(f"input_shape must be (timesteps or None, features), got {input_shape!r}")
    timesteps, features = shape
    if timesteps is not None:
        timesteps = checks.count("input_shape's timesteps", timesteps)
    return timesteps, checks.count("input_shape's features", features)
