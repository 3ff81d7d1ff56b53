"""Answers to try in the exercises of notebook 05: a right one, and careless ones."""

import numpy as np

# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "05-1": (
        [1.702, 0.6836],
        [[1.702, 0.731 * 1.702], [1.702, 0.731 * np.tanh(0.7616)], [1.8212, 0.731 * 0.949]],
    ),
    "05-2": ("ifgo", ["ifg", "ifgoc", "ifo", "ch"]),
    "05-3": (
        lambda f, s, t: np.prod(f[s + 1 : t + 1], axis=0),
        [
            lambda f, s, t: np.prod(f[s : t + 1], axis=0),
            lambda f, s, t: np.prod(f[s:t], axis=0),
            lambda f, s, t: np.prod(f[s + 1 : t], axis=0),
            lambda f, s, t: f[t],
        ],
    ),
    "05-4": (0.0, [-0.1, 0.97, 1]),
}
