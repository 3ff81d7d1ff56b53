"""Answers to the exercises of notebook 08, classification."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("08-1", "4 (inputs + units + 1) units for an LSTM layer, (inputs + 1) units for a Dense.")
def _(answer):
    return answer == 4 * 77 * 64 + 4 * 97 * 32 + 33 * 16 + 17 * 9


@exercise("08-2", "The cross-entropy is -ln p of the true class, and p is 1/9.")
def _(answer):
    return near(answer, np.log(9), 5e-3)


@exercise("08-3", "Find the last True of every row of the mask, and index the steps with it.")
def _(answer):
    hidden = np.random.default_rng(0).normal(size=(3, 5, 2))
    mask = np.arange(5) < np.array([[2], [5], [1]])
    return near(answer(hidden, mask), hidden[[0, 1, 2], [1, 4, 0]], 1e-9)


@exercise("08-4", "Permute row[:n] of each utterance, leave what fills it up where it is.")
def _(answer):
    x, lengths = np.random.default_rng(0).normal(size=(4, 30, 2)), np.array([30, 12, 20, 25])
    x[np.arange(30) >= lengths[:, None]] = 0
    before = x.copy()
    mixed = np.asarray(answer(x, lengths, np.random.default_rng(1)))
    for row, old, n in zip(mixed, before, lengths):
        same_steps = near(row[:n][row[:n, 0].argsort()], old[:n][old[:n, 0].argsort()], 0)
        if not same_steps or row[n:].any() or np.array_equal(row, old):
            return False
    return mixed.shape == before.shape and np.array_equal(x, before)
