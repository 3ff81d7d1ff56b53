"""Answers to the exercises of notebook 10, the training step."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "10-1",
    "When does a tf.function trace again?",
    "Each new shape is traced once. Which batch sizes occur in 104 sequences?",
    "104 = 32 + 32 + 32 + 8, in every epoch. How many different sizes are these?",
)
def _(answer):
    return near(answer, 2, 0)


@exercise(
    "10-2",
    "Does a part of 24 sequences count as much as a part of 8?",
    "Weigh each gradient by its number of sequences.",
    "Divide n1 * g1 + n2 * g2 by the number of all sequences.",
)
def _(answer):
    rng = np.random.default_rng(0)
    cases = [
        (rng.normal(size=s), n1, rng.normal(size=s), n2)
        for s, n1, n2 in (((3, 4), 24, 8), ((5,), 8, 24), ((2, 2), 24, 3), ((3,), 5, 5))
    ]
    return same_function(answer, lambda g1, n, g2, m: (n * g1 + m * g2) / (n + m), cases)


@exercise(
    "10-3",
    "By how much is the gradient too small for full precision?",
    "Divide 2**-14 by the gradient: the scale must be at least this large.",
    "The ratio is 610. Which power of two comes next?",
)
def _(answer):
    return near(answer, 1024, 0)
