"""Answers to the exercises of notebook 02, the gradient problem."""

import numpy as np

from lstm_zoo.course.exercises import exercise, same_function


@exercise(
    "02-1",
    "By how much does one step multiply the derivative?",
    "One step multiplies by u (1 - h ** 2); every step has the same factor here.",
    "The factor is 2 (1 - 0.81). It occurs ten times.",
)
def _(answer):
    return np.shape(answer) == () and np.isclose(answer, 0.38**10, rtol=0.02, atol=0)


@exercise(
    "02-2",
    "The orthogonal matrix does not change the length. What does?",
    "Where is s (1 - s) largest for s from 0 to 1? This factor occurs at each of 10 steps.",
    "s (1 - s) is largest at s = 1/2. Raise its value there to the power 10.",
)
def _(answer):
    return np.shape(answer) == () and np.isclose(answer, 2.0**-20, rtol=1e-3, atol=0)


@exercise(
    "02-3",
    "What decides about high powers of a matrix: its singular values or its eigenvalues?",
    "High powers vanish if all eigenvalues are below 1. A triangular matrix shows its own.",
    "Put numbers below 1 on the diagonal, a large number above it and 0 below it.",
)
def _(answer):
    matrix = np.asarray(answer, float)
    grows = np.linalg.norm(matrix, ord=2) > 2
    return (
        matrix.shape == (2, 2) and grows and np.abs(np.linalg.matrix_power(matrix, 50)).max() < 1e-3
    )


def clip(gradients, largest):
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * min(1, largest / length) for g in gradients]


@exercise(
    "02-4",
    "If you shorten each array by another factor, does the direction of all together stay?",
    "All arrays have one length together: the root of the sum of all squares.",
    "Multiply every array by min(1, largest / length).",
)
def _(answer):
    rng = np.random.default_rng(0)
    cases = [([np.array([[3.0, 0.0]]), np.array([-4.0])], 2.0)]
    cases += [([0.3 * rng.normal(size=(2, 3)), rng.normal(size=4)], s) for s in (0.5, 1.0, 50.0)]
    return same_function(answer, clip, cases)


@exercise(
    "02-5",
    "Walk back from the last step, as `shares` does: which gradient do you carry along?",
    "At each step dz = dh * (1 - h_t ** 2). W, U and x each get a share of it.",
    "W adds np.outer(x[t], dz), U adds np.outer(h before, dz), x[t] gets W @ dz; then dh = U @ dz.",
)
def _(answer):
    def loss(x, W, U, v):
        h = np.zeros(len(U))
        for x_t in x:
            h = np.tanh(x_t @ W + h @ U)
        return v @ h

    def by_differences(x, W, U, v):
        found = []
        for changed in (W, U, x):
            gradient = np.zeros_like(changed)
            for place in np.ndindex(changed.shape):
                start, each = changed[place], []
                for step in (1e-5, -1e-5):
                    changed[place] = start + step
                    each.append(loss(x, W, U, v))
                changed[place] = start
                gradient[place] = (each[0] - each[1]) / 2e-5
            found.append(gradient)
        return found

    rng = np.random.default_rng(0)
    cases = [
        (*(rng.normal(size=s) for s in ((t, m), (m, n), (n, n))), rng.normal(size=n))
        for t, m, n in ((1, 2, 3), (4, 3, 2), (6, 1, 4), (6, 1, 4))
    ]
    return same_function(answer, by_differences, cases)
