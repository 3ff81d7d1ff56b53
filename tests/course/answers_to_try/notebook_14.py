"""Answers to try in the exercises of notebook 14: a right one, and careless ones.

The right answers to exercises 1 to 5 train; the notebook itself checks them.
"""

import keras
import numpy as np

import lstm_zoo as lz


def always(answer):
    """A function that trains nothing and always gives the same answer."""
    return lambda *arguments: lambda x: np.full(len(x), answer)


def one_class(*arguments):
    return lambda x: np.eye(9)[np.zeros(len(x), int)]


def the_model_untrained(x, y):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((29, 12)), keras.layers.Masking(), lz.LSTM(4)]
    model = keras.Sequential([*layers, keras.layers.Dense(9, activation="softmax")])
    return lambda x: np.array(model(x))


def the_labels_of_training(x, y):
    return lambda x: np.eye(9)[np.resize(y, len(x))]


def whole_numbers(sequences, labels):
    """The nearest training utterance, after the same rounding as in the broken script."""

    def mean(sequences):
        return np.array([one.astype(int).mean(axis=0) for one in sequences])

    known = mean(sequences)

    def nearest(sequences):
        new = mean(sequences)
        return np.eye(9)[labels[np.abs(new[:, None] - known).sum(axis=-1).argmin(axis=1)]]

    return nearest


def shared_steps(count, window, horizon, share):
    first = count - int(share * count)
    return np.arange(first), np.arange(first, count)


def gap_of(steps):
    def split(count, window, horizon, share):
        first = count - int(share * count)
        gap = steps(window, horizon)
        return np.arange(max(first - gap, 0)), np.arange(first, count)

    return split


def no_less_than_zero_forgotten(count, window, horizon, share):
    """The end of the slice is negative if the gap is longer than the training part."""
    steps, first = np.arange(count), count - int(share * count)
    return steps[: first - (window + horizon - 1)], steps[first:]


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "14-1": (None, [one_class, the_model_untrained, the_labels_of_training, always(0.5)]),
    "14-2": (None, [one_class, whole_numbers, the_labels_of_training, always(0.5)]),
    "14-3": (
        None,
        [lambda series: lambda windows: windows[:, -1, 0], always(0.0), lambda series: np.mean],
    ),
    "14-4": (
        None,
        [
            always(1.0),
            always(0.0),
            lambda x, y: lambda new: new.sum(axis=(1, 2)),  # right, but no probability
            lambda x, y: lambda new: np.full((len(new), 1), y.mean()),
        ],
    ),
    "14-5": (
        None,
        [always(0.0), lambda x, y: lambda new: new[:, -1, 0], lambda x, y: lambda new: new[:, 0]],
    ),
    "14-6": (
        gap_of(lambda window, horizon: window + horizon - 1),
        [
            shared_steps,
            no_less_than_zero_forgotten,
            gap_of(lambda window, horizon: window),
            gap_of(lambda window, horizon: horizon),
            gap_of(lambda window, horizon: horizon - 1),
            gap_of(lambda window, horizon: window + horizon),
        ],
    ),
    "14-7": ([np.log(10), 1.0], [[16.1, 1.0], [np.log(10), 0.5], [np.log(10), 0.9], [1.0, 0.1]]),
}
