"""Answers to the exercises of notebook 06, backpropagation through time."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("06-1", "f ** 100 = 1/2 and f = 1 / (1 + exp(-bias)): solve for the bias.")
def _(answer):
    return near(1 / (1 + np.exp(-np.asarray(answer, float))), 0.5**0.01, 5e-5)


@exercise("06-2", "With segments of S steps the states of 400 / S + S steps are kept.")
def _(answer):
    return near(answer, (20, 40), 0)


@exercise("06-3", "The forget gate is used twice in c_t; then go through the sigmoid.")
def _(answer):
    rng = np.random.default_rng(0)
    dc, c_before, g, z = rng.normal(size=(4, 2, 3))

    def loss(z):
        f = 1 / (1 + np.exp(-z))
        return dc * (f * c_before + (1 - f) * np.tanh(g))

    slope = (loss(z + 1e-5) - loss(z - 1e-5)) / 2e-5
    return near(answer(dc, c_before, np.tanh(g), 1 / (1 + np.exp(-z))), slope, 1e-8)


@exercise("06-4", "The first output of a chunk reaches no step back, the last 19.")
def _(answer):
    return near(answer, 9.5, 1e-9)
