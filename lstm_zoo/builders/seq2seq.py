"""Turns one sequence of tokens into another, with an encoder, attention and a decoder."""

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import Unpack

from lstm_zoo import checks
from lstm_zoo.builders.options import Options, RecurrentOptions, takes
from lstm_zoo.builders.stack import compiled
from lstm_zoo.layers import layer_for
from lstm_zoo.serving import predictor


@takes(RecurrentOptions)
def build_seq2seq(
    source_vocabulary: int,
    target_vocabulary: int,
    *,
    embedding_dim: int = 64,
    lstm_units: int = 128,
    bidirectional: bool = True,
    attention: bool = True,
    **options: Unpack[RecurrentOptions],
) -> keras.Model:
    """Build a model that turns one sequence of tokens into another.

    Token 0 is padding in both sequences. The decoder starts from the encoder's last states and
    attends to all of the encoder's outputs at each step (Luong et al. 2015). During training it
    reads the target shifted by one step, which `lz.builders.teacher_forcing` makes. `lz.translate`
    decodes.

    Args:
        source_vocabulary, target_vocabulary: number of tokens on each side, 0 included.
        embedding_dim: size of the embedding of a token.
        lstm_units: units of the encoder (in each direction) and of the decoder.
        bidirectional: whether the encoder reads in both directions.
        attention: whether the decoder attends to the encoder's outputs.
        loss, metrics: as for `keras.Model.compile`; None uses the cross-entropy and the accuracy.
        Others: shared by all builders, described in `help` and in lstm_zoo/builders/options.py.

    Returns:
        A compiled `keras.Model`. Its input is a dict of integer tokens, "source"
        `(batch, timesteps)` and "target" `(batch, target_timesteps)`; its output the probabilities
        of the next target token, `(batch, target_timesteps, target_vocabulary)`.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

    Example:
        >>> model = build_seq2seq(30, 14, lstm_units=8)
        >>> sorted(model.input), model.output_shape
        (['source', 'target'], (None, None, 14))

    Source:
        Sutskever et al. 2014, https://arxiv.org/abs/1409.3215; Luong et al. 2015,
        https://arxiv.org/abs/1508.04025.
    """
    source_vocabulary = checks.count("source_vocabulary", source_vocabulary, least=2)
    target_vocabulary = checks.count("target_vocabulary", target_vocabulary, least=2)
    embedding_dim = checks.count("embedding_dim", embedding_dim)
    units = checks.count("lstm_units", lstm_units)
    shared = Options(**options)
    source, x = _embedded("source", source_vocabulary, embedding_dim, shared)
    encoded, states = _encoded(x, units, bidirectional, shared)
    target, y = _embedded("target", target_vocabulary, embedding_dim, shared)
    y, *_ = _layer("decoder", units, shared)(y, initial_state=states)
    if attention:
        keys = keras.layers.Dense(y.shape[-1], use_bias=False, name="keys")(encoded)
        context = keras.layers.Attention(name="attention")([y, keys])
        y = keras.layers.Concatenate(name="with_context")([y, context])
        y = keras.layers.Dense(units, activation="tanh", name="attentional")(y)
    if shared.dropout:
        y = keras.layers.Dropout(shared.dropout)(y)
    y = keras.layers.Dense(target_vocabulary, activation="softmax", name="next_token")(y)
    model = keras.Model({"source": source, "target": target}, y, name=shared.name)
    return compiled(model, "sparse_categorical_crossentropy", ["accuracy"], shared)


def _embedded(side, vocabulary, embedding_dim, options):
    """The input of one side, and the embeddings of its tokens."""
    tokens = keras.Input((None,), dtype="int32", name=side)
    x = keras.layers.Embedding(vocabulary, embedding_dim, mask_zero=True)(tokens)
    return tokens, keras.layers.Dropout(options.dropout)(x) if options.dropout else x


def _layer(name, units, options):
    dropout = options.recurrent_dropout
    given = {"recurrent_dropout": dropout} if dropout else {}
    given |= {"return_sequences": True, "return_state": True}
    return layer_for(options.cell, units, name=name, **given)


def _encoded(x, units, bidirectional, options):
    """The encoder's outputs at each step, and the initial states of the decoder."""
    encoder = _layer("encoder", units, options)
    if not bidirectional:
        encoded, *states = encoder(x)
        return encoded, states
    encoded, *states = keras.layers.Bidirectional(encoder, name="encoder")(x)
    half = len(states) // 2  # each decoder state joins the states of both directions
    states = [
        keras.layers.Dense(forward.shape[-1], activation="tanh", name=f"state_{number}")(
            keras.layers.Concatenate()([forward, backward])
        )
        for number, (forward, backward) in enumerate(zip(states[:half], states[half:]), 1)
    ]
    return encoded, states


def teacher_forcing(target: npt.ArrayLike, start: int) -> tuple[np.ndarray, np.ndarray]:
    """The decoder's inputs and targets: the target shifted by one step, and the target itself.

    Args:
        target: `(samples, timesteps)` tokens; each sequence ends with an end token, then zeros.
        start: the token to put before the first.

    Returns:
        Two arrays `(samples, timesteps)` int32.

    Raises:
        ValueError: if `target` is not such an array, or `start` is not a whole number.

    Example:
        >>> reads, says = teacher_forcing([[5, 6, 2, 0]], start=1)
        >>> reads.tolist(), says.tolist()
        ([[1, 5, 6, 2]], [[5, 6, 2, 0]])
    """
    says = checks.array("target", target, 2).astype("int32")
    start = checks.count("start", start, least=0, below=2**31)
    reads = np.concatenate([np.full((len(says), 1), start, "int32"), says[:, :-1]], axis=1)
    return reads, says


def translate(
    model: keras.Model,
    source: npt.ArrayLike,
    *,
    start: int,
    end: int,
    max_length: int = 50,
    beam_width: int = 1,
) -> list[np.ndarray]:
    """Decode source sequences with a model from `build_seq2seq`, by beam search.

    The beam keeps the `beam_width` likeliest beginnings at each step. The result is the sequence
    with the highest mean log probability per token.

    Args:
        model: a model from `build_seq2seq`.
        source: `(samples, timesteps)` integer tokens, padded with 0.
        start, end: the tokens that mark the start and the end of a target.
        max_length: largest number of tokens in a target.
        beam_width: 1 takes the likeliest token at each step (greedy).

    Returns:
        A list with the target of each source, `(length,)` int32, without start and end.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

    Example:
        >>> model = build_seq2seq(9, 9, lstm_units=4)
        >>> len(translate(model, [[3, 4, 5], [6, 7, 0]], start=1, end=2, max_length=4))
        2
    """
    checks.model("model", model, built=True)
    source = checks.array("source", source, 2)
    vocabulary = model.output_shape[-1]
    start = checks.count("start", start, below=vocabulary)
    end = checks.count("end", end, below=vocabulary)
    max_length = checks.count("max_length", max_length)
    beam = checks.count("beam_width", beam_width, below=vocabulary)
    samples = len(source)
    repeated = np.repeat(source, beam, axis=0)
    # For each hypothesis of a beam: tokens, log probability, length, and whether it has ended.
    said = np.zeros((samples, beam, max_length + 1), "int32")
    said[..., 0] = start
    score = np.full((samples, beam), -np.inf)
    score[:, 0] = 0  # the hypotheses are identical at first, so only one continues
    length = np.zeros((samples, beam), int)
    ended = np.zeros((samples, beam), bool)
    answer = predictor(model)
    for step in range(max_length):
        reads = said[..., :max_length].reshape(samples * beam, max_length)
        inputs = {"source": repeated, "target": reads}
        tokens = answer(inputs)[:, step].reshape(samples, beam, vocabulary)
        with np.errstate(divide="ignore"):
            gain = np.log(tokens.astype("float64"))
        gain[..., 0] = -np.inf  # the decoder never emits padding,
        gain[ended] = -np.inf
        gain[ended, 0] = 0  # except after the end
        totals = score[..., None] + gain
        steps = length[..., None] + ~ended[..., None]
        mean = (totals / steps).reshape(samples, -1)
        best = np.argsort(-mean, axis=-1, kind="stable")[:, :beam]
        parent, token = best // vocabulary, best % vocabulary
        score = np.take_along_axis(totals.reshape(samples, -1), best, axis=1)
        said, length, ended = (
            np.take_along_axis(old, parent.reshape(parent.shape + (1,) * (old.ndim - 2)), axis=1)
            for old in (said, length, ended)
        )
        said[..., step + 1] = np.where(ended, 0, token)
        length = length + ~ended
        ended |= token == end
        if ended.all():
            break
    first = said[:, 0, 1:]
    return [tokens[(tokens != 0) & (tokens != end)] for tokens in first]
