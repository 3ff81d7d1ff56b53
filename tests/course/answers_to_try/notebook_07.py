"""Answers to try in the exercises of notebook 07: a right one, and careless ones."""

import keras
import numpy as np
from keras import ops


def chrono_bias(units, longest, rng):
    b_f = np.log(rng.uniform(1, longest - 1, units))
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])


def chrono_bias_without_rng(units, longest, rng):
    b_f = np.log(np.linspace(1, longest - 1, units))
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])


def chrono_bias_evenly_in_the_logarithm(units, longest, rng):
    b_f = rng.uniform(0, np.log(longest - 1), units)
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])


class GRUCell(keras.layers.Layer):
    """Right, unless told to make one of the usual mistakes."""

    mistake = ""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = self.state_size = units

    def get_config(self):
        return {**super().get_config(), "units": self.units}

    def build(self, shape):
        rows = 1 if self.mistake == "one bias" else 2
        self.kernel = self.add_weight(shape=(shape[-1], 3 * self.units))
        self.recurrent_kernel = self.add_weight(shape=(self.units, 3 * self.units))
        self.bias = self.add_weight(shape=(rows, 3 * self.units), initializer="zeros")

    def call(self, x, states):
        [h] = states
        x_z, x_r, x_g = ops.split(x @ self.kernel + self.bias[0], 3, axis=-1)
        h_z, h_r, h_g = ops.split(h @ self.recurrent_kernel + self.bias[-1], 3, axis=-1)
        z, r = ops.sigmoid(x_z + h_z), ops.sigmoid(x_r + h_r)
        if self.mistake == "z and r exchanged":
            z, r = r, z
        if self.mistake == "no reset gate":
            r = ops.ones_like(r)
        g = ops.tanh(x_g + r * h_g)
        if self.mistake == "z lets in":
            z = 1 - z
        if self.mistake == "state kept whole":
            return h + (1 - z) * g, [h + (1 - z) * g]
        h = z * h + (1 - z) * g
        return h, [h]


def with_mistake(name):
    return type("GRUCell", (GRUCell,), {"mistake": name})


def network(layer, timesteps=100):
    head = keras.layers.Dense(4, activation="softmax")
    return keras.Sequential([keras.Input((timesteps, 8)), layer, head])


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
            chrono_bias_without_rng,
        ],
    ),
    "07-4": (np.log(499), [np.log(500), np.log(498), 1 - 1 / 500, -np.log(499), 499]),
    "07-5": (
        GRUCell,
        [
            with_mistake("z lets in"),
            with_mistake("z and r exchanged"),
            with_mistake("no reset gate"),
            with_mistake("one bias"),
            with_mistake("state kept whole"),
            keras.layers.LSTMCell,
        ],
    ),
    "07-6": (
        None,
        [
            lambda seed: network(keras.layers.SimpleRNN(16)),
            lambda seed: network(keras.layers.GRU(32)),
            lambda seed: network(keras.layers.Flatten()),
            lambda seed: network(keras.layers.SimpleRNN(16), timesteps=50),
        ],
    ),
}
