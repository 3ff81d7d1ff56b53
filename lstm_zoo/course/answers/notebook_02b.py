"""Answers to the exercises of notebook 02b, which networks learn."""

import keras
import numpy as np

from lstm_zoo import tasks
from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "02b-1",
    "Which number is multiplied with itself, and how often?",
    "f is 1 / (1 + exp(-b)). You want the smallest whole n with f ** n below a millionth.",
    "n is above ln 1e-6 / ln f, with f = 0.7311 and f = 0.9526. Round up.",
)
def _(answer):
    return near(answer, (45, 285), 0)


@exercise(
    "02b-2",
    "What is the slope of max(0, z) where z is positive?",
    "One step multiplies the gradient by a. How many steps are there?",
    "The factor is a ** 67: compute it for each of the three numbers.",
)
def _(answer):
    return near(answer, [0.97**67, 1, 1.03**67], 0.01)


@exercise(
    "02b-3",
    "Two means are taken. In which of them do opposite gradients cancel?",
    "Numerator: the length of the mean over the sequences. Denominator: the mean of the lengths.",
    "np.linalg.norm(gradients, axis=1) gives the lengths; gradients.mean(axis=0) the mean.",
)
def _(answer):
    rng = np.random.default_rng(0)
    cases = [(rng.normal(offset, 1, (n, units)),) for offset, n, units in
             ((0, 64, 3), (1, 5, 2), (-2, 7, 4), (0.5, 4, 4))]  # fmt: skip
    return same_function(
        answer,
        lambda g: np.linalg.norm(g.mean(axis=0)) / np.linalg.norm(g, axis=1).mean(),
        cases,
    )


@exercise(
    "02b-4",
    "Which of the three SimpleRNNs of this notebook learned it?",
    "Start U with the identity and replace tanh by max(0, z).",
    "SimpleRNN(16, activation='relu', recurrent_initializer='identity'), Adam(0.003), lz.fit.",
)
def _(answer):
    model = answer()
    recurrent = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    plain = len(recurrent) == 1 and type(recurrent[0]) is keras.layers.SimpleRNN
    x, y = tasks.temporal_order(512, 60, seed=90)
    return plain and np.mean(model.predict(x, verbose=0).argmax(axis=-1) == y) > 0.95
