"""Answers to try in the exercises of notebook 15: a right one, and careless ones."""

import keras
import numpy as np

import lstm_zoo as lz


def events(alarm, truth):
    edges = np.diff(np.concatenate([[0], truth.astype(int), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    found = sum(alarm[start:end].any() for start, end in zip(starts, ends))
    return len(starts), found, np.sum(alarm & ~truth)


def in_keras_order(rows):
    i, o, f, g = np.split(rows, 4)
    return np.concatenate([i, f, g, o])


def from_onnx(W, R, B):
    first, second = np.split(B[0], 2)
    return in_keras_order(W[0]).T, in_keras_order(R[0]).T, in_keras_order(first + second)


def without_the_order(W, R, B):
    return W[0].T, R[0].T, sum(np.split(B[0], 2))


def with_one_bias(W, R, B):
    return in_keras_order(W[0]).T, in_keras_order(R[0]).T, in_keras_order(np.split(B[0], 2)[0])


def not_transposed(W, R, B):
    first, second = np.split(B[0], 2)
    return in_keras_order(W[0]), in_keras_order(R[0]), in_keras_order(first + second)


class Stream:
    def __init__(self, kernel, recurrent_kernel, bias):
        self.weights, self.h = (kernel, recurrent_kernel, bias), None

    def step(self, x_t):
        kernel, recurrent_kernel, bias = self.weights
        if self.h is None:
            self.h = self.c = np.zeros((len(x_t), len(recurrent_kernel)))
        i, f, g, o = np.split(x_t @ kernel + self.h @ recurrent_kernel + bias, 4, axis=1)
        self.c = self.c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        self.h = np.tanh(self.c) / (1 + np.exp(-o))
        return self.h.copy()

    def reset(self, rows):
        self.h[rows] = 0
        self.c[rows] = 0


class WithoutMemory(Stream):
    def step(self, x_t):
        self.h = None
        return super().step(x_t)


class ResetsOneState(Stream):
    def reset(self, rows):
        self.h[rows] = 0


class ResetsAllRows(Stream):
    def reset(self, rows):
        self.h = None


class ReturnsItsState(Stream):
    def step(self, x_t):
        super().step(x_t)
        return self.h


def with_too_many_weights(series):
    return lz.build_autoencoder((32, 1), lstm_units=(32, 16))


def untrained(series):
    keras.utils.set_random_seed(0)
    return lz.build_autoencoder((32, 1), lstm_units=(4,))


def its_own_input(series):
    inputs = keras.Input((32, 1))
    return keras.Model(inputs, keras.layers.Identity()(inputs))


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "15-1": (
        events,
        [
            lambda alarm, truth: (truth.sum(), (truth & alarm).sum(), (alarm & ~truth).sum()),
            lambda alarm, truth: (*events(alarm, truth)[:2], alarm.sum()),
            lambda alarm, truth: (events(alarm, truth)[0],) * 2 + events(alarm, truth)[2:],
        ],
    ),
    "15-2": (
        [1 - 0.99**12, 1 - 0.99**600],
        [[0.12, 6.0], [0.99**12, 0.99**600], [0.12, 1.0], [0.01, 0.01]],
    ),
    "15-3": (from_onnx, [without_the_order, with_one_bias, not_transposed]),
    "15-4": (Stream, [WithoutMemory, ResetsOneState, ResetsAllRows, ReturnsItsState]),
    "15-5": (None, [with_too_many_weights, untrained, its_own_input, lambda series: series]),
}
