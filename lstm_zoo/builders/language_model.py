"""A model that says which token comes next, and text drawn from it."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import Unpack

from lstm_zoo import checks
from lstm_zoo.builders.options import Options, RecurrentOptions, takes
from lstm_zoo.builders.stack import compiled, dense, recurrent, sequence_input
from lstm_zoo.builders.streaming import stream


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
    """A compiled model that says, at each step, which token comes next.

    Train it on `x = tokens[:, :-1]`, `y = tokens[:, 1:]`; draw from it with `lz.sample`.

    Args:
        vocabulary_size: how many tokens there are (characters, words); they are numbered from 0.
        timesteps: length of the sequences; None where it varies.
        embedding_dim: features of a token.
        mask_zero: whether token 0 is padding.
        loss, metrics: as `keras.Model.compile` takes them; None takes the cross-entropy and the
            accuracy.
        Others: shared by builders, see lstm_zoo/builders/options.py; `help` describes them here.

    Returns:
        A compiled `keras.Model`: whole numbers `(batch, timesteps)` to probabilities
        `(batch, timesteps, vocabulary_size)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

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
    """Tokens that a language model draws one after another, with its state carried along.

    Args:
        model: one of `build_language_model`, or any that gives at each step the probabilities of
            the next token and can be streamed.
        prompt: `(timesteps,)` tokens that it reads first, at least one; or `(batch, timesteps)`.
        length: how many tokens to draw.
        temperature: below 1 keeps nearer to the likeliest token, above 1 strays further; 0 takes
            the likeliest always.
        top_k: draw from the `top_k` likeliest tokens alone; None from all.
        seed: of the draws; None for others each time.

    Returns:
        `(length,)` or `(batch, length)` int32.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

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
            f"got {batch.min()} to {batch.max()}, {batch.dtype}"
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
    # The largest of scores plus Gumbel noise is a draw from their softmax.
    return (scores + rng.gumbel(size=scores.shape)).argmax(axis=-1)
