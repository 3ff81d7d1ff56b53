"""Answers to the exercises of notebook 07, long-range memory."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("07-1", "Guess the mean of the unknown number: what is left is its variance.")
def _(answer):
    return near(answer, 1 / 12, 1e-3)


@exercise("07-2", "ln 8 at each step where the string is written; the mean is over all 500.")
def _(answer):
    return near(answer, 10 * np.log(8) / 500, 5e-4)


@exercise("07-3", "exp(b_f) is spread evenly from 1 to longest - 1, and b_i = -b_f.")
def _(answer):
    units, longest = 4000, 200
    i, f, g, o = np.split(np.asarray(answer(units, longest, np.random.default_rng(0)), float), 4)
    spread = np.quantile(np.exp(f), [0.0, 0.25, 0.5, 0.75, 1.0])
    evenly = near(spread, np.linspace(1, longest - 1, 5), 0.04 * longest)
    return evenly and near(i, -f, 1e-6) and near(np.concatenate([g, o]), np.zeros(2 * units), 0)


@exercise("07-4", "Put f = 1 / (1 + exp(-b)) into 1 / (1 - f) = 500 and solve for b.")
def _(answer):
    return near(answer, np.log(499), 5e-3)
