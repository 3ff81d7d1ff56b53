"""The keyword arguments of a step: extra input features and random numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import lstm_zoo as lz
from lstm_zoo import cells
from lstm_zoo.cells.registry import derivatives_of

UNITS = 3
RNG = np.random.default_rng(0)
X = tf.constant(RNG.uniform(0.1, 1.0, size=(4, 5, 3)))  # two values, and the time since the last
MASK = RNG.random((4, 5)) > 0.3


class FadingCell(cells.Cell):
    """A memory that fades with time, with noise in training (the same at each step)."""

    gate_names = ("candidate",)

    def __init__(self, units, noise=0.5, **kwargs):
        super().__init__(units, **kwargs)
        self.noise = noise

    def extra_inputs(self, features):
        return {"time_gap": 1}

    def build(self, input_shape):
        super().build(input_shape)
        self.rate = self.add_weight((self.units,), "ones", name="rate")

    def draw(self, batch, timesteps):
        return {"noise": ops.ones((batch, timesteps, self.units), self.compute_dtype)}

    def step(self, z, states, time_gap, noise=None):
        [h] = states
        g = ops.tanh(z)
        h = h * ops.exp(-ops.cast(self.rate, z.dtype) * time_gap) + g
        return {"candidate": g, "hidden_state": h if noise is None else h + self.noise * noise}


class MixingFadingCell(FadingCell):
    elementwise = False


class ByHandCell(FadingCell):
    """The same with derivatives by hand, which get the extra inputs by name too."""


@derivatives_of(ByHandCell)
def _(cell, z, states, time_gap, noise=None):
    fades = ops.exp(-ops.cast(cell.rate, z.dtype) * time_gap)
    g = ops.tanh(z)
    return {
        ("hidden_state", "candidate"): 1 - g * g,
        ("hidden_state", "previous_hidden_state"): fades,
    }


class OwnValuesCell(FadingCell):
    """A cell that only Keras's loop runs."""

    def values(self, inputs, states, training=False, drawn=None):
        assert not training or set(drawn) == {"noise"}  # they come from outside of the loop
        return super().values(inputs, states, training, drawn)


LAYERS = {
    "slopes of all steps at once": lambda: lz.RNN(FadingCell(UNITS)),
    "slopes by hand": lambda: lz.RNN(ByHandCell(UNITS)),
    "autodiff of each step": lambda: lz.RNN(MixingFadingCell(UNITS)),
    "recomputed": lambda: lz.RNN(FadingCell(UNITS), recompute=True),
    "written out": lambda: lz.RNN(FadingCell(UNITS), unroll=True),
    "numbers drawn before Keras's loop": lambda: lz.RNN(OwnValuesCell(UNITS)),
}


def outputs_and_gradients(layer, x, mask=None, training=True):
    layer.build(x.shape)
    for k, weight in enumerate(layer.trainable_weights):
        weight.assign(np.random.default_rng(k).uniform(0.2, 0.8, weight.shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, mask=mask, training=training)
        loss = tf.reduce_sum(tf.sin(y))
    return y, *tape.gradient(loss, [x, *(w.value for w in layer.trainable_weights)])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_extra_inputs_and_draws_give_the_numbers_of_keras_loop(name, training):
    keras.config.set_dtype_policy("float64")
    expected = outputs_and_gradients(keras.layers.RNN(FadingCell(UNITS)), X, MASK, training)
    ours = outputs_and_gradients(LAYERS[name](), X, MASK, training)
    assert np.abs(expected[1][:, 1:, 2]).max() > 1e-3  # a gradient flows to the time gaps
    for got, wanted in zip(ours, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


def test_cells_that_differ_only_in_training_share_no_program():
    first = X[:, :1]
    quiet, loud = (lz.RNN(FadingCell(UNITS, noise)) for noise in (0.0, 2.0))
    difference = outputs_and_gradients(loud, first)[0] - outputs_and_gradients(quiet, first)[0]
    np.testing.assert_allclose(difference, 2.0, rtol=1e-5)


def test_dropout_does_not_affect_extra_inputs():
    class GapCell(FadingCell):
        def step(self, z, states, time_gap, noise=None):
            return {"candidate": z, "hidden_state": 0 * z + time_gap}

    for options in ({}, {"unroll": True}):
        layer = lz.RNN(GapCell(UNITS, dropout=0.5), return_sequences=True, **options)
        y = layer(tf.cast(X, "float32"), training=True)
        np.testing.assert_allclose(y, np.repeat(X[..., 2:], UNITS, axis=2), rtol=1e-6)


def test_zoneout_passes_the_extra_inputs_of_its_cell_through():
    gap = lz.RNN(cells.TimeGapLSTMCell(UNITS), return_sequences=True)
    zoned = lz.RNN(cells.ZoneoutCell(cells.TimeGapLSTMCell(UNITS), 0.0), return_sequences=True)
    for training in (False, True):
        expected = outputs_and_gradients(gap, tf.cast(X, "float32"), training=training)
        got = outputs_and_gradients(zoned, tf.cast(X, "float32"), training=training)
        for ours, theirs in zip(got, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
