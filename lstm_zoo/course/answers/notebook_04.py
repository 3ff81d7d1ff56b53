"""Answers to the exercises of notebook 04, the gates."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("04-1", "Solve sigmoid(b_i) = 0.1 and sigmoid(b_f) = 0.9; give [b_i, b_f].")
def _(answer):
    return near(1 / (1 + np.exp(-np.asarray(answer, float))), [0.1, 0.9], 0.002)


@exercise("04-2", "0.999 ** steps = 1/2: take the logarithm of both sides.")
def _(answer):
    return near(answer, 692.8, 1)


@exercise("04-3", "Both buttons have to erase; only one of them writes, and what it writes is 1.")
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


@exercise("04-4", "What is written is i * g, and neither of the two has seen the value.")
def _(answer):
    return near(answer, (1, 1), 0.01)
