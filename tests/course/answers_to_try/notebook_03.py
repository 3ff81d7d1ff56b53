"""Answers to try in the exercises of notebook 03: a right one, and careless ones."""

import keras
import numpy as np
from keras import ops


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def coupled(z_f, z_g, z_o, c):
    after = sigmoid(z_f) * c + (1 - sigmoid(z_f)) * np.tanh(z_g)
    return sigmoid(z_o) * np.tanh(after), after


def coupled_the_wrong_way_round(z_f, z_g, z_o, c):
    after = (1 - sigmoid(z_f)) * c + sigmoid(z_f) * np.tanh(z_g)
    return sigmoid(z_o) * np.tanh(after), after


def coupled_without_tanh_at_the_output(z_f, z_g, z_o, c):
    _, after = coupled(z_f, z_g, z_o, c)
    return sigmoid(z_o) * after, after


def gru(kept_and_candidate):
    """A class: GRU cells that keep `kept` of the state and take the rest from the candidate."""

    class Cell(keras.layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = self.state_size = self.output_size = units

        def build(self, shape):
            self.kernel = self.add_weight((shape[-1], 3 * self.units))
            self.recurrent_kernel = self.add_weight((self.units, 3 * self.units))
            self.bias = self.add_weight((3 * self.units,))

        def call(self, x, states):
            [h] = states
            x_z, x_r, x_g = ops.split(x @ self.kernel + self.bias, 3, axis=-1)
            U_z, U_r, U_g = ops.split(self.recurrent_kernel, 3, axis=-1)
            z, r = ops.sigmoid(x_z + h @ U_z), ops.sigmoid(x_r + h @ U_r)
            kept, g = kept_and_candidate(x_g, h, z, r, U_g)
            h = kept * h + (1 - kept) * g
            return h, [h]

    return Cell


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "03-1": (
        [-1.24, -0.5923],
        [[-1.24, -0.868], [-1.24, 0.7 * np.tanh(0.5)], [-1.04, 0.7 * np.tanh(-1.04)], [-1.24, 0.7]],
    ),
    "03-2": ("go", ["o", "gco", "ifgo", "fo"]),
    "03-3": ((40, 1), [(1, 40), (40, 40), (40, 0), (1, 1)]),
    "03-4": (
        coupled,
        [
            coupled_the_wrong_way_round,
            coupled_without_tanh_at_the_output,
            lambda z_f, z_g, z_o, c: coupled(z_f, z_g, z_o, c)[::-1],
        ],
    ),
    "03-5": (
        gru(lambda x, h, z, r, U: (z, ops.tanh(x + (r * h) @ U))),
        [
            gru(lambda x, h, z, r, U: (1 - z, ops.tanh(x + (r * h) @ U))),
            gru(lambda x, h, z, r, U: (z, ops.tanh(x + r * (h @ U)))),  # reset after the product
            gru(lambda x, h, z, r, U: (z, ops.tanh(x + h @ U))),  # no reset
            gru(lambda x, h, z, r, U: (0 * z + 1, x)),  # returns the old state
            keras.layers.SimpleRNNCell,
            keras.layers.LSTMCell,
        ],
    ),
}
