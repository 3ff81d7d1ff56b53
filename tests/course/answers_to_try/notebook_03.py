"""Answers to try in the exercises of notebook 03: a right one, and careless ones."""

import numpy as np


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


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "03-1": (
        [-1.24, -0.5923],
        [[-1.24, -0.868], [-1.24, 0.7 * np.tanh(0.5)], [-1.04, 0.7 * np.tanh(-1.04)], [-1.24, 0.7]],
    ),
    "03-2": ("go", ["o", "gco", "ifgo", "fo"]),
    "03-3": (
        [0.34, 0.33, 0.3, 0.2, 0.12, 0.09, 0.06, 0.05, 0.04, 0.03],
        [[0.34] * 10, 0.03, [0.09] * 10, [0.34, 0.03]],
    ),
    "03-4": (
        coupled,
        [
            coupled_the_wrong_way_round,
            coupled_without_tanh_at_the_output,
            lambda z_f, z_g, z_o, c: coupled(z_f, z_g, z_o, c)[::-1],
        ],
    ),
}
