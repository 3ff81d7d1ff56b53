"""Answers to the exercises of notebook 07, long-range memory."""

import keras
import numpy as np
import tensorflow as tf

from lstm_zoo import tasks
from lstm_zoo.course.exercises import exercise, near


@exercise(
    "07-1",
    "Which guess of an unknown number has the least mean squared error?",
    "The best guess is the mean of the unknown number. Its variance is what remains.",
    "A number drawn evenly from 0 to 1 has the mean 1/2: integrate (u - 1/2) ** 2.",
)
def _(answer):
    return near(answer, 1 / 12, 1e-3)


@exercise(
    "07-2",
    "At which of the 500 steps does the model make an error at all?",
    "At each of the 10 steps where the string is written, every symbol has probability 1/8.",
    "Each of the 10 steps costs ln 8. The mean is over all 500 steps.",
)
def _(answer):
    return near(answer, 10 * np.log(8) / 500, 5e-4)


@exercise(
    "07-3",
    "What is drawn at random in the chrono start: the bias, or its exponential?",
    "exp(b_f) is drawn evenly from 1 to longest - 1, and b_i = -b_f.",
    "Take the logarithm of rng.uniform(1, longest - 1, units); join -b_f, b_f and zeros.",
)
def _(answer):
    for units, longest in ((4000, 200), (3000, 20)):
        biases = np.asarray(answer(units, longest, np.random.default_rng(units)), float)
        i, f, rest = np.split(biases, [units, 2 * units])
        spread = np.quantile(np.exp(f), [0.0, 0.25, 0.5, 0.75, 1.0])
        evenly = near(spread, np.linspace(1, longest - 1, 5), 0.04 * longest)
        if not (evenly and near(i, -f, 1e-6) and near(rest, np.zeros(2 * units), 0)):
            return False
    one, other = (answer(9, 50, np.random.default_rng(seed)) for seed in (1, 2))
    return not np.array_equal(one, other)


@exercise(
    "07-4",
    "Express the time constant by the bias: what is 1 - f if f is a sigmoid?",
    "1 - f is 1 / (1 + exp(b)), so the time constant is 1 + exp(b).",
    "Solve 1 + exp(b) = 500 for b, and give at least three decimals.",
)
def _(answer):
    return near(answer, np.log(499), 9e-4)


@exercise(
    "07-5",
    "Which arrays must `build` make, and which states does `call` get and return?",
    "kernel (features, 3 units), recurrent_kernel (units, 3 units), bias (2, 3 units), in order.",
    "g = tanh(x_g + r * h_g), h = z * h + (1 - z) * g; the call returns h, [h].",
)
def _(answer):
    rng = np.random.default_rng(0)
    for units, features, steps in ((3, 2, 7), (5, 4, 6), (2, 6, 1)):
        theirs, ours = keras.layers.GRU(units, return_sequences=True), answer(units)
        layer = keras.layers.RNN(ours, return_sequences=True)
        x = rng.normal(size=(4, steps, features)).astype("float32")
        before, _ = theirs(x), layer(x)  # builds both
        weights = [rng.normal(size=w.shape) for w in theirs.get_weights()]
        if [w.shape for w in layer.get_weights()] != [w.shape for w in weights]:
            return False
        theirs.set_weights(weights)
        layer.set_weights(weights)
        start = rng.normal(size=(4, units)).astype("float32")
        same = near(layer(x, initial_state=[start]), theirs(x, initial_state=start), 1e-4)
        if not same or near(before, theirs(x), 1e-4):
            return False
        if not all(near(a, b, 1e-3) for a, b in zip(*map(_slopes, (layer, theirs), (x, x)))):
            return False
        again = type(ours).from_config(ours.get_config())
        if again.units != units or ours.state_size not in (units, [units], (units,)):
            return False
    return True


def _slopes(layer, x):
    """The gradients by the weights of a number that depends on every step."""
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(layer(x) ** 2)
    return [np.array(slope) for slope in tape.gradient(value, [w.value for w in layer.weights])]


@exercise(
    "07-6",
    "With which bias of the update gate does a state last? Which start does the text describe?",
    "Build the layer first, then change its biases with set_weights, as `chrono` does.",
    "Set bias[0, :units] of a GRU to the logarithm of numbers drawn evenly from 1 to 99.",
)
def _(answer):
    model, again = answer(0), answer(1)
    if model.count_params() > 2_000 or again.count_params() != model.count_params():
        return False
    rng = np.random.default_rng(0)
    for k, one in enumerate((model, again)):
        optimizer = keras.optimizers.Adam(0.01, global_clipnorm=1.0)
        one.compile(optimizer, "sparse_categorical_crossentropy")
        x, y = tasks.temporal_order(8_000, 100, seed=rng)
        one.fit(x, y, batch_size=32, epochs=1, shuffle=False, verbose=0)
        x, y = tasks.temporal_order(500, 100, seed=k)
        if np.mean(np.argmax(one.predict(x, verbose=0), axis=-1) == y) < 0.9:
            return False
    return True
