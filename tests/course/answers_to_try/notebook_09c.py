"""Answers to try in the exercises of notebook 09c: a right one, and careless ones."""

import numpy as np


def normalised(x, axis=1):
    return (x - x.mean(axis=axis, keepdims=True)) / x.std(axis=axis, keepdims=True)


def linear(x, y, x_new, strength=0.01):
    centre = x.mean(axis=0)
    x, x_new = x - centre, x_new - centre
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (y - y.mean()))
    return x_new @ weights + y.mean()


def quadratic(x, y, x_new):
    """Seven principal components, and all their products of two."""
    centre = x.mean(axis=0)
    axes = np.linalg.svd(x - centre, full_matrices=False)[2][:7]
    spread = ((x - centre) @ axes.T).std(axis=0)
    parts = [(a - centre) @ axes.T / spread for a in (x, x_new)]
    pairs = np.triu_indices(7)
    parts = [np.concatenate([p, p[:, pairs[0]] * p[:, pairs[1]]], axis=1) for p in parts]
    spread = parts[0].std(axis=0)
    return linear(parts[0] / spread, y, parts[1] / spread, strength=1.0)


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "09c-1": (1.0, [0.08, 0.0064 * 12.5, 19, 0.0064 * 12.5**2 + 18]),
    "09c-2": (
        lambda x: np.diff(normalised(x), axis=1),
        [
            lambda x: normalised(np.diff(x, axis=1)),
            lambda x: np.diff(normalised(x, axis=0), axis=1),
            lambda x: np.diff(normalised(x), axis=0),
            lambda x: np.gradient(normalised(x), axis=1),
        ],
    ),
    "09c-3": (
        lambda x, y, x_new: quadratic(normalised(x), y, normalised(x_new)),
        [
            lambda x, y, x_new: np.full(len(x_new), y.mean()),
            lambda x, y, x_new: linear(x, y, x_new),
            lambda x, y, x_new: linear(normalised(x), y, normalised(x_new)),
            lambda x, y, x_new: quadratic(x, y, x_new),
            lambda x, y, x_new: quadratic(normalised(x), y, normalised(x_new))[:, None],
        ],
    ),
}
