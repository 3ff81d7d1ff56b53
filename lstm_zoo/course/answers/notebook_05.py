"""Answers to the exercises of notebook 05, step by step."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("05-1", "f and i are sigmoids of z_f and z_i, g is tanh of z_g; give [c, h].")
def _(answer):
    c = 1.5 / (1 + np.exp(-2)) + 0.5 * np.tanh(1)
    return near(answer, [c, np.tanh(c) / (1 + np.exp(-1))], 1e-3)


@exercise("05-2", "Look which of the six equations need only x_t and the states before the step.")
def _(answer):
    return set(answer) == set("ifgo")


@exercise("05-3", "The gate of step s itself has already done its work; that of step t has too.")
def _(answer):
    gates = np.random.default_rng(0).uniform(0.1, 1, (9, 3))
    share = np.ones(3)
    for t in (4, 5, 6):
        share = share * gates[t]
    return near(answer(gates, 3, 6), share, 1e-9) and near(answer(gates, 2, 2), np.ones(3), 1e-9)


@exercise("05-4", "What are both states before the first step?")
def _(answer):
    return near(answer, 0, 0)
