"""Answers to try in the exercises of notebook 04: a right one, and careless ones."""

import keras
import numpy as np


def untrained(units):
    layer = keras.layers.LSTM(units, return_sequences=True)
    return lambda: keras.Sequential(
        [keras.Input((None, 1)), layer, keras.layers.Dense(1, activation="sigmoid")]
    )


def without_a_recurrent_layer():
    parity = keras.layers.Lambda(lambda x: keras.ops.cumsum(x, axis=1) % 2)
    return keras.Sequential([keras.Input((None, 1)), parity])


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "04-1": ([-2.197, 2.197], [[2.197, -2.197], [0.1, 0.9], [-2.197, -2.197]]),
    "04-2": (692.8, [500, 693.8e1, 0.999, 1000]),
    "04-3": (
        ([[20, -20, 10, 0], [0, -20, 0, 0]], [-10, 10, 0, 10]),
        [
            ([[20, 0, 10, 0], [0, -20, 0, 0]], [-10, 10, 0, 10]),  # `on` adds up
            ([[20, -20, 10, 0], [0, 0, 0, 0]], [-10, 10, 0, 10]),  # `off` does nothing
            ([[20, -20, 0, 0], [0, -20, 0, 0]], [-10, 10, 0, 10]),  # nothing to write
        ],
    ),
    "04-4": ((1, 1), [(0.9, -0.5), (np.tanh(0.9), np.tanh(-0.5)), (1, -1), (0, 0)]),
    "04-5": (
        None,
        [untrained(2), untrained(16), without_a_recurrent_layer],
    ),
}
