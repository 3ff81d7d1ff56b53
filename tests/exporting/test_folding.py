"""Models without scaling layers, equal to those with them."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.exporting import fold_scaling
from lstm_zoo.layers import RunningNormalization, layer_for
from lstm_zoo.layers.scaling import Normalization

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(40, 6, 3)) * [1, 5, 0.2] + [3, -20, 0.5]).astype("float32")
SCALES = ("RunningNormalization", "Normalization", "TargetScale")


def scaled(*layers, normalise=None, steps=6):
    """A model that has seen `X`, with weights that all matter."""
    inputs = keras.Input((steps, 3), name="x")
    normalise = normalise or RunningNormalization(name="scale")
    y = normalise(inputs)
    if isinstance(normalise, RunningNormalization):
        normalise(X, training=True)
    for layer in layers:
        y = layer(y)
    return randomised(keras.Model(inputs, y))


def randomised(model):
    for weight in model.trainable_variables:
        weight.assign(RNG.normal(scale=0.5, size=weight.shape))
    return model


def assert_folds(model, x=X):
    folded = fold_scaling(model)
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert not kinds & set(SCALES)
    expected = keras.tree.flatten(model.predict(x, verbose=0))
    for got, value in zip(keras.tree.flatten(folded.predict(x, verbose=0)), expected, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-5, atol=5e-6)
    return folded


@pytest.mark.parametrize(
    "layer",
    [
        *(lambda cell=cell: layer_for(cell, 4) for cell in ("lstm", "peephole", "coupled")),
        *(lambda kind=kind: kind(4) for kind in (lz.GRU, lz.SimpleRNN)),
        lambda: lz.GRU(4, reset_after=False),
        *(lambda kind=kind: kind(4) for kind in (keras.layers.LSTM, keras.layers.GRU)),
        lambda: keras.layers.GRU(4, reset_after=False),
        lambda: keras.layers.SimpleRNN(4),
        lambda: keras.layers.Bidirectional(lz.LSTM(4, return_sequences=True)),
        lambda: keras.layers.Dense(2),
        lambda: keras.layers.Conv1D(4, 3, strides=2),
    ],
)
def test_a_layer_behind_the_scale_takes_it_in(layer):
    assert_folds(scaled(layer()))


@pytest.mark.parametrize("kind", [Normalization, keras.layers.Normalization])
def test_scales_of_given_statistics_are_folded(kind):
    assert_folds(scaled(lz.LSTM(4), normalise=kind(mean=[3, -20, 0.5], variance=[1, 25, 0.04])))


def test_a_regressor_keeps_its_answers_without_its_two_scales():
    model = lz.build_regressor((6, 3), 2, lstm_units=4, mask_value=0.0, dense_units=(3,))
    y = RNG.normal(size=(40, 2)) * [100, 0.1] + [400, 2]
    lz.fit(model, X, y, epochs=1, verbose=0)
    padded = X.copy()
    padded[:10, 3:] = 0
    assert_folds(model, padded)


def test_a_classifier_and_a_sequential_model_are_folded():
    model = lz.build_classifier((None, 3), 2, lstm_units=4, bidirectional=True, normalise="running")
    model.get_layer("normalise")(X, training=True)
    assert_folds(randomised(model))
    scale = RunningNormalization()
    model = keras.Sequential([keras.Input((6, 3)), scale, lz.LSTM(4), keras.layers.Dense(2)])
    scale(X, training=True)
    assert_folds(randomised(model))


def test_a_model_without_scales_is_copied():
    model = randomised(lz.build_tagger((6, 3), 2, lstm_units=4))
    assert assert_folds(model).layers[1] is not model.layers[1]


def test_a_folded_model_streams_and_exports_as_before(tmp_path):
    model = scaled(lz.LSTM(4), keras.layers.Dense(2))
    folded = fold_scaling(model)
    for a, b in zip(lz.stream(model).step(X[:1, 0]), lz.stream(folded).step(X[:1, 0]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def two_scales():
    inputs = keras.Input((6, 3))
    layer = lz.LSTM(4)
    return keras.Model(inputs, [layer(RunningNormalization(name="scale")(inputs)), layer(inputs)])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: scaled(), "'scale' can't be folded into an output of the model"),
        (lambda: scaled(keras.layers.Conv1D(4, 3, padding="same")), "'scale'.* a Conv1D"),
        (lambda: scaled(lz.LSTM(4, use_bias=False, name="no_bias")), "'no_bias'.*use_bias=True"),
        (lambda: scaled(layer_for("layer_norm", 4)), "'scale' can't be folded into layer 'rnn"),
        (two_scales, "must not be called on inputs of two scales"),
        (
            lambda: scaled(
                lz.LSTM(4), normalise=Normalization(mean=[0, 1.7e9, 0], variance=[1, 4, 1])
            ),
            r"feature 1 has mean 1.7e\+09 and deviation 2",
        ),
        (
            lambda: lz.build_tagger((6, 3), 2, lstm_units=4, crf=True),
            "must not override predict_step",
        ),
        (lambda: keras.layers.Dense(2), "model must be a keras.Model"),
    ],
)
def test_a_scale_that_cannot_be_folded_is_refused_by_name(model, message):
    with pytest.raises(ValueError, match=message):
        fold_scaling(model())
