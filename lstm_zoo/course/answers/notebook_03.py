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
    "Compute the two gates first. Which product must wait for the reset gate?",
    "Split kernel, recurrent_kernel and bias into three blocks each, in the order z, r, g.",
    "g = tanh(x_g + (r * h) @ U_g); h = z * h + (1 - z) * g; return h, [h].",
)
def _(answer):
    rng = np.random.default_rng(0)
    for units, features in ((1, 3), (4, 2), (5, 5)):
        ours, theirs = answer(units), keras.layers.GRUCell(units, reset_after=False)
        x, h = rng.normal(size=(6, 7, features)), rng.normal(size=(6, units))
        for cell in (ours, theirs):
            cell.build((None, features))
        weights = [rng.normal(size=weight.shape) for weight in theirs.weights]
        layers = []
        for cell in (ours, theirs):
            cell.set_weights(weights)
            layers.append(keras.layers.RNN(cell, return_sequences=True))
        (out, states), (expected, _) = (cell(x[:, 0], [h]) for cell in (ours, theirs))
        if not (near(out, expected, 1e-5) and near(states[0], expected, 1e-5)):
            return False
        if not near(layers[0](x, initial_state=[h]), layers[1](x, initial_state=[h]), 1e-5):
            return False
    return True
