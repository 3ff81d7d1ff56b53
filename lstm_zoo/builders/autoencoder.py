"""A model that gives back what it reads, and how badly it does so: an anomaly score."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from lstm_zoo import checks, precision
from lstm_zoo.builders.stack import compiled, numbers_of_units, recurrent, sequence_input


def build_autoencoder(
    input_shape: tuple[int | None, int],
    *,
    lstm_units: int | Sequence[int] = (32, 8),
    cell: str | type = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    mask_value: float | None = None,
    normalise=None,
    loss=None,
    metrics=None,
    optimizer: str | keras.optimizers.Optimizer | None = None,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    name: str | None = None,
) -> keras.Model:
    """A compiled model that squeezes a sequence into one vector and gives the sequence back.

    Train it on `model.fit(x, x)`, of usual sequences; `lz.anomaly_scores` then says how unusual
    others are.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None.
        lstm_units: units of each recurrent layer that reads; the last is the size of the vector.
            As many, in reverse, write.
        cell, bidirectional, dropout, recurrent_dropout, mask_value, normalise, optimizer,
        learning_rate, name: as in `build_classifier`. The vector is read from one end to the other
            and back where `bidirectional`; it is written in one direction. With `normalise`,
            training samples here, what comes out is on the input's scale again.
        loss, metrics: as `keras.Model.compile` takes them; None takes the mean squared error.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to the same.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_autoencoder((50, 3)).output_shape
        (None, 50, 3)

    Source:
        Srivastava et al. 2015, https://arxiv.org/abs/1502.04681; Malhotra et al. 2016 (anomalies),
        https://arxiv.org/abs/1607.00148.
    """
    units = numbers_of_units("lstm_units", lstm_units, least=1)
    if isinstance(normalise, str):
        raise ValueError(f"normalise must be training samples or None, got {normalise!r}")
    inputs, x = sequence_input(input_shape, mask_value=mask_value, normalise=normalise)
    options = {"dropout": dropout, "recurrent_dropout": recurrent_dropout}
    vector = recurrent(
        x, units, cell, bidirectional=bidirectional, return_sequences=False, **options
    )
    again = RepeatLike(name="for_each_step")([vector, x])
    again = recurrent(again, units[::-1], cell, prefix="writing", **options)
    again = keras.layers.Dense(inputs.shape[-1], name="reconstruction")(again)
    if normalise is not None:
        # The inverse of the layer in front, whose numbers it has.
        scale = next(of for of in keras.Model(inputs, x).layers if of.name == "normalise")
        again = keras.layers.Normalization(
            **{k: scale.get_config()[k] for k in ("mean", "variance")}, invert=True, name="scale"
        )(again)
    return compiled(
        keras.Model(inputs, again, name=name),
        "mean_squared_error",
        None,
        loss=loss,
        metrics=metrics,
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


@keras.saving.register_keras_serializable(package="lstm_zoo")
class RepeatLike(keras.layers.Layer):
    """A vector at each step of a sequence, with that sequence's mask.

    Call arguments:
        inputs: the vector `(batch, width)` and the sequence `(batch, timesteps, features)`.

    Returns:
        `(batch, timesteps, width)`.

    Example:
        >>> tuple(RepeatLike()([ops.ones((2, 3)), ops.ones((2, 5, 1))]).shape)
        (2, 5, 3)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[1]

    def call(self, inputs):
        vector, sequence = inputs
        return vector[:, None, :] + ops.zeros_like(sequence[..., :1])


def anomaly_scores(model: keras.Model, x: npt.ArrayLike, *, batch_size: int = 32) -> np.ndarray:
    """How badly an autoencoder gives back each step: the mean squared error over the features.

    Args:
        model: of `build_autoencoder`, or any whose output is like its input.
        x: `(samples, timesteps, features)`.
        batch_size: samples at a time.

    Returns:
        `(samples, timesteps)`; NaN at masked steps. Take `np.nanmean(scores, axis=1)` for a score
        of each sequence.

    Raises:
        ValueError: if `x` is no such array, `model` is none, or gives something else back.

    Example:
        >>> anomaly_scores(build_autoencoder((4, 2), lstm_units=3), np.zeros((5, 4, 2))).shape
        (5, 4)
    """
    checks.model("model", model)
    x, batch_size = checks.finite("x", x, 3), checks.count("batch_size", batch_size)
    wanted = getattr(model, "input_shape", None)
    if isinstance(wanted, tuple):
        checks.shape("x", x.shape, wanted)
    precision.check_single("x", [x])
    again = model.predict(x, batch_size=batch_size, verbose=0)
    if again.shape != x.shape:
        raise ValueError(f"model must give back what it reads, {x.shape}, got {again.shape}")
    scores = np.mean((again - x) ** 2, axis=-1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Masking):
            scores[(x == layer.mask_value).all(axis=-1)] = np.nan
    return scores
