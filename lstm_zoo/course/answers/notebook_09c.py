"""Answers to the exercises of notebook 09c, regression."""

import numpy as np

from lstm_zoo import datasets
from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "09c-1",
    "How many standard deviations is the root of the mean squared error?",
    "The root is 0.08 standard deviations. How many percent of mass is one of them?",
    "Multiply 0.08 by the standard deviation of the fat; the mean does not matter.",
)
def _(answer):
    return near(answer, 1.0, 1e-3)


@exercise(
    "09c-2",
    "Whose mean and standard deviation does each spectrum need?",
    "Normalise with axis=1 and keepdims=True first, then take differences.",
    "np.diff(normalised, axis=1) gives the differences between neighbours.",
)
def _(answer):
    def slope(x):
        x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
        return np.diff(x, axis=1)

    rng = np.random.default_rng(0)
    return same_function(answer, slope, [(rng.normal(2, 3, s),) for s in ((3, 5), (4, 8), (2, 4))])


@exercise(
    "09c-3",
    "What did the chemist do to each spectrum before anything else?",
    "Normalise each spectrum, then use few components instead of 100 absorbances.",
    "Give quadratic(normalised(x), normalised(x_new)) to scaled, and the result to ridge.",
)
def _(answer):
    data = datasets.load("tecator")
    x = np.concatenate([data.x_train, data.x_test])[..., 0].astype("float64")
    y = np.concatenate([data.y_train, data.y_test])[:, 0].astype("float64")
    errors = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(x))
        learned, new = order[:150], order[150:]
        given = x[learned], y[learned], x[new]
        found = np.asarray(answer(*given), float)
        unchanged = np.array_equal(given[0], x[learned]) and np.array_equal(given[1], y[learned])
        if found.shape != (len(new),) or not unchanged or not np.array_equal(given[2], x[new]):
            return False
        errors.append(np.sqrt(np.mean((found - y[new]) ** 2)))
    return np.mean(errors) < 1.4
