"""Models with weights of Keras 2 files compute the same numbers, or are refused."""

import pathlib
import re
import shutil

import h5py
import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.weights import from_keras2

DATA = pathlib.Path(__file__).parents[1] / "data" / "weights"
NUMBERS = np.load(DATA / "keras2_layers.npz")
LAYOUTS = ("layers.h5", "layers.keras", "layers.weights.h5", "layers_weights.h5")
WITH_LAYERS = LAYOUTS[:2]


def model_like_the_files(kind=lz.LSTM, folded=False, wrapped=False, **changed):
    """As `keras2_layers` in make.py has it, but for the arguments that a layer's name is given."""
    layers, options = keras.layers, {"return_sequences": True}

    def make(layer, *given, name, **options):
        return layer(*given, name=name, **{**options, **changed.get(name, {})})

    inner = [
        make(kind, 2, name="frozen", **options),
        make(layers.BatchNormalization, name="norm"),
        make(kind, 2, name="trained", **options),
        make(layers.Dense, 2, name="each_step"),
    ]
    if wrapped:
        inner[3] = layers.TimeDistributed(inner[3])
    inner[0].trainable = False
    inputs = keras.Input((None, 3))
    x = make(layers.Masking, mask_value=0.0, name="masking")(inputs)
    gates = {"recurrent_activation": lz.cells.keras2_hard_sigmoid}
    x = make(
        layers.Bidirectional,
        make(kind, 2, name="old", **gates, **options),
        merge_mode="sum",
        name="both",
    )(x)
    x = keras.Sequential([keras.Input((None, 2)), *inner], name="inner")(x)
    x = make(layers.GRU, 2, reset_after=False, go_backwards=True, name="gru", **options)(x)
    x = make(layers.SimpleRNN, 2, activation="relu", use_bias=False, name="rnn")(x)
    x = make(layers.LeakyReLU, negative_slope=0.1, name="leaky")(x)
    last = None if folded else "softmax"
    x = make(layers.Dense, units=2, activation=last, name="dense")(x)
    return keras.Model(inputs, layers.Activation("softmax")(x) if folded else x)


@pytest.mark.parametrize("kind", [lz.LSTM, keras.layers.LSTM])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_nested_and_frozen_layers_give_keras_2s_numbers(layout, kind):
    model = model_like_the_files(kind, wrapped="weights" in layout)
    from_keras2(model, DATA / f"keras2_{layout}")
    np.testing.assert_allclose(model(NUMBERS["x"]), NUMBERS["whole"], atol=1e-6)


@pytest.mark.parametrize("layout", WITH_LAYERS)
def test_layers_frozen_in_the_file_alone_get_their_own_weights(layout):
    model = model_like_the_files()
    model.get_layer("inner").get_layer("frozen").trainable = True
    model.get_layer("inner").get_layer("trained").trainable = False
    from_keras2(model, DATA / f"keras2_{layout}")
    np.testing.assert_allclose(model(NUMBERS["x"]), NUMBERS["whole"], atol=1e-6)


def test_numbers_beyond_float32_are_refused_before_any_weight_changes(tmp_path):
    path = shutil.copy(DATA / "keras2_layers_weights.h5", tmp_path)
    with h5py.File(path, "r+") as file:
        biases = []
        file.visititems(lambda name, one: biases.append(name) if name.endswith("bias:0") else None)
        shape = file[biases[-1]].shape
        del file[biases[-1]]
        file[biases[-1]] = np.full(shape, 1e300)
    model = model_like_the_files(wrapped=True)
    before = model.get_weights()
    with pytest.raises(ValueError, match="bias must fit in float32, got numbers up to 1e\\+300"):
        from_keras2(model, path)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_an_activation_may_be_in_a_layer_or_after_it():
    model = model_like_the_files(folded=True)
    from_keras2(model, DATA / "keras2_layers.h5")
    np.testing.assert_allclose(model(NUMBERS["x"]), NUMBERS["whole"], atol=1e-6)


def test_weights_of_cudnn_gru_give_keras_2s_numbers():
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(2)])
    from_keras2(model, DATA / "keras2_cudnn_gru.h5")
    np.testing.assert_allclose(model(NUMBERS["x"]), NUMBERS["cudnn_gru"], atol=1e-5)


def test_hard_sigmoid_of_keras_2_is_saved_and_loaded(tmp_path):
    model = model_like_the_files()
    from_keras2(model, DATA / "keras2_layers.h5")
    again = lz.load(lz.save(model, tmp_path / "m.keras"))
    np.testing.assert_allclose(again(NUMBERS["x"]), NUMBERS["whole"], atol=1e-6)


@pytest.mark.parametrize("layout", WITH_LAYERS)
@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("old", "recurrent_activation", "sigmoid"),
        ("old", "recurrent_activation", "hard_sigmoid"),
        ("old", "activation", "relu"),
        ("both", "merge_mode", "ave"),
        ("masking", "mask_value", 1.0),
        ("norm", "epsilon", 0.1),
        ("trained", "activation", "relu"),
        ("frozen", "go_backwards", True),
        ("each_step", "activation", "tanh"),
        ("gru", "go_backwards", False),
        ("rnn", "activation", "tanh"),
        ("leaky", "negative_slope", 0.3),
        ("dense", "activation", "sigmoid"),
    ],
)
def test_model_that_computes_something_else_is_refused(layout, name, argument, value):
    model = model_like_the_files(**{name: {argument: value}})
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"must have {argument}=.* in the file, got {value!r}"):
        from_keras2(model, DATA / f"keras2_{layout}")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_hard_sigmoid_of_keras_3_is_not_taken_for_that_of_keras_2():
    model = model_like_the_files(old={"recurrent_activation": "hard_sigmoid"})
    wanted = re.escape("recurrent_activation=lz.cells.keras2_hard_sigmoid, as 'old'")
    with pytest.raises(ValueError, match=wanted):
        from_keras2(model, DATA / "keras2_layers.h5")


@pytest.mark.parametrize("file", ["keras2_layers.h5", "keras2_layers.keras"])
def test_other_layers_are_refused(file):
    inputs = keras.Input((None, 3))
    with pytest.raises(ValueError, match=r"5 \(both, inner, gru, rnn, dense\), got 1"):
        from_keras2(keras.Model(inputs, keras.layers.Dense(2)(inputs)), DATA / file)
    model = model_like_the_files(dense={"units": 3})
    with pytest.raises(ValueError, match="dense must have weights of"):
        from_keras2(model, DATA / file)
    same = model_like_the_files()
    without = keras.Model(same.inputs, same.layers[-1](same.layers[-3].output))
    with pytest.raises(ValueError, match="without weights, as the file: Masking, LeakyReLU; got"):
        from_keras2(without, DATA / file)


def test_time_major_layers_are_refused_and_named():
    model = keras.Sequential([keras.Input((None, 3)), lz.LSTM(2)])
    with pytest.raises(ValueError, match="'lstm.*' in the file has time_major=True"):
        from_keras2(model, DATA / "keras2_time_major.keras")


def test_each_version_of_keras_is_sent_to_its_reader(tmp_path):
    model = keras.Sequential([keras.Input((None, 3)), lz.LSTM(2)])
    with pytest.raises(ValueError, match="from Keras 3.*; lz.load reads it"):
        from_keras2(model, lz.save(model, tmp_path / "m.keras"))
    with pytest.raises(ValueError, match="Keras 2.* lz.weights.from_keras2"):
        lz.load(DATA / "keras2_layers.keras")
