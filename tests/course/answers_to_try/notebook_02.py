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


def backward(x, W, U, v):
    states = [np.zeros(len(U))]
    for x_t in x:
        states.append(np.tanh(x_t @ W + states[-1] @ U))
    dW, dU, dx, dh = np.zeros_like(W), np.zeros_like(U), np.zeros_like(x), v
    for t in reversed(range(len(x))):
        dz = dh * (1 - states[t + 1] ** 2)
        dW, dU = dW + np.outer(x[t], dz), dU + np.outer(states[t], dz)
        dx[t], dh = W @ dz, U @ dz
    return dW, dU, dx


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "02-1": (0.38**10, [2.0**10, 0.19**10, 2 * 0.19**10, 0.38]),
    "02-2": (0.25**10, [1, 0.5**10, 0.25]),
    "02-3": (
        [[0.5, 3], [0, 0.5]],
        [[[0.5, 0], [0, 0.5]], [[3, 0], [0, 0.5]], [[0, 3], [3, 0]], np.eye(3)],
    ),
    "02-4": (clip, [clip_each, clip_entries, always_scaled]),
    "02-5": (
        backward,
        [
            lambda x, W, U, v: backward(x[-1:], W, U, v),  # the last step alone
            lambda x, W, U, v: backward(x, W, U.T, v),
            lambda x, W, U, v: [np.zeros_like(W), np.zeros_like(U), np.zeros_like(x)],
            lambda x, W, U, v: backward(x, W, U, np.ones_like(v)),
        ],
    ),
}
