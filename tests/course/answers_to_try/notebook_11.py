"""Answers to try in the exercises of notebook 11: a right one, and careless ones."""

import numpy as np

import lstm_zoo as lz


def cut(tokens, timesteps):
    pieces = (len(tokens) - 1) // timesteps
    x = tokens[: pieces * timesteps].reshape(pieces, timesteps)
    return x, tokens[1 : pieces * timesteps + 1].reshape(pieces, timesteps)


def cut_without_the_move(tokens, timesteps):
    x, _ = cut(tokens, timesteps)
    return x, x


def cut_targets_turned_round(tokens, timesteps):
    x, _ = cut(tokens, timesteps)
    return x, np.roll(x, -1, axis=1)


def cut_one_too_many(tokens, timesteps):
    pieces = len(tokens) // timesteps
    x = tokens[: pieces * timesteps].reshape(pieces, timesteps)
    return x, np.roll(tokens, -1)[: pieces * timesteps].reshape(pieces, timesteps)


def bigram(tokens, size):
    counts = np.ones((size, size))
    np.add.at(counts, (tokens[:-1], tokens[1:]), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def bigram_once_each(tokens, size):
    counts = np.ones((size, size))
    counts[tokens[:-1], tokens[1:]] += 1
    return counts / counts.sum(axis=1, keepdims=True)


def bigram_of_pairs(tokens, size):
    counts = np.ones((size, size))
    np.add.at(counts, (tokens[:-1], tokens[1:]), 1)
    return counts / counts.sum()


def untrained(tokens, size):
    return lz.build_language_model(size, embedding_dim=8, lstm_units=(8,))


def too_large(tokens, size):
    return lz.build_language_model(size, lstm_units=(128,))


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "11-1": (
        lambda p: (-np.log2(p).mean(), 2 ** -np.log2(p).mean()),
        [
            lambda p: (-np.log(p).mean(), np.exp(-np.log(p).mean())),
            lambda p: (-np.log2(p.mean()), 1 / p.mean()),
            lambda p: (-np.log2(p).mean(), (1 / p).mean()),
            lambda p: (-np.log2(p).sum(), 2 ** -np.log2(p).sum()),
        ],
    ),
    "11-2": (cut, [cut_without_the_move, cut_targets_turned_round, cut_one_too_many]),
    "11-3": (
        lambda p, t: p ** (1 / t) / (p ** (1 / t)).sum(axis=-1, keepdims=True),
        [
            lambda p, t: p**t / (p**t).sum(axis=-1, keepdims=True),
            lambda p, t: p ** (1 / t) / (p ** (1 / t)).sum(),
            lambda p, t: np.exp(p / t) / np.exp(p / t).sum(axis=-1, keepdims=True),
            lambda p, t: p / t,
        ],
    ),
    "11-4": (
        bigram,
        [bigram_once_each, bigram_of_pairs, lambda tokens, size: bigram(tokens, size).T],
    ),
    "11-5": (None, [untrained, too_large, lambda tokens, size: 2.0]),
}
