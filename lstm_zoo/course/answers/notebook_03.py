"""Answers to the exercises of notebook 03, the architecture."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("03-1", "First c = f * c_before + i * g, then h = o * tanh(c); give [c, h].")
def _(answer):
    return near(answer, [-1.24, 0.7 * np.tanh(-1.24)], 1e-3)


@exercise("03-2", "Go backwards from the output: what is h made of, and what are those made of?")
def _(answer):
    return set(answer) == set("go")


@exercise("03-3", "Hand in the whole list that train gives, for 5 steps; look at its smallest.")
def _(answer):
    losses = np.asarray(answer, float)
    return losses.shape == (10,) and losses[0] > 2 * losses.min() and 0 < losses.min() < 0.1


@exercise("03-4", "i is 1 - f in the equation of the cell state; return h, then c.")
def _(answer):
    z_f, z_g, z_o, c = np.random.default_rng(0).normal(size=(4, 6))
    f, g, o = 1 / (1 + np.exp(-z_f)), np.tanh(z_g), 1 / (1 + np.exp(-z_o))
    after = g + f * (c - g)
    return near(answer(z_f, z_g, z_o, c), [o * np.tanh(after), after], 1e-6)
