"""Answers to the exercises of notebook 04, the gates."""

import numpy as np
from keras.layers import RNN

from lstm_zoo.course.exercises import exercise, near


@exercise(
    "04-1",
    "Which two gates stand in the equation of the cell state, and which values must they have?",
    "Solve sigmoid(b_i) = 0.1 and sigmoid(b_f) = 0.9.",
    "The inverse of the sigmoid is ln(s / (1 - s)). Give [b_i, b_f].",
)
def _(answer):
    return near(1 / (1 + np.exp(-np.asarray(answer, float))), [0.1, 0.9], 0.002)


@exercise(
    "04-2",
    "After the half-life, one half of the cell state is left. Which equation says so?",
    "Solve 0.999 ** steps = 1/2.",
    "Take the logarithm of both sides: steps = ln 0.5 / ln 0.999.",
)
def _(answer):
    return near(answer, np.log(0.5) / np.log(0.999), 0.6)


@exercise(
    "04-3",
    "Say for each button what the forget gate, the input gate and the candidate must do.",
    "Both buttons must erase. Only `on` writes, and it writes 1. Without a button, keep.",
    "Biases: input gate shut, forget gate open. Both buttons shut the forget gate again.",
)
def _(answer):
    W, b = (np.asarray(part, float) for part in answer)
    c = lit = 0.0
    for button in np.random.default_rng(0).integers(0, 4, 200):  # 2 and 3: neither is pressed
        i, f, g, _ = np.array([button == 0, button == 1], float) @ W + b
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        lit = {0: 1.0, 1: 0.0}.get(int(button), lit)
        if abs(c - lit) > 0.05:
            return False
    return True


@exercise(
    "04-4",
    "What is written into the cell state is i * g. Which of the two reads the value?",
    "The input gate reads only the mark, and the candidate is constant now.",
    "At a mark i is 1 and g is tanh(10), whatever the value is.",
)
def _(answer):
    return near(answer, (1, 1), 0.01)


@exercise(
    "04-5",
    "How long do training sequences have to be, if the rule is the same at every step?",
    "Train on short sequences (about 12 steps) with the parity so far as the target of each step.",
    "LSTM(2, return_sequences=True), Dense(1, 'sigmoid'), binary_crossentropy, Adam(0.03).",
)
def _(answer):
    model = answer()
    x = np.random.default_rng(9).integers(0, 2, (64, 100, 1)).astype("float32")
    said = model.predict(x, verbose=0)
    right = said.shape == x.shape and np.mean((said > 0.5) == np.cumsum(x, axis=1) % 2) >= 0.99
    units = sum(layer.cell.units for layer in model.layers if isinstance(layer, RNN))
    return right and units == 2 and model.count_params() <= 100
