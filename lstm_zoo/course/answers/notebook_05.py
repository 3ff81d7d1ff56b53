"""Answers to the exercises of notebook 05, step by step."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "05-1",
    "The sums are not the gates yet. What must happen to each of the four?",
    "f, i and o are sigmoids of their sums, g is the tanh of its sum.",
    "c = f * 1.5 + i * g, then h = o * tanh(c); give [c, h].",
)
def _(answer):
    c = 1.5 / (1 + np.exp(-2)) + 0.5 * np.tanh(1)
    return near(answer, [c, np.tanh(c) / (1 + np.exp(-1))], 1e-3)


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
    "What would be erased?",
    "What are both states before the first step?",
    "Both are zeros already, so the model does not notice.",
)
def _(answer):
    return near(answer, 0, 0)
