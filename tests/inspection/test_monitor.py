"""GradientMonitor against gradients by hand, in Keras's training loop and in ours."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.inspection.monitor import GradientMonitor

FITS = {"keras": lambda model, x, y, **options: model.fit(x, y, **options), "ours": lz.fit}
in_both_fits = pytest.mark.parametrize("fit", FITS.values(), ids=FITS)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(16, 6, 2)).astype("float32"), rng.normal(size=(16, 1))


def small_model(learning_rate=1e-3):
    model = keras.Sequential(
        [
            keras.Input((6, 2)),
            keras.layers.LSTM(3, name="memory"),
            keras.layers.Dense(1, name="head"),
        ]
    )
    model.compile(keras.optimizers.SGD(learning_rate), "mse")
    return model


@in_both_fits
def test_norms_are_those_of_the_last_layer_by_hand(data, fit):
    """Of mean squared error by a Dense kernel: 2 / n h^T (h w + b - y)."""
    x, y = data
    model = small_model()
    monitor = GradientMonitor(x[:5], y[:5])
    fit(model, x, y, epochs=3, verbose=0, callbacks=[monitor])
    h = model.layers[0](x[:5]).numpy()
    kernel, bias = (w.numpy() for w in model.layers[1].weights)
    error = h @ kernel + bias - y[:5]
    by_kernel, by_bias = 2 / 5 * h.T @ error, 2 / 5 * error.sum(axis=0)
    paths = [weight.path for weight in model.trainable_variables]
    assert list(monitor.gradient_norms) == list(monitor.weight_norms) == paths
    assert all(len(norms) == 3 for norms in monitor.gradient_norms.values())
    at_end = [monitor.gradient_norms[path][-1] for path in paths[3:]]
    np.testing.assert_allclose(
        at_end, [np.linalg.norm(by_kernel), np.linalg.norm(by_bias)], rtol=1e-4
    )
    norms = [np.linalg.norm(weight.numpy()) for weight in model.trainable_variables]
    np.testing.assert_allclose([n[-1] for n in monitor.weight_norms.values()], norms, rtol=1e-5)


@in_both_fits
def test_an_exploding_gradient_is_named_with_its_layer_before_the_first_step(data, fit):
    x, y = data
    model = small_model(learning_rate=1e-12)
    model.layers[1].kernel.assign(np.full((3, 1), 1e5))
    with pytest.warns(
        RuntimeWarning, match="before the first step, a gradient norm above 1000: .*memory/"
    ) as seen:
        fit(model, x, y, epochs=2, verbose=0, callbacks=[GradientMonitor(x, y)])
    [warning] = [w for w in seen if "gradient norm" in str(w.message)]
    assert "head/kernel" in str(warning.message)


@in_both_fits
def test_nan_is_named_at_the_batch_where_it_appears(data, fit):
    x, y = data
    model = small_model()

    class Break(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                model.layers[0].cell.recurrent_kernel.assign(np.full((3, 12), np.nan))

    watched = {"epochs": 1, "batch_size": 4, "verbose": 0}
    watched["callbacks"] = [Break(), GradientMonitor(x, y)]
    if fit is lz.fit:  # stops by itself
        with pytest.raises(FloatingPointError, match=r"lstm_cell/recurrent_kernel hold NaN"):
            fit(model, x, y, **watched)
        return
    with pytest.warns(RuntimeWarning, match="whose loss is not finite") as seen:
        fit(model, x, y, **watched)
    message = next(str(w.message) for w in seen if "not finite" in str(w.message))
    assert "at batch 2 of epoch 0" in message
    assert "NaN or infinity in the weights" in message
    assert "memory/lstm_cell/recurrent_kernel" in message


@pytest.mark.slow
def test_a_sound_training_on_real_data_warns_of_nothing_and_keeps_a_norm_an_epoch():
    data = lz.datasets.load("japanese_vowels")
    model = lz.build_classifier(data.x_train.shape[1:], 9, lstm_units=(8,), mask_value=0.0)
    monitor = GradientMonitor(data.x_train[:32], data.y_train[:32])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        lz.fit(model, data.x_train, data.y_train, epochs=2, seed=0, verbose=0, callbacks=[monitor])
    assert all(len(norms) == 2 for norms in monitor.gradient_norms.values())
    assert all(min(norms) > 0 for norms in monitor.gradient_norms.values())


def test_scalars_are_written_for_tensorboard(data, tmp_path):
    x, y = data
    model = small_model()
    monitor = GradientMonitor(x, y, log_dir=tmp_path)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[monitor])
    [file] = tmp_path.iterdir()
    written = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            written.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    assert len(written) == 2 * len(model.trainable_variables)
    for kind, norms in (("gradient", monitor.gradient_norms), ("weight", monitor.weight_norms)):
        for path, values in norms.items():
            np.testing.assert_allclose(written[f"{kind}_norm/{path}"], values, rtol=1e-6)


def test_gradients_of_an_embedding_count():
    words = np.array([[3, 1, 1], [2, 2, 4]])
    model = keras.Sequential(
        [keras.layers.Embedding(5, 3), keras.layers.GRU(4), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    monitor = GradientMonitor(words, np.ones((2, 1)))
    model.fit(words, np.ones((2, 1)), epochs=1, verbose=0, callbacks=[monitor])
    [path] = [path for path in monitor.gradient_norms if "embedding" in path]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(words) - 1.0) ** 2)
    [gradient] = tape.gradient(loss, [model.layers[0].embeddings.value])
    expected = np.linalg.norm(tf.convert_to_tensor(gradient))
    assert monitor.gradient_norms[path] == [pytest.approx(expected, rel=1e-4)]


def test_monitor_refuses(data):
    x, y = data
    with pytest.raises(ValueError, match="limit must be a number above 0, got 0"):
        GradientMonitor(x, y, limit=0)
    for wrong, message in (
        ((x, y[:3]), "x and y must have the same number of samples, got 16 and 3"),
        ((x[0], y), "x must be of shape"),
        ((x * np.nan, y), "x must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            small_model().fit(x, y, epochs=1, verbose=0, callbacks=[GradientMonitor(*wrong)])
