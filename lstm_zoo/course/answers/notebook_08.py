"""Answers to the exercises of notebook 08, classification."""

import numpy as np

from lstm_zoo import datasets
from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "08-1",
    "Go through the model layer by layer. What does each layer read?",
    "An LSTM layer has four equations with weights; a Dense layer has one.",
    "4 (inputs + units + 1) units for an LSTM layer, (inputs + 1) units for a Dense layer.",
)
def _(answer):
    return answer == 4 * 77 * 64 + 4 * 97 * 32 + 33 * 16 + 17 * 9


@exercise(
    "08-2",
    "Which probability does the model give to the true class?",
    "The cross-entropy is -ln of the probability of the true class.",
    "The probability is 1/9: compute -ln(1/9).",
)
def _(answer):
    return near(answer, np.log(9), 5e-3)


@exercise(
    "08-3",
    "Is the number of True entries in a row always the place of the last one?",
    "Find the index of the last True of every row, and index the steps with it.",
    "argmax finds the first True: let it search the mask backwards, mask[:, ::-1].",
)
def _(answer):
    def last_state(hidden, mask):
        last = [np.flatnonzero(row)[-1] for row in mask]
        return hidden[np.arange(len(hidden)), last]

    rng = np.random.default_rng(0)
    masks = [np.arange(5) < np.array([[2], [5], [1]])]
    masks += [np.array([[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [1, 1, 1, 1]]) > 0]
    cases = [(rng.normal(size=(*mask.shape, 2)), mask) for mask in masks]
    return same_function(answer, last_state, cases)


@exercise(
    "08-4",
    "Which steps of an utterance are real, and which are padding?",
    "Permute row[:n] of each utterance and leave the padding where it is.",
    "Work on x.copy(); rng.permutation(row[:n]) shuffles the real steps of one row.",
)
def _(answer):
    x = np.random.default_rng(0).normal(size=(4, 30, 2))
    for lengths in np.array([[30, 12, 20, 25], [9, 27, 30, 14]]):
        padded = np.where((np.arange(30) < lengths[:, None])[..., None], x, 0)
        before, counts = padded.copy(), lengths.copy()
        mixed = np.asarray(answer(padded, counts, np.random.default_rng(1)))
        if not (np.array_equal(padded, before) and np.array_equal(counts, lengths)):
            return False
        for row, old, n in zip(mixed, before, lengths):
            same_steps = near(row[:n][row[:n, 0].argsort()], old[:n][old[:n, 0].argsort()], 0)
            if not same_steps or row[n:].any() or np.array_equal(row, old):
                return False
    return mixed.shape == before.shape


@exercise(
    "08-5",
    "How much do two neighbouring windows of one recording differ?",
    "A test window has a near copy in the training part, if its recording is in both parts.",
    "Draw a quarter of np.unique(recordings) with rng, and take np.isin(recordings, drawn).",
)
def _(answer):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        recordings = rng.permutation(np.repeat(rng.permutation(200)[:40], rng.integers(5, 9, 40)))
        given = recordings.copy()
        is_test, other = (np.asarray(answer(given, np.random.default_rng(k))) for k in (1, 2))
        if is_test.shape != recordings.shape or is_test.dtype != bool:
            return False
        leaks = np.isin(recordings[is_test], recordings[~is_test]).any()
        share = is_test.mean()
        if leaks or not 0.15 < share < 0.35 or np.array_equal(is_test, other):
            return False
        if not np.array_equal(given, recordings):
            return False
    accuracies = [_nearest_neighbour(answer, seed) for seed in range(5)]
    on_coins, on_motions = np.mean(accuracies, axis=0)
    return on_coins < 0.65 and on_motions > 0.9


def _nearest_neighbour(split, seed):
    """Its accuracy on windows of motions, for labels drawn by coin and for the true ones."""
    data, rng = datasets.load("basic_motions"), np.random.default_rng(seed)
    x, y = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test])
    windows = [row[at : at + 50] for row in x for at in range(0, 51, 2)]
    recordings = np.repeat(np.arange(len(x)), len(windows) // len(x))
    features = np.array([[*window.mean(axis=0), *window.std(axis=0)] for window in windows])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    is_test = np.asarray(split(recordings, rng))
    away = (features[is_test][:, None] - features[~is_test]) ** 2
    nearest = away.sum(axis=-1).argmin(axis=1)
    labels = np.array([rng.permutation(np.arange(len(x)) % 2), y])[:, recordings]
    return np.mean(labels[:, ~is_test][:, nearest] == labels[:, is_test], axis=1)
