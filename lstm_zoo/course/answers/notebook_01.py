"""Answers to the exercises of notebook 01, sequences and RNNs."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("01-1", "Each step gives one state, and a state has as many entries as there are units.")
def _(answer):
    every, last = answer
    return tuple(every) == (8, 100, 32) and tuple(last) == (8, 32)


@exercise("01-2", "The smallest whole n with u ** n < 0.01, for 0.5 and for 0.9.")
def _(answer):
    return near(answer, (7, 44), 0)


@exercise("01-3", "Unit 1 reads the input alone, unit 2 reads what unit 1 was a step before.")
def _(answer):
    W, U, b = (np.asarray(weight, float) for weight in answer)
    x, h = np.linspace(-2, 2, 9), np.zeros(2)
    second = []
    for x_t in x:
        h = np.tanh([x_t] @ W + h @ U + b)
        second.append(h[1])
    return near(second, np.tanh(np.tanh([0, *x[:-1]])), 1e-3)


@exercise("01-4", "The state of step 20 itself can change, and each one after it.")
def _(answer):
    return answer == 31
