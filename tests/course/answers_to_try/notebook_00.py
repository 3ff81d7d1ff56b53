"""Answers to try in the exercises of notebook 00: a right one, and careless ones."""

import keras
import numpy as np

import lstm_zoo as lz


def flat():
    return keras.Sequential(
        [keras.Input((29, 12)), keras.layers.Flatten(), keras.layers.Dense(9, activation="softmax")]
    )


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "00-1": (19712, [4 * 64 * (12 + 64), 64 * 12 + 64 * 64 + 64, 6 * (64 * 12 + 64 * 64 + 64)]),
    "00-2": ([0.125, 0.06218], [[0.125, 0.0625], [0.125, 0.1244], [0.125, 0.0], [0.25, 0.1225]]),
    "00-3": (
        lambda y_train, y_test: np.mean(y_test == np.bincount(y_train).argmax()),
        [
            lambda y_train, y_test: np.mean(y_test == np.bincount(y_test).argmax()),
            lambda y_train, y_test: np.bincount(y_train).max() / len(y_train),
            lambda y_train, y_test: 1 / len(np.unique(y_train)),
        ],
    ),
    "00-4": (
        None,
        [
            lambda: lz.build_classifier((None, 12), 9, lstm_units=(16,), dense_units=()),
            lambda: lz.build_classifier((None, 12), 9, lstm_units=(64, 64)),
            flat,
        ],
    ),
}
