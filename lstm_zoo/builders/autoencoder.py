"""A model that gives back what it reads, and how badly it does so: an anomaly score."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
from keras import ops
from typing_extensions import Unpack

from lstm_zoo import checks, precision
from lstm_zoo.builders.options import Options, RecurrentOptions, takes
from lstm_zoo.builders.stack import compiled, numbers_of_units, recurrent, sequence_input


@takes(RecurrentOptions)
def build_autoencoder(
    input_shape: tuple[int | None, int],
    *,
    lstm_units: int | Sequence[int] = (32, 8),
    bidirectional: bool = False,
    mask_value: float | None = None,
    normalise=None,
    **options: Unpack[RecurrentOptions],
) -> keras.Model:
    """A compiled model that squeezes a sequence into one vector and gives the sequence back.

    Train it on `model.fit(x, x)`, of usual sequences; `lz.anomaly_scores` then says how unusual
    others are.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None.
        lstm_units: units of each recurrent layer that reads; the last is the size of the vector.
            The layers that write mirror these sizes.
        bidirectional: whether each layer that reads goes over the sequence from both ends; those
            that write go in one direction.
        normalise: training samples `(samples, timesteps, features)`, by whose mean and deviation
            the input is scaled, and the output back again; None leaves the data as it is.
        loss, metrics: as `keras.Model.compile` takes them; None takes the mean squared error.
        Others: shared by builders, see lstm_zoo/builders/options.py; `help` describes them here.

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
    shared = Options(mask_value=mask_value, **options)
    inputs, x = sequence_input(input_shape, shared, normalise=normalise)
    vector = recurrent(x, units, shared, bidirectional=bidirectional, return_sequences=False)
    again = RepeatLike(name="for_each_step")([vector, x])
    again = recurrent(again, units[::-1], shared, prefix="writing")
    again = keras.layers.Dense(inputs.shape[-1], name="reconstruction")(again)
    if normalise is not None:
        # The inverse of the layer in front, whose numbers it has.
        scale = next(of for of in keras.Model(inputs, x).layers if of.name == "normalise")
        again = keras.layers.Normalization(
            **{k: scale.get_config()[k] for k in ("mean", "variance")}, invert=True, name="scale"
        )(again)
    model = keras.Model(inputs, again, name=shared.name)
    return compiled(model, "mean_squared_error", None, shared)


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
