"""One sequence of tokens turned into another: an encoder, a decoder, and attention between them."""

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import Unpack

from lstm_zoo import checks
from lstm_zoo.builders.options import Options, RecurrentOptions, takes
from lstm_zoo.builders.stack import compiled
from lstm_zoo.layers import layer_for


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
    """A compiled model that turns one sequence of tokens into another.

    Token 0 is padding on both sides. The decoder starts from the encoder's last states, and at each
    step looks back at all that the encoder gave (Luong et al. 2015). In training it reads the
    target, one step late: `lz.builders.teacher_forcing` makes that; `lz.translate` decodes.

    Args:
        source_vocabulary, target_vocabulary: how many tokens there are on each side, 0 included.
        embedding_dim: features of a token.
        lstm_units: units of the encoder (of each direction) and of the decoder.
        bidirectional: whether the encoder reads from both ends.
        attention: whether the decoder looks back at the encoder's steps.
        loss, metrics: as `keras.Model.compile` takes them; None takes the cross-entropy and the
            accuracy.
        Others: shared by builders, see lstm_zoo/builders/options.py; `help` describes them here.

    Returns:
        A compiled `keras.Model`: a dict of "source" `(batch, timesteps)` and "target"
        `(batch, target_timesteps)`, whole numbers, to probabilities of the next target token
        `(batch, target_timesteps, target_vocabulary)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

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
    """The input of one side, and its tokens as vectors."""
    tokens = keras.Input((None,), dtype="int32", name=side)
    x = keras.layers.Embedding(vocabulary, embedding_dim, mask_zero=True)(tokens)
    return tokens, keras.layers.Dropout(options.dropout)(x) if options.dropout else x


def _layer(name, units, options):
    dropout = options.recurrent_dropout
    given = {"recurrent_dropout": dropout} if dropout else {}
    given |= {"return_sequences": True, "return_state": True}
    return layer_for(options.cell, units, name=name, **given)


def _encoded(x, units, bidirectional, options):
    """What the encoder gives at each step, and the states from which the decoder starts."""
    encoder = _layer("encoder", units, options)
    if not bidirectional:
        encoded, *states = encoder(x)
        return encoded, states
    encoded, *states = keras.layers.Bidirectional(encoder, name="encoder")(x)
    half = len(states) // 2  # each state of the decoder comes from that of both directions
    states = [
        keras.layers.Dense(forward.shape[-1], activation="tanh", name=f"state_{number}")(
            keras.layers.Concatenate()([forward, backward])
        )
        for number, (forward, backward) in enumerate(zip(states[:half], states[half:]), 1)
    ]
    return encoded, states


def teacher_forcing(target: npt.ArrayLike, start: int) -> tuple[np.ndarray, np.ndarray]:
    """What the decoder reads, and what it is to say: the target one step late, and the target.

    Args:
        target: `(samples, timesteps)` tokens with an end token each, padded with 0.
        start: the token that stands before the first.

    Returns:
        Two arrays `(samples, timesteps)` int32.

    Raises:
        ValueError: a target that is no such array, a start that is no whole number.

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
    """The targets that a model of `build_seq2seq` gives for sources.

    A beam keeps the `beam_width` likeliest beginnings at each step; of the sequences it ends with,
    the one with the highest mean log probability a token is taken.

    Args:
        model: of `build_seq2seq`.
        source: `(samples, timesteps)` whole numbers, padded with 0.
        start, end: the target's tokens before the first and after the last.
        max_length: most tokens of a target.
        beam_width: 1 takes the likeliest token at each step (greedy).

    Returns:
        For each source its target, `(length,)` int32, without start and end.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

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
    # Each hypothesis of a beam: its tokens, log probability, length, and whether it has ended.
    said = np.zeros((samples, beam, max_length + 1), "int32")
    said[..., 0] = start
    score = np.full((samples, beam), -np.inf)
    score[:, 0] = 0  # all hypotheses are alike at first: one of them goes on
    length = np.zeros((samples, beam), int)
    ended = np.zeros((samples, beam), bool)
    for step in range(max_length):
        reads = said[..., :max_length].reshape(samples * beam, max_length)
        inputs = {"source": repeated, "target": reads}
        tokens = model.predict_on_batch(inputs)[:, step].reshape(samples, beam, vocabulary)
        with np.errstate(divide="ignore"):
            gain = np.log(tokens.astype("float64"))
        gain[..., 0] = -np.inf  # padding is nothing to say
        gain[ended] = -np.inf
        gain[ended, 0] = 0  # what has ended stays as it is
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
