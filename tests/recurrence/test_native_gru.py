"""The C operations of the GRU and the SimpleRNN: sizes at the edges, and inputs that do not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.recurrence import engines, native

with_library = pytest.mark.skipif(native.OPS is None, reason=str(native.WHY_NOT))
BATCH, STEPS, FEATURES, UNITS = 2, 3, 4, 5
CELLS = {"SimpleRNN": (False, False), "GRU": (True, True), "GRU, reset before": (True, False)}
every_cell = pytest.mark.parametrize("cell", CELLS)


def options_of(cell):
    gated, reset_after = CELLS[cell]
    return {"gated": gated, "reset_after": reset_after, "relu": False}


def forward_inputs(cell):
    """Of the forward operation, in its order."""
    gated, reset_after = CELLS[cell]
    gates, blocks = (3, 4 if reset_after else 3) if gated else (1, 1)
    shapes = [
        (BATCH, STEPS, FEATURES),
        (FEATURES, gates * UNITS),
        (UNITS, gates * UNITS),
        (blocks * UNITS,),
        (BATCH, UNITS),
        (BATCH, STEPS),
        (BATCH, gates, FEATURES),
        (BATCH, gates, UNITS),
    ]
    inputs = [tf.ones(shape) for shape in shapes]
    inputs[5] = tf.cast(inputs[5], tf.bool)
    return inputs


def forward(cell, inputs):
    return native.OPS.lstm_zoo_gru_forward(*inputs, keep=True, outputs=True, **options_of(cell))


def backward_inputs(cell):
    inputs = forward_inputs(cell)
    y, h, gates, h_before, reset = forward(cell, inputs)
    x, _, U, _, _, *others = inputs
    return [x, U, h_before, gates, reset, y, h, *others]


@with_library
@every_cell
@pytest.mark.parametrize("place", range(8))
def test_wrong_shapes_of_the_forward_operation_are_errors(cell, place):
    inputs = forward_inputs(cell)
    forward(cell, inputs)
    inputs[place] = tf.concat([inputs[place]] * 2, axis=-1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be"):
        forward(cell, inputs)


@with_library
@every_cell
@pytest.mark.parametrize("place", range(10))
def test_wrong_shapes_of_the_backward_operation_are_errors(cell, place):
    inputs, options = backward_inputs(cell), options_of(cell)
    native.OPS.lstm_zoo_gru_backward(*inputs, **options)
    inputs[place] = tf.concat([inputs[place]] * 2, axis=-1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be"):
        native.OPS.lstm_zoo_gru_backward(*inputs, **options)


@with_library
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (0, 4, 2, 3), (2, 500, 1, 20), (1, 30, 5, 203)])
@pytest.mark.parametrize("kind", ["GRU", "SimpleRNN"])
def test_sizes_at_the_edges_equal_keras(kind, shape):
    batch, steps, features, units = shape
    layers = [getattr(of, kind)(units, return_sequences=True) for of in (lz, keras.layers)]
    x = np.random.default_rng(0).normal(size=(batch, steps, features)).astype("float32")
    for layer in layers:
        layer.build(x.shape)
    layers[0].set_weights(layers[1].get_weights())
    y = layers[0](x)
    assert y.shape == (batch, steps, units)
    if batch:
        np.testing.assert_allclose(y, layers[1](x), atol=1e-5)


@with_library
@pytest.mark.parametrize("kind", ["GRU", "SimpleRNN"])
def test_graphs_of_unknown_sizes_run_it(kind):
    layer = getattr(lz, kind)(UNITS, return_sequences=True)
    layer.build((None, None, FEATURES))

    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
    def train(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    for batch, steps in ((2, 3), (7, 9)):
        x = tf.random.stateless_normal((batch, steps, FEATURES), [1, 2])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        for got, expected in zip(train(x), tape.gradient(loss, layer.trainable_variables)):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert engines.engine_for(engines.LayerCall.of_size(layer)).name == "native"


@with_library
@pytest.mark.parametrize("kind", ["GRU", "SimpleRNN"])
def test_the_same_call_gives_the_same_bits(kind):
    layer = getattr(lz, kind)(33, return_sequences=True)
    x = tf.random.stateless_normal((17, 20, 3), [1, 2])
    found = []
    for _ in range(3):
        with tf.GradientTape() as tape:
            y = layer(x, training=True)
            loss = tf.reduce_sum(y**2)
        found.append([y, *tape.gradient(loss, layer.trainable_variables)])
    for again in found[1:]:
        for got, expected in zip(again, found[0], strict=True):
            np.testing.assert_array_equal(got, expected)


@with_library
@pytest.mark.parametrize("kind", ["GRU", "SimpleRNN"])
def test_relu_passes_nan_through(kind):
    layer = getattr(lz, kind)(UNITS, activation="relu")
    x = np.ones((2, 3, FEATURES), "float32")
    x[0, 1, 0] = np.nan
    y = np.asarray(layer(x))
    assert np.isnan(y[0]).any()
    assert np.isfinite(y[1]).all()
