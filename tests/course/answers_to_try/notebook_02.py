"""Answers to try in the exercises of notebook 02: a right one, and careless ones."""

import numpy as np


def clip(gradients, largest):
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * min(1, largest / length) for g in gradients]


def clip_each(gradients, largest):
    return [g * min(1, largest / np.linalg.norm(g)) for g in gradients]


def clip_entries(gradients, largest):
    return [np.clip(g, -largest, largest) for g in gradients]


def always_scaled(gradients, largest):
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * largest / length for g in gradients]


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "02-1": (0.38**10, [2.0**10, 0.19**10, 2 * 0.19**10, 0.38]),
    "02-2": (0.25**10, [1, 0.5**10, 0.25]),
    "02-3": (
        [[0.5, 3], [0, 0.5]],
        [[[0.5, 0], [0, 0.5]], [[3, 0], [0, 0.5]], [[0, 3], [3, 0]], np.eye(3)],
    ),
    "02-4": (clip, [clip_each, clip_entries, always_scaled]),
}
