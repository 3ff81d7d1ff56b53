"""Answers to try in the exercises of notebook 13: a right one, and careless ones."""

import keras
import numpy as np
from keras import ops

import lstm_zoo as lz


def combine(A_1, b_1, A_2, b_2):
    return A_2 @ A_1, A_2 @ b_1 + b_2


def kernel(A, B, C, delta, steps):
    a_bar = np.exp(delta * A)
    b_bar = (a_bar - 1) / A * B
    return np.array([np.sum(C * a_bar**t * b_bar) for t in range(steps)])


def kernel_with_b(A, B, C, delta, steps):
    return np.array([np.sum(C * np.exp(delta * A) ** t * B) for t in range(steps)])


def kernel_one_step_late(A, B, C, delta, steps):
    return kernel(A, B, C, delta, steps + 1)[1:]


def kernel_of_one_entry(A, B, C, delta, steps):
    return kernel(A[:1], B[:1], C[:1], delta, steps)


def switch(of_the_hidden_state=-50.0, units=1):
    model = keras.Sequential([keras.Input((None, 1)), lz.LSTM(units), keras.layers.Dense(1)])
    if units == 1:
        kernel, recurrent = [[40.0, -40, 0, 0]], [[of_the_hidden_state, 0, 0, 0]]
        bias = [-20.0, 20, 20, 20]
        values = [kernel, recurrent, bias, [[1 / np.tanh(1)]], [0.0]]
        model.set_weights([np.array(value) for value in values])
    return model


class ReadsNoState(lz.cells.Cell):
    gate_names = ("candidate",)
    recurrent_names = ()
    z_weights = ("kernel", "bias")

    def step(self, z, states):
        return {"candidate": z, "hidden_state": ops.tanh(z)}


class ReadsNoInput(lz.cells.Cell):
    gate_names = ("candidate",)

    def step(self, z, states):
        return {"candidate": z, "hidden_state": 0.9 * states[0]}


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "13-1": (14784, [4 * 64 * 77, 3 * 64 * 76, 3 * 64 * 12, 11088]),
    "13-2": (
        combine,
        [
            lambda A_1, b_1, A_2, b_2: (A_1 @ A_2, A_2 @ b_1 + b_2),
            lambda A_1, b_1, A_2, b_2: (A_2 @ A_1, A_1 @ b_2 + b_1),
            lambda A_1, b_1, A_2, b_2: (A_2 @ A_1, b_1 + b_2),
            lambda A_1, b_1, A_2, b_2: (A_2 * A_1, A_2 @ b_1 + b_2),
        ],
    ),
    "13-3": (kernel, [kernel_with_b, kernel_one_step_late, kernel_of_one_entry]),
    "13-4": (switch(), [switch(0.0), switch(50.0), switch(units=2)]),
    "13-5": (None, [lz.LSTMCell, lz.CoupledLSTMCell, ReadsNoState, ReadsNoInput]),
}
