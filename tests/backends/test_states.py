"""Stateful layers under JAX and PyTorch: the last states of a batch are the first of the next."""

import pathlib
import sys

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import layers

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import in_numpy
from cases import numbers, weighted

BACKEND = keras.backend.backend()
FEATURES, UNITS, STEPS = 3, 3, 4
X = np.random.default_rng(0).normal(size=(2, 2 * STEPS, FEATURES)).astype("float32")
BATCHES = (X[:, :STEPS], X[:, STEPS:])
Y = np.zeros((2, UNITS), "float32")


def fitted(model, x):
    model.fit(x, Y, batch_size=2, shuffle=False, verbose=0)


CALLS = {
    "call": lambda model, x: model(x),
    "predict": lambda model, x: model.predict(x, batch_size=2, verbose=0),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
    "evaluate": lambda model, x: model.evaluate(x, Y, batch_size=2, verbose=0),
    "test_on_batch": lambda model, x: model.test_on_batch(x, Y),
    "fit": fitted,
    "train_on_batch": lambda model, x: model.train_on_batch(x, Y),
}


def model_of(layer, dtype="float32"):
    model = keras.Sequential([keras.Input(batch_shape=(2, STEPS, FEATURES), dtype=dtype), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")  # which trains, and moves no weight
    weighted(layer)
    return model


def assert_states(layer, expected, tolerance=1e-6):
    for state, wanted in zip(keras.tree.flatten(layer.states), expected, strict=True):
        np.testing.assert_allclose(numbers(state.value), wanted, atol=tolerance)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["lstm", "peephole", "min_gru", "mlstm", "layer_norm"])
def test_states_carry_over_from_batch_to_batch(name, call):
    layer = layers.layer_for(name, UNITS, stateful=True)
    model = model_of(layer)
    for x in BATCHES:
        CALLS[call](model, x)
    assert_states(layer, in_numpy.run(name, layer.cell, X)[1])
    layer.reset_state()
    assert_states(layer, [np.zeros((2, size)) for size in layer.cell.state_size])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("call", ["call", "predict", "fit"])
def test_states_carry_over_in_half_precision(policy, call):
    layer = lz.LSTM(UNITS, stateful=True, dtype=policy)
    model = model_of(layer)
    for x in BATCHES:
        CALLS[call](model, x)
    assert_states(layer, in_numpy.run("lstm", layer.cell, X)[1], tolerance=0.02)


@pytest.mark.parametrize("call", ["predict", "fit"])
def test_both_directions_and_stacked_cells_keep_their_states(call):
    both = keras.layers.Bidirectional(lz.LSTM(UNITS, stateful=True), merge_mode="sum")
    model = model_of(both)
    for x in BATCHES:
        CALLS[call](model, x)
    assert_states(both.forward_layer, in_numpy.run("lstm", both.forward_layer.cell, X)[1])
    backwards = both.backward_layer
    _, states = in_numpy.run("lstm", backwards.cell, BATCHES[0], go_backwards=True)
    _, states = in_numpy.run("lstm", backwards.cell, BATCHES[1], states, go_backwards=True)
    assert_states(backwards, states)
    below, above = cells = [lz.LSTMCell(UNITS), lz.LSTMCell(UNITS)]
    stacked = lz.RNN(cells, stateful=True)
    model = model_of(stacked)
    for x in BATCHES:
        CALLS[call](model, x)
    outputs, first = in_numpy.run("lstm", below, X)
    assert_states(stacked, [*first, *in_numpy.run("lstm", above, outputs)[1]])


def test_predict_over_batches_equals_one_long_sequence():
    layer = lz.LSTM(UNITS, stateful=True, return_sequences=True)
    model = model_of(layer)
    said = model.predict(np.concatenate(BATCHES), batch_size=2, verbose=0)
    expected, _ = in_numpy.run("lstm", layer.cell, X)
    np.testing.assert_allclose(np.concatenate([said[:2], said[2:]], axis=1), expected, atol=1e-6)


@pytest.mark.parametrize("synchronised", [True, False])
def test_callback_can_reset_states_between_batches_or_gets_a_helpful_error(synchronised):
    layer = lz.LSTM(UNITS, stateful=True)
    model = model_of(layer)

    def reset(batch, logs):
        if BACKEND == "jax" and synchronised:
            model.jax_state_sync()
        if batch == 0:
            layer.reset_state()

    def fit():
        resets = keras.callbacks.LambdaCallback(on_train_batch_end=reset)
        x, y = np.concatenate(BATCHES), np.concatenate([Y, Y])
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0, callbacks=[resets])

    if BACKEND == "jax" and not synchronised:
        with pytest.raises(ValueError, match=r"call model.jax_state_sync\(\) first"):
            fit()
        return
    fit()
    assert_states(layer, in_numpy.run("lstm", layer.cell, BATCHES[1])[1])


def test_states_are_not_weights_and_are_not_saved(tmp_path):
    layer = lz.LSTM(UNITS, stateful=True)
    model = model_of(layer)
    assert len(model.weights) == 3
    model.predict(BATCHES[0], batch_size=2, verbose=0)
    model.get_state_tree()  # each variable has a path of its own
    again = keras.models.load_model(lz.save(model, tmp_path / "model.keras"))
    layer.reset_state()
    for x in BATCHES:
        np.testing.assert_allclose(
            again.predict(x, batch_size=2, verbose=0),
            model.predict(x, batch_size=2, verbose=0),
            atol=1e-6,
        )


@pytest.mark.parametrize(
    "cell",
    [keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.LSTM, keras.layers.GRUCell],
)
def test_stateful_layers_of_keras_are_refused(cell):
    message = f"stateful must be False for .* on the {BACKEND} backend"
    with pytest.raises(ValueError, match=message):
        layers.layer_for(cell, UNITS, stateful=True)
    layers.layer_for(cell, UNITS)
