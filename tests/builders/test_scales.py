"""Models take raw numbers and predict in their units, without any setting."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz

SMALL = {"lstm_units": 4, "dense_units": ()}


@pytest.fixture(scope="module")
def windows():
    return 1e6 * np.random.default_rng(0).random((5, 24, 3), dtype="float32")


@pytest.mark.parametrize("season", [1, 4, 12])
def test_an_untrained_forecaster_repeats_the_last_season(windows, season):
    model = lz.build_forecaster((24, 3), 6, season=season, **SMALL)
    expected = np.stack([np.resize(w[-season:, 0], 6) for w in windows])
    np.testing.assert_allclose(model.predict_on_batch(windows), expected, rtol=1e-5)


def test_an_untrained_forecaster_repeats_each_target_for_each_quantile(windows):
    options = {"season": 12, "num_targets": 2, "quantiles": (0.1, 0.5, 0.9)}
    model = lz.build_forecaster((24, 3), 6, **options, **SMALL)
    expected = np.repeat(windows[:, 12:18, :2, None], 3, axis=-1)
    np.testing.assert_allclose(model.predict_on_batch(windows), expected, rtol=1e-5)


def test_a_forecast_moves_with_the_level_and_the_size_of_its_window(windows):
    model = lz.build_forecaster((24, 3), 6, season=12, **SMALL)
    x = windows / 1e6
    model.fit(x, np.random.default_rng(1).random((5, 6)), epochs=3, verbose=0)
    y = model.predict_on_batch(x)
    np.testing.assert_allclose(model.predict_on_batch(100 * x + 500), 100 * y + 500, rtol=1e-4)


def test_each_step_ahead_sees_the_newest_value(windows):
    model = lz.build_forecaster((24, 3), 6, season=12, **SMALL)
    layer = model.get_layer("seasonal_linear")
    layer.kernel.assign(np.random.default_rng(3).normal(size=(24, 6)))
    moved = windows.copy()
    moved[:, -1, 0] += 1e5
    change = model.predict_on_batch(moved) - model.predict_on_batch(windows)
    assert (np.abs(change) > 1).all()


def test_the_linear_map_is_that_of_numpy_in_the_units_of_the_window(windows):
    model = lz.build_forecaster((24, 3), 6, **SMALL)
    kernel = np.random.default_rng(2).normal(size=(24, 6))
    model.get_layer("seasonal_linear").kernel.assign(kernel)
    x = windows[..., 0].astype("float64")
    mean, deviation = x.mean(1, keepdims=True), x.std(1, keepdims=True)
    z = (x - mean) / deviation
    expected = (z @ kernel + z[:, -1:]) * deviation + mean
    np.testing.assert_allclose(model.predict_on_batch(windows), expected, rtol=1e-4)


@pytest.mark.parametrize("level", [0.0, 1e-9, 7.0, 1e9])
def test_a_constant_window_is_forecast_as_constant(level):
    forecast = lz.build_forecaster((8, 1), 3, **SMALL)(np.full((1, 8, 1), level, "float32"))
    np.testing.assert_allclose(forecast, np.full((1, 3), level), rtol=1e-6)


def test_a_constant_window_gets_the_usual_scale_of_training_windows(windows):
    layer = lz.layers.WindowScale()
    for part in (windows[:2], windows[2:]):
        layer(part, training=True)
    *_, spread = layer(np.zeros((1, 24, 3), "float32"))
    usual = np.exp(np.log(windows.astype("float64").std(axis=1)).mean(axis=0))
    np.testing.assert_allclose(spread[0, 0], usual, rtol=1e-5)


def test_windows_of_tiny_numbers_are_scaled_as_large_ones_are(windows):
    scaled, *_ = lz.layers.WindowScale()(windows)
    tiny, *_ = lz.layers.WindowScale()(windows * 1e-15)
    np.testing.assert_allclose(tiny, scaled, atol=1e-5)


@pytest.mark.parametrize("end", ["start", "end"])
def test_masked_steps_do_not_change_a_forecast(windows, end):
    model = lz.build_forecaster((24, 3), 6, season=4, mask_value=-1.0, **SMALL)
    model.get_layer("seasonal_linear").kernel.assign(np.full((24, 6), 0.1))
    few = windows.copy()
    few[:, :12] = -1.0
    if end == "end":
        few = np.roll(few, 12, axis=1)
    short = lz.build_forecaster((12, 3), 6, season=4, **SMALL)
    weights = model.get_weights()
    place = [w.shape for w in weights].index((24, 6))
    weights[place] = weights[place][12:]
    short.set_weights(weights)
    expected = short.predict_on_batch(windows[:, 12:])
    np.testing.assert_allclose(model.predict_on_batch(few), expected, rtol=1e-5)


def test_a_season_longer_than_the_window_is_refused():
    with pytest.raises(ValueError, match="season must be at most .* season=12 and timesteps=8"):
        lz.build_forecaster((8, 1), 3, season=12)
    with pytest.raises(ValueError, match="timesteps=None"):
        lz.build_forecaster((None, 1), 3, season=12)
    with pytest.raises(ValueError, match="season must be None if windows are not scaled"):
        lz.build_forecaster((24, 1), 3, season=12, scale_windows=False)


def test_a_window_of_large_numbers_is_scaled_before_it_becomes_half_precision(windows):
    keras.config.set_dtype_policy("mixed_float16")
    model = lz.build_forecaster((24, 3), 6, season=12, **SMALL)
    forecast = model.predict_on_batch(windows)
    spread = windows[..., :1].std(axis=1)
    assert (np.abs(forecast - windows[:, 12:18, 0]) < 2e-3 * spread).all()


def numbers(samples=96):
    x = np.random.default_rng(0).random((samples, 6, 2), dtype="float32")
    return x, 500 + 30 * x[:, :, 0].sum(axis=1)


def batches(x, y):
    yield from ((x[k : k + 32], y[k : k + 32]) for k in range(0, len(x), 32))


def as_dataset(x, y):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(32)


@pytest.mark.parametrize("fit", ["keras", "lz"])
def test_predictions_have_the_units_of_the_targets(fit):
    x, y = numbers()
    keras.utils.set_random_seed(0)
    model = lz.build_regressor((6, 2), **SMALL)
    if fit == "keras":
        model.fit(x, y, epochs=1, verbose=0)
    else:
        lz.fit(model, x, y, epochs=1, verbose=0, seed=0)
    scale = model.get_layer("estimate")
    np.testing.assert_allclose([scale.mean[0], scale.deviation[0]], [y.mean(), y.std()], rtol=1e-5)
    error = np.abs(model.predict(x, verbose=0)[:, 0] - y).mean()
    assert error < 3 * y.std()  # 490 before


@pytest.mark.parametrize("make", [as_dataset, batches])
@pytest.mark.parametrize("fit", ["keras", "lz"])
def test_scale_is_measured_on_batches_without_losing_any(make, fit):
    x, y = numbers()
    model = lz.build_regressor((6, 2), **SMALL)
    if fit == "keras":
        model.fit(make(x, y), epochs=1, steps_per_epoch=3, verbose=0)
    else:
        lz.fit(model, make(x, y), epochs=1, steps_per_epoch=3, verbose=0, seed=0)
    assert model.optimizer.iterations == 3
    assert float(model.get_layer("estimate").mean[0]) == pytest.approx(y.mean(), rel=0.05)


def test_the_scale_is_kept_by_a_file_and_by_further_training(tmp_path):
    x, y = numbers()
    model = lz.build_regressor((6, 2), **SMALL)
    model.fit(x, y, verbose=0)
    lz.save(model, tmp_path / "model.keras")
    again = lz.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict_on_batch(x), model.predict_on_batch(x))
    again.fit(x, 10 * y, verbose=0)
    assert float(again.get_layer("estimate").mean[0]) == pytest.approx(y.mean(), rel=1e-5)


def test_a_model_learns_targets_of_any_size_alike():
    x, y = numbers()
    estimates = []
    for size, level in ((1, 0), (1000, 1e6)):
        keras.utils.set_random_seed(0)
        model = lz.build_regressor((6, 2), **SMALL)
        target = (y - y.mean()) / y.std()
        model.fit(x, size * target + level, epochs=3, shuffle=False, verbose=0)
        estimates.append((model.predict(x, verbose=0) - level) / size)
    np.testing.assert_allclose(*estimates, atol=2e-2)


def test_a_constant_target_is_learned():
    x, y = numbers()
    model = lz.build_regressor((6, 2), **SMALL)
    model.fit(x, np.full_like(y, 7.0), verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), 7.0, atol=2)


def test_missing_targets_do_not_change_the_scale():
    x, y = numbers()
    gaps = y.copy()
    gaps[::3] = np.nan
    model = lz.build_regressor((6, 2), loss=lz.builders.ObservedLoss("mse"), **SMALL)
    lz.fit(model, x, gaps, epochs=1, verbose=0, seed=0)
    assert float(model.get_layer("estimate").mean[0]) == pytest.approx(np.nanmean(gaps))


def test_streamed_predictions_have_the_units_of_the_targets():
    x, y = numbers()
    model = lz.build_regressor((6, 2), **SMALL)
    model.fit(x, y, verbose=0)
    reader = lz.stream(model, batch_size=4)
    *_, last = (reader.step(x[:4, t]) for t in range(6))
    np.testing.assert_allclose(last, model.predict_on_batch(x[:4]), rtol=1e-5)
