"""A model that reconstructs its input; the reconstruction error is an anomaly score."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import Unpack

from lstm_zoo import checks, precision
from lstm_zoo.builders.options import Options, RecurrentOptions, takes
from lstm_zoo.builders.stack import compiled, numbers_of_units, recurrent, sequence_input
from lstm_zoo.layers.pooling import RepeatLike


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
    """Build a model that compresses a sequence into one vector and reconstructs the sequence.

    Train it on normal sequences with `model.fit(x, x)`; `lz.anomaly_scores` then scores how unusual
    other sequences are.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None.
        lstm_units: units of each recurrent layer of the encoder; the last is the size of the
            vector. The decoder mirrors these sizes.
        bidirectional: whether each layer of the encoder reads the sequence in both directions; the
            decoder runs forwards only.
        normalise: training samples `(samples, timesteps, features)`. The model scales its input by
            their mean and standard deviation, and scales its output back. None does not scale.
        loss, metrics: as `keras.Model.compile` takes them; None takes the mean squared error.
        Others: shared by all builders, described in `help` and in lstm_zoo/builders/options.py.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to the same shape.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

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
        # Undoes the normalisation of the input, with the same mean and variance.
        scale = next(of for of in keras.Model(inputs, x).layers if of.name == "normalise")
        again = keras.layers.Normalization(
            **{k: scale.get_config()[k] for k in ("mean", "variance")}, invert=True, name="scale"
        )(again)
    model = keras.Model(inputs, again, name=shared.name)
    return compiled(model, "mean_squared_error", None, shared)


def anomaly_scores(model: keras.Model, x: npt.ArrayLike, *, batch_size: int = 32) -> np.ndarray:
    """The reconstruction error of an autoencoder at each step: mean squared error over features.

    Args:
        model: from `build_autoencoder`, or any model whose output has the shape of its input.
        x: `(samples, timesteps, features)`.
        batch_size: samples per batch.

    Returns:
        `(samples, timesteps)`; NaN at masked steps. `np.nanmean(scores, axis=1)` scores each
        sequence.

    Raises:
        ValueError: if `x` has another shape, if `model` is not a `keras.Model`, or if its output
            has another shape than `x`.

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
        raise ValueError(
            f"model must have an output of its input's shape {x.shape}, got {again.shape}; "
            "lz.build_autoencoder builds such a model"
        )
    scores = np.mean((again - x) ** 2, axis=-1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Masking):
            scores[(x == layer.mask_value).all(axis=-1)] = np.nan
    return scores
