"""Answers to try in the exercises of notebook 05: a right one, and careless ones."""

import keras
import numpy as np


def untrained(layer):
    return lambda: keras.Sequential(
        [keras.Input((None, 12)), layer, keras.layers.Dense(9, activation="softmax")]
    )


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "05-1": ([5.217, 10], [[7, 7], [4.686, 10], [5.695, 10], [0.478, 0], [10, 10]]),
    "05-2": ("ifgo", ["ifg", "ifgoc", "ifo", "ch"]),
    "05-3": (
        lambda f, s, t: np.prod(f[s + 1 : t + 1], axis=0),
        [
            lambda f, s, t: np.prod(f[s : t + 1], axis=0),
            lambda f, s, t: np.prod(f[s:t], axis=0),
            lambda f, s, t: np.prod(f[s + 1 : t], axis=0),
            lambda f, s, t: f[t],
        ],
    ),
    "05-4": (
        [0.4852, 0.4257],
        [[0.4257, 0.4852], [0.6762, 0.4257], [0, 0], [0.4852, 0.1628], [0.77, 0]],
    ),
    "05-5": (
        None,
        [untrained(keras.layers.LSTM(8)), untrained(keras.layers.LSTM(64)), lambda: 0.9],
    ),
}
