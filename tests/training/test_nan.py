"""Values that are not finite stop the training, or are skipped."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6, 3)).astype("float32")
Y = X[:, :, :1].sum(axis=1)


def regressor(activation="tanh", rate=0.01):
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((6, 3)),
        lz.LSTM(4, name="reader", activation=activation),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dense(1, name="head"),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def spoiled(number=9):
    """Batches of 4, of which one holds a NaN; not an array, which would be refused."""
    x = X.copy()
    x[number] = np.nan
    return [(x[n : n + 4], Y[n : n + 4]) for n in range(0, 24, 4)]


def finite(model):
    return all(np.isfinite(w).all() for w in model.get_weights())


def test_bad_step_stops_and_leaves_the_weights_before_it():
    model = regressor()
    with pytest.raises(FloatingPointError, match="step 3 of epoch 1 .*batch itself holds NaN"):
        lz.fit(model, iter(spoiled()), epochs=1, verbose=0)
    assert finite(model)


@pytest.mark.slow
def test_skipping_equals_training_without_the_step():
    ours, without = regressor(), regressor()
    history = lz.fit(ours, iter(spoiled()), epochs=1, on_nan="skip", verbose=0).history
    good = [batch for batch in spoiled() if np.isfinite(batch[0]).all()]
    expected = lz.fit(without, iter(good), epochs=1, verbose=0).history
    assert history["skipped"] == [1]
    assert history["loss"] == expected["loss"]
    for a, b in zip(ours.get_weights(), without.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_layer_that_overflows_is_named_and_the_best_weights_kept():
    def reader(x):
        return keras.ops.exp(60.0 * x)

    model = regressor(activation=reader, rate=1e-9)
    with pytest.raises(FloatingPointError, match="layer '.*' .*try a lower learning rate"):
        lz.fit(model, X * 100, Y, epochs=2, seed=0, verbose=0)
    assert finite(model)


def test_input_that_float32_cannot_hold_is_refused():
    wide = X.astype("float64")
    wide[3, 0, 0] = 1e39
    with pytest.raises(
        ValueError, match="x must not exceed .*, the largest float32, got 1e.39; scale it"
    ):
        lz.fit(regressor(), wide, Y)


@pytest.mark.long
def test_mixed_precision_is_as_accurate_as_float32():
    """On Japanese Vowels, over three seeds: the means within the spread of float32."""
    data = lz.datasets.load("japanese_vowels")
    accuracy = {}
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        accuracy[policy] = []
        for seed in range(3):
            keras.utils.set_random_seed(seed)
            model = lz.build_classifier(
                data.x_train.shape[1:], 9, lstm_units=(16,), learning_rate=0.01, mask_value=0.0
            )
            lz.fit(model, data.x_train, data.y_train, epochs=8, seed=seed, verbose=0)
            found = model.predict(data.x_test, verbose=0).argmax(-1) == data.y_test
            accuracy[policy].append(found.mean())
    single, half = accuracy["float32"], accuracy["mixed_float16"]
    assert np.mean(half) > np.mean(single) - max(0.02, np.ptp(single))
