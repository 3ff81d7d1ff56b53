"""Answers to the exercises of notebook 05, step by step."""

import numpy as np
from keras.layers import RNN, Bidirectional, Masking

from lstm_zoo import datasets
from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "05-1",
    "Which gates and which candidate make the cell state grow as fast as possible?",
    "In the extreme case every step computes c = 0.9 * c + 1.",
    "A geometric sum: 1 + 0.9 + ... + 0.9 ** 6, and 1 / (1 - 0.9) without end.",
)
def _(answer):
    return near(answer, [(1 - 0.9**7) / 0.1, 10], 0.01)


@exercise(
    "05-2",
    "For each of the six equations, list what stands on its right side.",
    "Look for the equations that need only x_t and the states before the step.",
    "c needs i, f and g, and h needs o and c. The others need none of the six.",
)
def _(answer):
    return set(answer) == set("ifgo")


@exercise(
    "05-3",
    "How does one step change what is in the cell state?",
    "Each later step multiplies by its forget gate. Has the gate of step s done its work already?",
    "The gates of steps s + 1 to t count: a product along the first axis.",
)
def _(answer):
    rng = np.random.default_rng(0)
    cases = [(rng.uniform(0.1, 1, (9, 3)), s, t) for s, t in ((3, 6), (2, 2), (0, 8), (3, 4))]
    return same_function(answer, lambda f, s, t: np.prod(f[s + 1 : t + 1], axis=0), cases)


@exercise(
    "05-4",
    "Which of the six equations read the state that is erased?",
    "Without the hidden state the sums are 1, 2, 0.5 and 0. Without the cell state they are not.",
    "h = o * tanh(f * c + i * g): c = 2 with the sums 1, 2, 0.5, 0; c = 0 with 0.77 more each.",
)
def _(answer):
    def shown(c, h):
        i, f, o = (1 / (1 + np.exp(-part - h)) for part in (1, 2, 0))
        return o * np.tanh(f * c + i * np.tanh(0.5 + h))

    return near(answer, [shown(2, 0), shown(0, 0.77)], 2e-3)


@exercise(
    "05-5",
    "What share of a cell state does a forget gate of 0.98 leave after 60 steps?",
    "Start with a larger forget bias than 4, and train for more epochs.",
    "lz.LSTM(8, forget_bias=5.0), Dense(9, 'softmax'), Adam(0.02), lz.fit for 60 epochs.",
)
def _(answer):
    data, model = datasets.load("japanese_vowels"), answer()
    real = data.x_train.any(axis=-1)
    mean, scale = data.x_train[real].mean(axis=0), data.x_train[real].std(axis=0)
    x = np.where(data.x_test.any(axis=-1, keepdims=True), (data.x_test - mean) / scale, 0)
    x = np.concatenate([x, np.zeros((len(x), 60, 12))], axis=1).astype("float32")
    right = np.mean(model.predict(x, verbose=0).argmax(axis=-1) == data.y_test)
    recurrent = [layer for layer in model.layers if isinstance(layer, (RNN, Bidirectional))]
    masked = any(isinstance(layer, Masking) for layer in model.layers)
    return [layer.units for layer in recurrent] == [8] and not masked and right > 0.75
