"""Answers to the exercises of notebook 00, quickstart."""

import numpy as np
from keras.layers import RNN, Bidirectional

from lstm_zoo import datasets
from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "00-1",
    "Which of the six equations have weights, and which matrices and vectors are these?",
    "Four equations have a matrix W, a matrix U and a vector b. What are their shapes?",
    "Each W has units x features entries, each U units x units, each b one entry per unit.",
)
def _(answer):
    return answer == 4 * (64 * 12 + 64 * 64 + 64)


@exercise(
    "00-2",
    "With zero weights, the sums inside the four gates are zero. What are the four gates then?",
    "sigmoid(0) is 1/2 and tanh(0) is 0. Put these into the last two equations.",
    "Each step halves the cell state. The hidden state is half the tanh of the cell state.",
)
def _(answer):
    return near(answer, [0.125, 0.5 * np.tanh(0.125)], 2e-4)


@exercise(
    "00-3",
    "From which part of the data may a baseline learn its answer?",
    "Count the classes of the training part only; np.bincount counts them.",
    "Compare y_test with np.bincount(y_train).argmax() and take the mean.",
)
def _(answer):
    rng = np.random.default_rng(0)
    cases = []
    for most, other, n in ((0, 1, 1), (1, 0, 8), (3, 3, 9), (4, 2, 3)):  # in training, in the test
        y_train = np.append(rng.integers(0, 5, 20), [most] * 9)
        cases.append((y_train, np.append(rng.integers(0, 5, 2 * n), [other] * n)))
    return same_function(answer, lambda y, new: np.mean(new == np.bincount(y).argmax()), cases)


@exercise(
    "00-4",
    "Where are most weights of a recurrent model? Count those of one LSTM layer first.",
    "One LSTM layer of 16 units that reads 12 features has 1,856 weights. Skip the padding.",
    "lz.build_classifier with lstm_units=(16,), dense_units=(), mask_value=0.0; 40 epochs.",
)
def _(answer):
    data, model = datasets.load("japanese_vowels"), answer()
    right = np.mean(model.predict(data.x_test, verbose=0).argmax(axis=-1) == data.y_test)
    recurrent = any(isinstance(layer, (RNN, Bidirectional)) for layer in model.layers)
    return recurrent and model.count_params() < 3141 and right > 0.93
