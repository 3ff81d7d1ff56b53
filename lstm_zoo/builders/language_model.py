"""A model that predicts the next token, and a function that samples text from it."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import Unpack

from lstm_zoo import checks
from lstm_zoo.builders.options import Options, RecurrentOptions, takes
from lstm_zoo.builders.stack import compiled, dense, recurrent, sequence_input
from lstm_zoo.serving import stream


@takes(RecurrentOptions)
def build_language_model(
    vocabulary_size: int,
    *,
    timesteps: int | None = None,
    embedding_dim: int = 64,
    lstm_units: int | Sequence[int] = (128,),
    dense_units: int | Sequence[int] = (),
    mask_zero: bool = False,
    **options: Unpack[RecurrentOptions],
) -> keras.Model:
    """Build a model that predicts the next token at each step.

    Train it on `x = tokens[:, :-1]`, `y = tokens[:, 1:]`; then `lz.sample` draws text from it.

    Args:
        vocabulary_size: number of different tokens (characters, words), numbered from 0.
        timesteps: length of the sequences; None if it varies.
        embedding_dim: size of the embedding of a token.
        mask_zero: whether token 0 is padding.
        loss, metrics: as for `keras.Model.compile`; None uses the cross-entropy and the accuracy.
        Others: shared by all builders, described in `help` and in lstm_zoo/builders/options.py.

    Returns:
        A compiled `keras.Model`: integer tokens `(batch, timesteps)` to probabilities
        `(batch, timesteps, vocabulary_size)`.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

    Example:
        >>> build_language_model(96).output_shape
        (None, None, 96)
    """
    vocabulary_size = checks.count("vocabulary_size", vocabulary_size, least=2)
    shared = Options(
        mask_value=0 if mask_zero else None,
        vocabulary_size=vocabulary_size,
        embedding_dim=embedding_dim,
        **options,
    )
    inputs, x = sequence_input((timesteps,), shared, name="tokens")
    x = dense(recurrent(x, lstm_units, shared), dense_units, shared)
    x = keras.layers.Dense(vocabulary_size, activation="softmax", name="next_token")(x)
    model = keras.Model(inputs, x, name=shared.name)
    return compiled(model, "sparse_categorical_crossentropy", ["accuracy"], shared)


def sample(
    model: keras.Model,
    prompt: npt.ArrayLike,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int | None = None,
) -> np.ndarray:
    """Draw tokens from a language model one by one, carrying its state along.

    Args:
        model: from `build_language_model`, or any model that outputs the probabilities of the next
            token at each step and works with `lz.stream`.
        prompt: tokens to read first, at least one: `(timesteps,)` or `(batch, timesteps)`.
        length: number of tokens to draw.
        temperature: below 1 favours likely tokens, above 1 draws more varied tokens; 0 always takes
            the likeliest token.
        top_k: draw only from the `top_k` likeliest tokens; None draws from all.
        seed: seed of the draws; None draws differently each time.

    Returns:
        `(length,)` or `(batch, length)` int32.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

    Example:
        >>> sample(build_language_model(5, lstm_units=3), [1, 2], length=4, top_k=1).shape
        (4,)
    """
    checks.model("model", model, built=True)
    prompt = checks.array("prompt", prompt, 1, 2)
    length = checks.count("length", length)
    temperature = checks.number("temperature", temperature)
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, got {temperature!r}")
    vocabulary_size = model.output_shape[-1]
    if top_k is not None:
        top_k = checks.count("top_k", top_k, below=vocabulary_size + 1)
    batch = np.atleast_2d(prompt)
    if batch.dtype.kind not in "iu" or batch.min() < 0 or batch.max() >= vocabulary_size:
        raise ValueError(
            f"prompt must hold whole numbers from 0 to {vocabulary_size - 1}, "
            f"got {batch.min()} to {batch.max()} of dtype {batch.dtype}"
        )
    rng = checks.generator("seed", seed)
    reader = stream(model, batch_size=len(batch))
    for tokens in batch.T:
        probabilities = reader.step(tokens)
    drawn = []
    for _ in range(length):
        drawn.append(_draw(probabilities, temperature, top_k, rng))
        probabilities = reader.step(drawn[-1])
    tokens = np.stack(drawn, axis=1).astype("int32")
    return tokens[0] if prompt.ndim == 1 else tokens


def _draw(probabilities, temperature, top_k, rng):
    """One token for each sequence, from probabilities `(batch, vocabulary_size)`."""
    if temperature == 0:
        return probabilities.argmax(axis=-1)
    with np.errstate(divide="ignore"):
        scores = np.log(probabilities.astype("float64")) / temperature
    if top_k is not None:
        least = np.sort(scores, axis=-1)[:, [-top_k]]
        scores = np.where(scores < least, -np.inf, scores)
    # Adding Gumbel noise to scores and taking the largest draws from their softmax.
    return (scores + rng.gumbel(size=scores.shape)).argmax(axis=-1)
