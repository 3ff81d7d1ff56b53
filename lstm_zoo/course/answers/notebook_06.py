"""Answers to the exercises of notebook 06, backpropagation through time."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "06-1",
    "What is the gradient along the cell state after 100 steps with a constant gate f?",
    "First find f from f ** 100 = 1/2.",
    "f = 1 / (1 + exp(-bias)): solve for the bias, ln(f / (1 - f)).",
)
def _(answer):
    return near(1 / (1 + np.exp(-np.asarray(answer, float))), 0.5**0.01, 5e-5)


@exercise(
    "06-2",
    "Which states are kept for all segments, and which for one segment at a time?",
    "With segments of S steps, the states of 400 / S + S steps are kept.",
    "The sum 400 / S + S is smallest where both parts are equal.",
)
def _(answer):
    return near(answer, (20, 40), 0)


@exercise(
    "06-3",
    "In how many places does the forget gate stand in the equation of c_t?",
    "Derive c_t by f first: two terms. Then go through the sigmoid.",
    "The derivative of c by f is c_before - g; that of the sigmoid is f (1 - f).",
)
def _(answer):
    def from_differences(dc, c_before, g, f):
        z, small = np.log(f / (1 - f)), 1e-5

        def loss(z):
            f = 1 / (1 + np.exp(-z))
            return dc * (f * c_before + (1 - f) * g)

        return (loss(z + small) - loss(z - small)) / (2 * small)

    rng = np.random.default_rng(0)
    cases = [
        (*rng.normal(size=(2, *shape)), rng.uniform(-1, 1, shape), rng.uniform(0.1, 0.9, shape))
        for shape in ((4,), (2, 3), (1, 5))
    ]
    return same_function(answer, from_differences, cases, 1e-7)


@exercise(
    "06-4",
    "How many steps back can the first output of a chunk reach, and how many the last?",
    "The first output of a chunk reaches no step back, the last one 19.",
    "Take the mean of 0, 1, ..., 19.",
)
def _(answer):
    return near(answer, 9.5, 1e-9)


@exercise(
    "06-5",
    "Which of the five lines of the backward pass remain if no gradient comes from a later step?",
    "Take `forward` and `backward` with one step, keep h, c and Adam's sums between the calls.",
    "dh = de @ V.T and dc = dh * o * (1 - tanh(c) ** 2): nothing else comes back. Adam with 0.01.",
)
def _(answer):
    rng = np.random.default_rng(5)
    steps, sequences = 12_000, 32
    value, mark = rng.uniform(-1, 1, (steps, sequences)), rng.random((steps, sequences)) < 1 / 30
    mark[0] = True
    step, kept, age, errors = answer(sequences), value[0], np.zeros(sequences, int), []
    for t in range(steps):
        kept, age = np.where(mark[t], value[t], kept), np.where(mark[t], 0, age + 1)
        told = kept if t < steps - 1 else -kept  # a step that repeats y is wrong at the end
        output = np.array(step(np.stack([value[t], mark[t]], axis=1), told[:, None].copy()))
        if output.shape != (sequences, 1):
            return False
        if t >= 9_000:
            errors.append(np.stack([age, (output[:, 0] - kept) ** 2]))
    age, square = np.concatenate(errors, axis=1)
    parts = (age == 0), (age > 0), (age >= 40)
    repeats_y = square[-sequences:].mean() > 0.3
    return not repeats_y and all(square[part].mean() < 0.05 for part in parts)
