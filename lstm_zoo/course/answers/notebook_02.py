"""Answers to the exercises of notebook 02, the gradient problem."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near


@exercise("02-1", "One step multiplies by u (1 - h ** 2); the same factor comes in at each step.")
def _(answer):
    return np.isclose(answer, 0.38**10, rtol=0.02, atol=0)


@exercise(
    "02-2", "Where is s * (1 - s) largest for s from 0 to 1? It comes in at each of 10 steps."
)
def _(answer):
    return np.isclose(answer, 2.0**-20, rtol=1e-3, atol=0)


@exercise("02-3", "Try numbers below 1 on the diagonal and one large number beside them.")
def _(answer):
    matrix = np.asarray(answer, float)
    grows = np.linalg.norm(matrix, ord=2) > 2
    return (
        matrix.shape == (2, 2) and grows and np.abs(np.linalg.matrix_power(matrix, 50)).max() < 1e-3
    )


@exercise("02-4", "One length for all arrays together: the root of the sum of all squares.")
def _(answer):
    long, short = [np.array([[3.0, 0.0]]), np.array([4.0])], [np.array([0.3]), np.array([[0.4]])]
    clipped, kept = answer(long, 2.0), answer(short, 2.0)
    return (
        near(clipped[0], [[1.2, 0.0]], 1e-6)
        and near(clipped[1], [1.6], 1e-6)
        and near(kept[0], [0.3], 1e-6)
        and near(kept[1], [[0.4]], 1e-6)
    )
