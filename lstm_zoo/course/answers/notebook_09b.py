"""Answers to the exercises of notebook 09b, intervals and backtesting."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "09b-1",
    "What does the quantile loss charge for one gigawatt too little, and what for one too much?",
    "Too little costs q, too much costs 1 - q. Which q makes the one four times the other?",
    "Solve q = 4 * (1 - q).",
)
def _(answer):
    return near(answer, 0.8, 1e-6)


@exercise(
    "09b-2",
    "A forecast too low and one too high cost different amounts. Which costs more if q is 0.9?",
    "With e = truth[:, None] - forecasts: q * e if e is positive, (q - 1) * e if not.",
    "np.maximum(quantiles * e, (quantiles - 1) * e) does both; return the mean.",
)
def _(answer):
    def mean_loss(truth, forecasts, quantiles):
        error = truth[:, None] - forecasts
        return np.mean(np.maximum(quantiles * error, (quantiles - 1) * error))

    rng = np.random.default_rng(0)
    cases = [
        (rng.normal(size=n), rng.normal(size=(n, len(quantiles))), np.array(quantiles))
        for n, quantiles in ((6, (0.1, 0.5, 0.9)), (6, (0.9, 0.2, 0.4)), (5, (0.9,)), (3, (0.5, 1)))
    ]
    return same_function(answer, mean_loss, cases)


@exercise(
    "09b-3",
    "After the last origin, how many steps must still come?",
    "The last origin is at most length - horizon, and may be exactly that.",
    "A range that begins at `first`, in steps of `stride`, and ends before length - horizon + 1.",
)
def _(answer):
    cases = [(20, 4, 8, 4), (20, 3, 8, 4), (21, 4, 8, 3), (30, 5, 9, 4), (30, 5, 25, 1)]
    return same_function(answer, lambda n, h, at, by: list(range(at, n - h + 1, by)), cases)


@exercise(
    "09b-4",
    "Are the errors as large at every step? Are they as often positive as negative?",
    "Look at the past errors of each step alone. Which two numbers leave one in ten outside?",
    "Add np.quantile(errors, 0.1, axis=0) and np.quantile(errors, 0.9, axis=0) to the forecast.",
)
def _(answer):
    rng = np.random.default_rng(0)
    for days in (100, 200, 101, 199):
        steps, sign = int(rng.integers(4, 9)), rng.choice([-1, 1])
        size, centre = rng.uniform(0.2, 20, steps), rng.normal(0, 3, steps)
        drawn = sign * rng.exponential(1, (days + 4000, steps))  # they lean to one side
        errors, later = np.split(centre + size * drawn, [days])
        errors[rng.choice(days, 2, replace=False)] *= 30  # power cuts
        forecast = rng.normal(0, 50, steps)
        given = errors.copy(), forecast.copy()
        low, high = (np.asarray(end, float) for end in answer(*given))
        right_shape = low.shape == high.shape == (steps,)
        if not (right_shape and np.array_equal(given[0], errors) and near(given[1], forecast, 0)):
            return False
        covered = np.mean((low <= forecast + later) & (forecast + later <= high), axis=0)
        if not (np.all(np.abs(covered - 0.8) < 0.15) and abs(covered.mean() - 0.8) < 0.1):
            return False
        if np.any(high - low > 5 * size):  # the right one is 2.2 sizes wide
            return False
    return True
