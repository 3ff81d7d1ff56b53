"""Answers to try in the exercises of notebook 08: a right one, and careless ones."""

import numpy as np


def last_state(hidden, mask):
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return hidden[np.arange(len(hidden)), last]


def shuffle_steps(x, lengths, rng):
    return np.array([[*rng.permutation(row[:n]), *row[n:]] for row, n in zip(x, lengths)])


def shuffle_in_place(x, lengths, rng):
    for row, n in zip(x, lengths):
        row[:n] = rng.permutation(row[:n])
    return x


def split(recordings, rng):
    names = np.unique(recordings)
    return np.isin(recordings, rng.permutation(names)[: len(names) // 4])


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "08-1": (
        32809,
        [32809 - 9, 4 * 76 * 64 + 4 * 96 * 32 + 32 * 16 + 16 * 9, 77 * 64 + 97 * 32 + 33 * 16],
    ),
    "08-2": (np.log(9), [1 / 9, -np.log(9), np.log2(9), 9]),
    "08-3": (
        last_state,
        [
            lambda hidden, mask: hidden[:, -1],
            lambda hidden, mask: hidden[np.arange(len(hidden)), mask.sum(axis=1) - 1],
            lambda hidden, mask: hidden[np.arange(len(hidden)), mask.sum(axis=1) % 5],
            lambda hidden, mask: hidden[np.arange(len(hidden)), mask.argmax(axis=1)],
        ],
    ),
    "08-4": (
        shuffle_steps,
        [
            shuffle_in_place,
            lambda x, lengths, rng: rng.permutation(x, axis=1),  # with the padding
            lambda x, lengths, rng: x.copy(),
            lambda x, lengths, rng: rng.permutation(x),  # the utterances, not the steps
        ],
    ),
    "08-5": (
        split,
        [
            lambda recordings, rng: rng.random(len(recordings)) < 0.25,
            lambda recordings, rng: np.arange(len(recordings)) < len(recordings) // 4,
            lambda recordings, rng: np.arange(len(recordings)) % 4 == 0,
            lambda recordings, rng: split(recordings, np.random.default_rng(0)),
            lambda recordings, rng: recordings == rng.choice(recordings),
            lambda recordings, rng: ~split(recordings, rng),
        ],
    ),
}
