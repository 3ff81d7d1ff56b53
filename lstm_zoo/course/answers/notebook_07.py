"""Answers to the exercises of notebook 07, long-range memory."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise(
    "07-1",
    "Which guess of an unknown number has the least mean squared error?",
    "The best guess is the mean of the unknown number. Its variance is what remains.",
    "A number drawn evenly from 0 to 1 has the mean 1/2: integrate (u - 1/2) ** 2.",
)
def _(answer):
    return near(answer, 1 / 12, 1e-3)


@exercise(
    "07-2",
    "At which of the 500 steps does the model make an error at all?",
    "At each of the 10 steps where the string is written, every symbol has probability 1/8.",
    "Each of the 10 steps costs ln 8. The mean is over all 500 steps.",
)
def _(answer):
    return near(answer, 10 * np.log(8) / 500, 5e-4)


@exercise(
    "07-3",
    "What is drawn at random in the chrono start: the bias, or its exponential?",
    "exp(b_f) is drawn evenly from 1 to longest - 1, and b_i = -b_f.",
    "Take the logarithm of rng.uniform(1, longest - 1, units); join -b_f, b_f and zeros.",
)
def _(answer):
    for units, longest in ((4000, 200), (3000, 20)):
        biases = np.asarray(answer(units, longest, np.random.default_rng(units)), float)
        i, f, rest = np.split(biases, [units, 2 * units])
        spread = np.quantile(np.exp(f), [0.0, 0.25, 0.5, 0.75, 1.0])
        evenly = near(spread, np.linspace(1, longest - 1, 5), 0.04 * longest)
        if not (evenly and near(i, -f, 1e-6) and near(rest, np.zeros(2 * units), 0)):
            return False
    return True


@exercise(
    "07-4",
    "Express the time constant by the bias: what is 1 - f if f is a sigmoid?",
    "1 - f is 1 / (1 + exp(b)), so the time constant is 1 + exp(b).",
    "Solve 1 + exp(b) = 500 for b, and give at least three decimals.",
)
def _(answer):
    return near(answer, np.log(499), 9e-4)
