"""Answers to the exercises of notebook 03, the architecture."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@exercise(
    "03-1",
    "Which of the six equations still have to be computed, and in which order?",
    "First c = f * c_before + i * g, then h from the new c.",
    "h = o * tanh(c). Give [c, h].",
)
def _(answer):
    return near(answer, [-1.24, 0.7 * np.tanh(-1.24)], 1e-3)


@exercise(
    "03-2",
    "Start at the output and go backwards: what is h made of in the wrong equation?",
    "h is made of o and g. What does the next step compute them from?",
    "The next o and g read x and h only. Which letters never occurred on this way?",
)
def _(answer):
    return set(answer) == set("go")


@exercise(
    "03-3",
    "Call train with timesteps=5, and look at the losses it returns.",
    "Hand in the whole list that train returns, not only its last loss.",
    "answer = train(WrongCell, seed=0, timesteps=5)",
)
def _(answer):
    losses = np.asarray(answer, float)
    return losses.shape == (10,) and losses[0] > 2 * losses.min() and 0 < losses.min() < 0.1


@exercise(
    "03-4",
    "Only one of the six equations changes. Which?",
    "i is 1 - f in the equation of the cell state.",
    "c = f * c + (1 - f) * g with f = sigmoid(z_f); return h = o * tanh(c), then c.",
)
def _(answer):
    def coupled(z_f, z_g, z_o, c):
        c = sigmoid(z_f) * c + (1 - sigmoid(z_f)) * np.tanh(z_g)
        return sigmoid(z_o) * np.tanh(c), c

    rng = np.random.default_rng(0)
    return same_function(answer, coupled, [tuple(rng.normal(size=(4, n))) for n in (1, 3, 6)])
