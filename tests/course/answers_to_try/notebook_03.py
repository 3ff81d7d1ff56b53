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


def peephole(o_reads_old_c=False, scale=1, squash=True, order=(0, 1, 2)):
    """A class: cells with peepholes, with or without one of four mistakes."""

    class Cell(keras.layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = self.output_size = units
            self.state_size = [units, units]

        def build(self, shape):
            self.kernel = self.add_weight((shape[-1], 4 * self.units))
            self.recurrent_kernel = self.add_weight((self.units, 4 * self.units))
            self.bias = self.add_weight((4 * self.units,))
            self.peephole = self.add_weight((3, self.units))

        def call(self, x, states):
            h, c = states
            p_i, p_f, p_o = (scale * self.peephole[k] for k in order)
            z = x @ self.kernel + h @ self.recurrent_kernel + self.bias
            z_i, z_f, z_g, z_o = ops.split(z, 4, axis=-1)
            old = c
            c = ops.sigmoid(z_f + p_f * c) * c + ops.sigmoid(z_i + p_i * c) * ops.tanh(z_g)
            o = ops.sigmoid(z_o + p_o * (old if o_reads_old_c else c))
            h = o * (ops.tanh(c) if squash else c)
            return h, [h, c]

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
        peephole(),
        [
            peephole(o_reads_old_c=True),
            peephole(scale=0),  # an LSTM
            peephole(squash=False),  # no tanh at the output
            peephole(order=(1, 0, 2)),  # i and f exchanged
            keras.layers.LSTMCell,
        ],
    ),
}
