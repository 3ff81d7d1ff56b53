"""Answers to try in the exercises of notebook 02b: a right one, and careless ones."""

import keras
import numpy as np


def agreement(gradients):
    return np.linalg.norm(gradients.mean(axis=0)) / np.linalg.norm(gradients, axis=1).mean()


def untrained(layer):
    return lambda: keras.Sequential(
        [keras.Input((60, 8)), layer(4), keras.layers.Dense(4, activation="softmax")]
    )


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "02b-1": ((45, 285), [(44, 284), (45, 284), (0.73**67, 0.95**67), (19, 19)]),
    "02b-2": ([0.1299, 1, 7.2459], [[0.97, 1, 1.03], [0, 1, 0], [0.1340, 1, 7.035], [1, 1, 1]]),
    "02b-3": (
        agreement,
        [
            lambda gradients: np.linalg.norm(gradients.mean(axis=0)),
            lambda gradients: 1.0,
            lambda gradients: np.abs(gradients.mean(axis=0)).mean() / np.abs(gradients).mean(),
            lambda gradients: agreement(gradients.T),
        ],
    ),
    "02b-4": (
        None,
        [untrained(keras.layers.SimpleRNN), untrained(keras.layers.LSTM), lambda: 0.99],
    ),
}
