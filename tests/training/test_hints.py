"""`fit` warns about unsuitable data in one line, and never about sound data."""

import warnings

import keras
import numpy as np
import pytest

import lstm_zoo as lz

STEPS, FEATURES = 12, 2


def data(samples=64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, STEPS, FEATURES)).astype("float32")
    return x, rng.normal(size=(samples, 1)).astype("float32")


def plain(loss="mse", outputs=1, activation=None):
    layers = [keras.Input((STEPS, FEATURES)), keras.layers.LSTM(2)]
    model = keras.Sequential([*layers, keras.layers.Dense(outputs, activation)])
    model.compile("sgd", loss)
    return model


def lines(model, x, y, **options):
    """The warnings of a training of one epoch."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        lz.fit(model, x, y, epochs=1, verbose=0, seed=0, **options)
    return [str(one.message) for one in seen if one.filename == __file__]


def test_sound_data_has_no_hint():
    assert lines(plain(), *data(), validation_data=data(seed=1)) == []


def test_targets_near_500_are_said_and_a_builder_that_scales_them_is_not_warned():
    x, y = data()
    [line] = lines(plain(), x, y + 500)
    assert "target 0 has a root mean square of 500" in line
    assert "lz.build_regressor" in line
    model = lz.build_regressor((STEPS, FEATURES), lstm_units=2, dense_units=())
    assert lines(model, x, y + 500) == []


@pytest.mark.parametrize("factor", [1000.0, 1e-4])
def test_inputs_of_another_size_are_said_and_scaling_in_the_model_silences_it(factor):
    x, y = data()
    x[..., 1] *= factor
    size = np.sqrt(np.mean(x[..., 1].astype("float64") ** 2))
    [line] = lines(plain(), x, y)
    assert f"feature 1 of x has a root mean square of {size:.3g}" in line
    model = lz.build_regressor((STEPS, FEATURES), lstm_units=2, dense_units=())
    assert lines(model, x, y) == []


def test_padding_does_not_count_as_a_large_input():
    x, y = data()
    x[:, -4:] = -999.0
    model = keras.Sequential(
        [
            keras.Input((STEPS, FEATURES)),
            keras.layers.Masking(-999.0),
            keras.layers.LSTM(2),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    assert lines(model, x, y) == []


def test_a_column_that_holds_the_label_is_said():
    x, _ = data()
    labels = np.arange(64) % 2
    x[..., 1] = labels[:, None]
    model = plain("sparse_categorical_crossentropy", 2, "softmax")
    [line] = lines(model, x, labels)
    assert "feature 1 of x almost gives away the target" in line


def test_a_target_that_is_to_be_remembered_is_no_leak():
    x, _ = data()
    assert lines(plain(), x, x[:, 0, :1]) == []


def test_a_smooth_series_is_no_leak():
    series = np.sin(np.arange(400) / 30)
    x, y = lz.windows(np.stack([series, series], axis=1), STEPS, 1).arrays()
    assert lines(plain(), x, y.reshape(len(y), 1)) == []


def test_windows_split_at_random_are_said_and_split_by_time_are_not():
    series = np.random.default_rng(0).normal(size=(300, FEATURES))
    x, y = lz.windows(series, STEPS, 1).arrays()
    y = y.reshape(len(y), 1)
    assert lines(plain(), x, y, validation_split=0.2) == []
    order = np.random.default_rng(1).permutation(len(x))
    [line] = lines(plain(), x[order], y[order], validation_split=0.2)
    assert "validation samples end in steps that also occur in training samples" in line


def test_validation_samples_that_are_training_samples_are_said():
    x, y = data()
    fresh = data(seed=1)
    both = [np.concatenate([one[:4], other]) for one, other in zip((x, y), fresh)]
    [line] = lines(plain(), x, y, validation_data=both)
    assert "6% of the validation samples are training samples" in line


def test_batches_are_not_read_for_hints():
    x, y = data()

    def batches():
        yield x, y + 500

    assert lines(plain(), batches(), None) == []
