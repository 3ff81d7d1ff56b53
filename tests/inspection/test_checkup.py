"""Each check finds the planted fault and no other, with the number computed by NumPy."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import data_faults

RNG_SHAPE = (64, 8, 2)


def names(found):
    return [one.name for one in found]


def number(found, name):
    [one] = [one for one in found if one.name == name]
    return one.number


def data(seed=0, shape=RNG_SHAPE):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape).astype("float32")
    return x, rng.normal(size=(len(x), 1)).astype("float32")


def model_of(layer=None, steps=8, features=2, outputs=1, mask_value=None, scale=1.0):
    """A small model whose output varies about as much as normal targets do."""
    layers = [keras.Input((steps, features))]
    if mask_value is not None:
        layers.append(keras.layers.Masking(mask_value))
    start = keras.initializers.RandomNormal(stddev=2.0 * scale, seed=0)
    layers += [layer or keras.layers.LSTM(4), keras.layers.Dense(outputs, kernel_initializer=start)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return model


def classifier(steps=8, classes=2, scale=4.0):
    start = keras.initializers.RandomNormal(stddev=scale, seed=0)
    head = keras.layers.Dense(classes, "softmax", kernel_initializer=start)
    model = keras.Sequential([keras.Input((steps, 2)), keras.layers.LSTM(4), head])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_a_sound_regressor_has_no_finding():
    found = lz.checkup(model_of(), *data(), validation_data=data(1))
    assert names(found) == []
    assert not found
    assert found.skipped == ()
    assert repr(found) == "Checkup: no findings"


def test_a_trained_model_has_no_finding_on_its_own_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 6, 2)).astype("float32")
    y = (x[:, -1, 0] + x[:, 0, 1] > 0).astype(int)
    model = lz.build_classifier((6, 2), 2, lstm_units=8, dense_units=(), learning_rate=0.02)
    lz.fit(model, x, y, epochs=15, batch_size=16, seed=0, verbose=0)
    assert names(lz.checkup(model, x, y)) == []


def test_a_feature_out_of_scale_is_found_unless_the_model_scales_it():
    x, y = data()
    x[..., 1] *= 0.001
    found = lz.checkup(model_of(), x, y)
    assert names(found) == ["inputs out of scale"]
    size = np.sqrt(np.mean(x[..., 1].astype(float) ** 2))
    np.testing.assert_allclose(found.findings[0].number, size, rtol=1e-6)
    scaling = keras.layers.Normalization(mean=[0.0, 0.0], variance=[1.0, 1e-6])
    layers = [scaling, keras.layers.LSTM(4), keras.layers.Dense(1, kernel_initializer="ones")]
    sound = keras.Sequential([keras.Input((8, 2)), *layers])
    sound.compile("adam", "mse")
    assert names(lz.checkup(sound, x, y)) == []


def test_targets_near_500_are_found():
    x, y = data()
    found = lz.checkup(model_of(scale=40), x, y * 40 + 500)
    assert names(found) == ["targets out of scale"]
    expected = np.sqrt(np.mean((y.astype(float) * 40 + 500) ** 2))
    np.testing.assert_allclose(found.findings[0].number, expected, rtol=1e-5)


def padded(side):
    x, y = data()
    for row, length in zip(x[:32], np.arange(32) % 3 + 3):
        row[slice(-length, None) if side == "end" else slice(length)] = 0.0
    return x, y


@pytest.mark.parametrize("side", ["end", "start"])
def test_padding_without_a_mask_is_found_and_with_a_mask_it_is_not(side):
    x, y = padded(side)
    found = lz.checkup(model_of(), x, y)
    assert names(found) == ["unmasked padding"]
    assert found.findings[0].number == 0.5  # 32 of 64 rows
    assert side in found.findings[0].meaning
    assert names(lz.checkup(model_of(mask_value=0.0), x, y)) == []


def takes_a_mask(layers, given):
    """A model of a sequence and, as its second input, a mask or lengths."""
    x = keras.Input((8, 2))
    second = keras.Input((8,), dtype="bool") if given == "mask" else keras.Input((), dtype="int32")
    mask = second
    if given == "lengths":
        mask = keras.ops.greater(second[:, None], keras.ops.arange(8))
    h = x
    for layer in layers:
        h = layer(h, mask=mask)
    start = keras.initializers.RandomNormal(stddev=2.0, seed=0)
    model = keras.Model([x, second], keras.layers.Dense(1, kernel_initializer=start)(h))
    model.compile("adam", "mse")
    return model


TAKES_A_MASK = {
    "LSTM": lambda: [lz.LSTM(4)],
    "layer of Keras": lambda: [keras.layers.GRU(4)],
    "both ways": lambda: [keras.layers.Bidirectional(keras.layers.LSTM(4))],
    "two layers": lambda: [lz.LSTM(4, return_sequences=True), lz.LSTM(4)],
}


@pytest.mark.parametrize("layers", TAKES_A_MASK)
@pytest.mark.parametrize("given", ["mask", "lengths"])
@pytest.mark.parametrize("value", [0.0, -999.0])
def test_a_right_mask_that_is_passed_as_an_array_is_no_finding(layers, given, value):
    x, y = data()
    lengths = np.where(np.arange(64) < 32, np.arange(64) % 3 + 3, 8)
    mask = np.arange(8) < lengths[:, None]
    x[~mask] = value
    model = takes_a_mask(TAKES_A_MASK[layers](), given)
    found = lz.checkup(model, [x, mask if given == "mask" else lengths], y)
    assert {"unmasked padding", "inputs out of scale"}.isdisjoint(names(found))


def test_a_mask_of_a_model_without_recurrent_layers_is_trusted():
    x, y = padded("end")
    model = takes_a_mask([keras.layers.GlobalAveragePooling1D()], "mask")
    assert "unmasked padding" not in names(lz.checkup(model, [x, (x != 0).any(axis=2)], y))


def test_a_mask_that_keeps_the_padding_is_found():
    x, y = padded("end")
    padding = (x == 0).all(axis=2)
    model = takes_a_mask([lz.LSTM(4)], "mask")
    assert "unmasked padding" not in names(lz.checkup(model, [x, ~padding], y))
    for wrong in (np.ones((64, 8), bool), np.where(padding.any(axis=1)[:, None], padding, True)):
        found = lz.checkup(model, [x, wrong], y)
        assert number(found, "unmasked padding") == 0.5
        assert "a mask that is False there" in repr(found)


def test_a_mask_value_amid_a_row_is_found():
    x, y = data()
    x[:16, 3] = 0.0
    found = lz.checkup(model_of(mask_value=0.0), x, y)
    assert names(found) == ["mask value in data"]
    assert found.findings[0].number == 0.25
    assert names(lz.checkup(model_of(mask_value=-9.0), x, y)) == []


def test_saturated_gates_are_found():
    x, y = data()
    model = model_of()
    kernel, recurrent, bias = model.layers[0].get_weights()
    bias = np.where(np.arange(16) // 4 == 2, 0, 10)  # all gates but the candidate are open
    model.layers[0].set_weights([kernel, recurrent, bias])
    found = lz.checkup(model, x, y)
    assert names(found) == ["saturated gates"]
    seen = lz.trace(model, x)
    gates = np.stack([seen.input_gate, seen.forget_gate, seen.output_gate])
    share = np.mean((gates < 0.05) | (gates > 0.95))
    assert number(found, "saturated gates") == pytest.approx(share)
    assert share > 0.8
    assert names(lz.checkup(model_of(), x, y)) == []


def test_constant_units_are_found():
    x, y = data()
    model = model_of(keras.layers.SimpleRNN(4))
    kernel, recurrent, bias = model.layers[0].get_weights()
    kernel[:, 0], recurrent[:, 0] = 0, 0
    model.layers[0].set_weights([kernel, recurrent, bias])
    found = lz.checkup(model, x, y)
    assert names(found) == ["dead units"]
    assert found.findings[0].number == 0.25
    assert names(lz.checkup(model_of(keras.layers.SimpleRNN(4)), x, y)) == []


def test_a_memory_shorter_than_the_sequence_is_found():
    x, y = data(shape=(64, 40, 2))
    model = model_of(lz.LSTM(4, kernel_initializer="zeros", recurrent_initializer="zeros"), 40)
    kernel, recurrent, bias = model.layers[0].get_weights()
    kernel[:, 8:12] = np.random.default_rng(0).normal(size=(2, 4))  # the candidate sees the input
    model.layers[0].set_weights([kernel, recurrent, bias])  # the forget gate stays sigmoid(1)
    found = lz.checkup(model, x, y)
    assert names(found) == ["short memory"]
    forget = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(found.findings[0].number, np.log(0.01) / np.log(forget), rtol=1e-4)
    bias[4:8] = 3  # 0.01 is left after 95 steps
    model.layers[0].set_weights([kernel, recurrent, bias])
    assert names(lz.checkup(model, x, y)) == []


def linear_rnn(factor, steps):
    layer = keras.layers.SimpleRNN(1, activation="linear", recurrent_initializer="ones")
    model = model_of(layer, steps)
    kernel, recurrent, bias = layer.get_weights()
    layer.set_weights([kernel, recurrent * factor, bias])
    return model


@pytest.mark.parametrize(
    ("factor", "name"), [(0.3, "vanishing gradients"), (2.0, "exploding gradients")]
)
def test_gradients_that_vanish_or_explode_are_found_with_their_ratio(factor, name):
    x, y = data(shape=(64, 16, 2))
    found = lz.checkup(linear_rnn(factor, 16), x, y)
    np.testing.assert_allclose(number(found, name), factor**15, rtol=1e-4)
    assert names(lz.checkup(linear_rnn(0.99, 16), x, y)) == []


def test_a_constant_output_is_found():
    x, y = data()
    model = model_of(scale=0.001)
    found = lz.checkup(model, x, y)
    assert names(found) == ["constant output"]
    expected = model.predict(x, verbose=0).std() / y.std()
    np.testing.assert_allclose(found.findings[0].number, expected, rtol=1e-3)


def forecaster(last):
    """It says `last` times the last value."""
    model = keras.Sequential(
        [
            keras.Input((8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(1, use_bias=False),
        ]
    )
    model.layers[-1].set_weights([np.eye(1, 8, 7, dtype="float32").T * last])
    model.compile("adam", "mse")
    return model


def test_a_forecast_that_is_the_last_value_is_found():
    rng = np.random.default_rng(0)
    series = np.zeros(400)
    for t in range(1, 400):
        series[t] = 0.7 * series[t - 1] + rng.normal()
    x, y = lz.windows(series, 8, 1).arrays()
    found = lz.checkup(forecaster(1.02), x, y)
    assert names(found) == ["forecast is the last value"]
    chosen = np.linspace(0, len(x) - 1, 256).round().astype(int)
    last, truth = x[chosen, -1, 0], y[chosen, 0]
    expected = np.mean(np.abs(0.02 * last)) / np.mean(np.abs(truth - last))
    np.testing.assert_allclose(found.findings[0].number, expected, rtol=1e-3)
    assert names(lz.checkup(forecaster(0.7), x, y)) == []


def test_a_target_among_the_features_is_found_and_a_smooth_series_is_not():
    x, y = data()
    x[:, 2, 1] = 3 * y[:, 0] + 1
    found = lz.checkup(model_of(), x, y)
    assert names(found) == ["target in inputs"]
    np.testing.assert_allclose(found.findings[0].number, 1.0)
    assert "Feature 1 of x at step 2" in found.findings[0].meaning
    trend = np.linspace(-1.0, 1.0, 300) + np.random.default_rng(0).normal(size=300) / 100
    x, y = lz.windows(trend, 8, 1).arrays()
    assert abs(np.corrcoef(x[:, -1, 0], y[:, 0])[0, 1]) > 0.999
    assert "target in inputs" not in names(lz.checkup(forecaster(1.0), x, y))


def test_validation_that_holds_training_samples_is_found():
    x, y = data()
    other_x, other_y = data(1)
    other_x[:16] = x[:16]
    found = lz.checkup(model_of(), x, y, validation_data=(other_x, other_y))
    assert names(found) == ["validation overlaps training"]
    assert found.findings[0].number == 0.25


def test_windows_split_at_random_overlap_and_split_by_time_they_do_not():
    series = np.random.default_rng(0).normal(size=200)
    x, y = lz.windows(series, 8, 1).arrays()
    random = np.random.default_rng(1).permutation(len(x))
    train, test = random[:150], random[150:]
    model = forecaster(0.7)
    found = lz.checkup(model, x[train], y[train], validation_data=(x[test], y[test]))
    assert names(found) == ["validation overlaps training"]
    assert found.findings[0].number > 0.9
    assert not lz.checkup(model, x[:150], y[:150], validation_data=(x[150:], y[150:]))


@pytest.mark.parametrize(("ones", "name"), [(0, "one class"), (3, "class imbalance")])
def test_one_class_and_a_rare_class_are_found_with_the_majority_guess(ones, name):
    x, _ = data()
    y = np.zeros(64, int)
    y[:ones] = 1
    found = lz.checkup(classifier(), x, y)
    assert names(found) == [name]
    assert found.findings[0].number == (64 - ones) / 64
    y[::2] = 1
    assert names(lz.checkup(classifier(), x, y)) == []


SPARSE = "sparse_categorical_crossentropy"
NO_PROBABILITIES = [
    (3, "relu", SPARSE),
    (3, None, SPARSE),
    (3, "tanh", keras.losses.SparseCategoricalCrossentropy()),
    (3, None, keras.losses.sparse_categorical_crossentropy),
    (3, "relu", "categorical_crossentropy"),
    (1, "relu", "binary_crossentropy"),
    (1, None, keras.losses.BinaryFocalCrossentropy()),
    (1, None, lz.builders.ObservedLoss("binary_crossentropy")),
]
PROBABILITIES = [
    (3, "softmax", SPARSE),
    (3, "softmax", "categorical_crossentropy"),
    (3, "sigmoid", SPARSE),
    (1, "sigmoid", "binary_crossentropy"),
    (1, "hard_sigmoid", "bce"),
    (3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    (1, None, keras.losses.BinaryCrossentropy(from_logits=True)),
    (1, "relu", "mse"),
]


def outputs_of(outputs, activation, loss):
    """A model with this output layer, and data whose labels fit its loss."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.LSTM(8), keras.layers.Dense(outputs, activation)]
    model = keras.Sequential([keras.Input((8, 2)), *layers])
    model.compile("adam", loss)
    x, _ = data()
    y = np.arange(64) % max(outputs, 2)
    return model, x, np.eye(outputs)[y] if loss == "categorical_crossentropy" else y


@pytest.mark.parametrize(("outputs", "activation", "loss"), NO_PROBABILITIES)
def test_an_output_layer_that_gives_no_probabilities_is_found(outputs, activation, loss):
    model, x, y = outputs_of(outputs, activation, loss)
    found = lz.checkup(model, x, y)
    said = model.predict(x, verbose=0)
    share = np.mean((said <= 0 if activation == "relu" else said < 0) | (said > 1.01))
    assert share > 0.1
    assert number(found, "predictions are not probabilities") == pytest.approx(share)
    right = "softmax" if outputs == 3 else "sigmoid"
    assert f'Dense({outputs}, activation="{right}")' in repr(found).replace("\n  ", " ")


@pytest.mark.parametrize(("outputs", "activation", "loss"), PROBABILITIES)
def test_probabilities_logits_and_other_losses_are_no_finding(outputs, activation, loss):
    found = lz.checkup(*outputs_of(outputs, activation, loss))
    assert "predictions are not probabilities" not in names(found)


FLOATS, WORDS = data()[0], np.arange(64 * 8).reshape(64, 8) % 4 + 1
ONE, EACH = np.arange(64) % 3, np.arange(64 * 8).reshape(64, 8) % 3
SMALL = {"lstm_units": 4}
BUILT = {  # with a relu before the softmax where the builder has dense layers
    "classifier": (lambda: lz.build_classifier((8, 2), 3, dense_units=8, **SMALL), FLOATS, ONE),
    "two classes": (
        lambda: lz.build_classifier((8, 2), 2, output="sigmoid", **SMALL),
        FLOATS,
        ONE % 2,
    ),
    "tagger": (lambda: lz.build_tagger((8, 2), 3, **SMALL), FLOATS, EACH),
    "tagger with a CRF": (lambda: lz.build_tagger((8, 2), 3, crf=True, **SMALL), FLOATS, EACH),
    "language model": (lambda: lz.build_language_model(5, **SMALL), WORDS, WORDS),
    "LSTM-FCN": (lambda: lz.build_lstm_fcn((8, 2), 3, **SMALL), FLOATS, ONE),
    "seq2seq": (lambda: lz.build_seq2seq(5, 5, **SMALL), {"source": WORDS, "target": WORDS}, WORDS),
    "regressor": (lambda: lz.build_regressor((8, 2), **SMALL), FLOATS, ONE[:, None] * 1.0),
    "forecaster": (lambda: lz.build_forecaster((8, 2), 1, **SMALL), FLOATS, ONE[:, None] * 1.0),
    "autoencoder": (lambda: lz.build_autoencoder((8, 2), **SMALL), FLOATS, FLOATS),
}


@pytest.mark.parametrize("name", BUILT)
def test_no_builder_gives_a_model_without_probabilities(name):
    build, x, y = BUILT[name]
    assert "predictions are not probabilities" not in names(lz.checkup(build(), x, y))


def test_nan_in_x_or_y_is_found_before_anything_else():
    x, y = data()
    x[5, 0, 0], y[7] = np.nan, np.inf
    found = lz.checkup(model_of(), x, y)
    assert names(found) == ["not finite", "not finite"]
    assert [one.number for one in found] == [1, 1]
    assert "row 5" in found.findings[0].meaning
    assert "row 7" in found.findings[1].meaning


def test_every_kind_of_model_is_checked():
    x, _ = data()
    rng = np.random.default_rng(2)
    tags = rng.integers(0, 3, size=(64, 8))
    future = rng.normal(size=(64, 2, 1)).astype("float32")
    ahead = rng.normal(size=(64, 2)).astype("float32")
    options = {"lstm_units": 4, "dense_units": ()}
    for model, inputs, y in [
        (lz.build_tagger((None, 2), 3, **options), x, tags),
        (lz.build_regressor((8, 2), 2, cell="gru", bidirectional=True, **options), x, ahead),
        (
            lz.build_forecaster((8, 2), 2, known_future=1, quantiles=(0.1, 0.5, 0.9), **options),
            {"sequence": x, "known_future": future},
            ahead,
        ),
        (model_of(steps=1), x[:1, :1], np.ones((1, 1))),
    ]:
        found = lz.checkup(model, inputs, y)
        assert found.skipped == ()
        assert {"inputs out of scale", "unmasked padding"}.isdisjoint(names(found))


def test_it_changes_nothing_and_repeats_its_findings():
    x, y = data()
    model = model_of(keras.layers.LSTM(4, dropout=0.5))
    before = [weight.numpy() for weight in model.weights]
    assert lz.checkup(model, x, y) == lz.checkup(model, x, y)
    for weight, value in zip(model.weights, before):
        np.testing.assert_array_equal(weight, value)


def test_a_checkup_prints_what_it_found_in_text_and_html():
    x, y = data()
    found = lz.checkup(model_of(scale=40), x, y * 40 + 500)
    assert repr(found).startswith("Checkup: 1 finding\n- targets out of scale: 497 (threshold 10)")
    assert "Do: train on (y - y.mean(0)) / y.std(0)" in repr(found)
    assert found._repr_html_().count("<tr>") == 2


def test_many_samples_are_chosen_evenly():
    np.testing.assert_array_equal(data_faults.evenly(9, 3), [0, 4, 8])
    assert len(data_faults.evenly(100_000, 256)) == 256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros((3, 1))}, "x and y must have the same number of samples, got 3, 64"),
        ({"x": np.zeros((64, 8))}, "x must be of shape"),
        ({"x": []}, "x must not be empty"),
        ({"y": np.zeros((64, 3, 2))}, "y must fit predictions of shape"),
        ({"validation_data": 3}, "validation_data must be"),
        ({"mask_value": "no"}, "mask_value must be a finite number"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    x, y = data()
    with pytest.raises(ValueError, match=message):
        lz.checkup(model_of(), **{"x": x, "y": y, **change})


def test_labels_outside_the_classes_are_refused():
    with pytest.raises(ValueError, match="y must hold classes from 0 to 1, got 0 to 63"):
        lz.checkup(classifier(), data()[0], np.arange(64))


def test_an_autoencoder_does_not_leak_its_target():
    x, _ = data()
    assert "target in inputs" not in names(lz.checkup(lz.build_autoencoder((8, 2)), x, x))


def test_missing_targets_are_reported_but_not_as_a_fault_if_the_loss_ignores_them():
    x, y = data()
    y[:3] = np.nan
    model = model_of()
    assert names(lz.checkup(model, x, y)) == ["not finite"]
    model.compile("adam", lz.builders.ObservedLoss("mse"))
    found = lz.checkup(model, x, y)
    assert names(found) == []
    assert found.skipped == ("3 samples with NaN in y",)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(lz.presets.list_presets()) - {"sunspots"}))
def test_a_shipped_preset_is_sound(name):
    task = lz.presets.task_of(lz.presets.read_recipe(name))
    x, y = task.training_part()[:2]
    found = names(lz.checkup(lz.presets.load_preset(name), x, y))
    # It forgets after 16 of 98 wavelengths, and its card says that a linear model is better.
    assert found == (["short memory"] if name == "fat" else [])


@pytest.mark.long
def test_the_preset_for_sunspots_reads_less_than_it_is_given():
    task = lz.presets.task_of(lz.presets.read_recipe("sunspots"))
    x, y = task.training_part()[:2]
    found = names(lz.checkup(lz.presets.load_preset("sunspots"), x, y))
    assert found == ["short memory", "vanishing gradients"]
