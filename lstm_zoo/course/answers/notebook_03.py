"""Answers to the exercises of notebook 03, the architecture."""

import keras
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
    "With U = 0, what do the gates and the candidate of a step read?",
    "The wrong hidden state is made of the last output gate and candidate only.",
    "The right hidden state sees the cell state, to which every step has added something.",
)
def _(answer):
    return near(answer, (40, 1), 0)


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


@exercise(
    "03-5",
    "Which of the four quantities i, f, g and o must wait for the new cell state?",
    "Split the sum of the two products and the bias into four blocks, in the order i, f, g, o.",
    "o = sigmoid(z_o + peephole[2] * c) comes after c = f * c + i * g; return h, [h, c].",
)
def _(answer):
    def step(x, h, c, W, U, b, p):
        z_i, z_f, z_g, z_o = np.split(x @ W + h @ U + b, 4, axis=-1)
        c = sigmoid(z_f + p[1] * c) * c + sigmoid(z_i + p[0] * c) * np.tanh(z_g)
        return sigmoid(z_o + p[2] * c) * np.tanh(c), c

    rng = np.random.default_rng(0)
    for units, features in ((1, 3), (4, 2), (5, 5)):
        shapes = (features, 4 * units), (units, 4 * units), (4 * units,), (3, units)
        weights = [rng.normal(size=shape) for shape in shapes]
        x = rng.normal(size=(6, 7, features))
        h, c = rng.normal(size=(2, 6, units))
        cell = answer(units)
        cell.build((None, features))
        cell.set_weights(weights)
        output, states = cell(x[:, 0], [h, c])
        every, now = [], (h, c)
        for t in range(7):
            now = step(x[:, t], *now, *weights)
            every.append(now)
        if not all(near(*pair, 1e-4) for pair in zip([output, *states], [every[0][0], *every[0]])):
            return False
        if not near(keras.layers.RNN(cell)(x, initial_state=[h, c]), every[-1][0], 1e-4):
            return False
    return True
