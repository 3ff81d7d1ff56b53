"""Answers to try in the exercises of notebook 01: a right one, and careless ones."""

import keras
import numpy as np


def rnn(x, W, U, b):
    h, states = np.zeros(len(U)), []
    for x_t in x:
        h = np.tanh(x_t @ W + h @ U + b)
        states.append(h)
    return np.array(states)


def untrained(layer):
    return lambda: keras.Sequential(
        [keras.Input((40, 1)), layer, keras.layers.Dense(10, activation="softmax")]
    )


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "01-1": (
        ((8, 100, 32), (8, 32)),
        [((8, 100, 12), (8, 12)), ((8, 32), (8, 100, 32)), ((8, 32, 100), (8, 32))],
    ),
    "01-2": ((7, 44), [(6, 43), (7, 43), (6.64, 43.7)]),
    "01-3": (
        ([[1, 0]], [[0, 1], [0, 0]], [0, 0]),
        [
            ([[1, 0]], [[0, 0], [1, 0]], [0, 0]),  # U transposed
            ([[0, 1]], [[0, 1], [0, 0]], [0, 0]),
            ([[1, 1]], [[0, 1], [0, 0]], [0, 0]),
        ],
    ),
    "01-4": (31, [30, 1, 50, 20]),
    "01-5": (
        lambda x, ahead, back: np.concatenate([rnn(x, *ahead), rnn(x[::-1], *back)[::-1]], axis=1),
        [
            lambda x, ahead, back: np.concatenate([rnn(x, *ahead), rnn(x[::-1], *back)], axis=1),
            lambda x, ahead, back: np.concatenate([rnn(x, *ahead), rnn(x, *back)], axis=1),
            lambda x, ahead, back: rnn(x, *ahead),
            lambda x, ahead, back: np.concatenate([rnn(x[::-1], *back), rnn(x, *ahead)], axis=1),
        ],
    ),
    "01-6": (
        None,
        [
            untrained(keras.layers.LSTM(32)),
            untrained(keras.layers.LSTM(64)),
            untrained(keras.layers.Flatten()),
        ],
    ),
}
