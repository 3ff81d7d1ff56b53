"""Answers to try in the exercises of notebook 07: a right one, and careless ones."""

import numpy as np


def chrono_bias(units, longest, rng):
    b_f = np.log(rng.uniform(1, longest - 1, units))
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])


def chrono_bias_evenly_in_the_logarithm(units, longest, rng):
    b_f = rng.uniform(0, np.log(longest - 1), units)
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "07-1": (1 / 12, [1 / 6, 1 / 3, 1 / 4, 0.0]),
    "07-2": (10 * np.log(8) / 500, [np.log(8), 10 * np.log(8) / 480, np.log(8) / 500]),
    "07-3": (
        chrono_bias,
        [
            lambda units, longest, rng: -chrono_bias(units, longest, rng),
            lambda units, longest, rng: (
                np.repeat([1, 1, 0, 0], units) * np.abs(chrono_bias(units, longest, rng))
            ),
            chrono_bias_evenly_in_the_logarithm,
        ],
    ),
    "07-4": (np.log(499), [np.log(500), np.log(498), 1 - 1 / 500, -np.log(499), 499]),
}
