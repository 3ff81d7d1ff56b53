"""The options of builders: pooling, heads, losses, regularizers, tokens, scales."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.layers import RunningNormalization, ScaledBack, WindowScale

RNG = np.random.default_rng(0)
SMALL = {"lstm_units": 4, "dense_units": ()}


def softmax(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


def attention(h, layer):
    kernel, bias, query = layer.get_weights()
    return softmax(np.tanh(h @ kernel + bias) @ query) @ h


POOLED = {  # in NumPy, of the steps that count: (timesteps, features)
    "last": lambda h, layer: h[-1],
    "mean": lambda h, layer: h.mean(axis=0),
    "max": lambda h, layer: h.max(axis=0),
    "attention": attention,
}


@pytest.mark.parametrize("pooling", POOLED)
def test_pooling_equals_numpy_and_leaves_masked_steps_out(pooling):
    keras.utils.set_random_seed(1)
    plain = SMALL | {"normalise": None, "normalise_summary": False}
    model = lz.build_classifier((None, 2), 3, pooling=pooling, mask_value=0.0, **plain)
    layer = model.layers[-2]
    if pooling == "attention":
        layer.set_weights([RNG.normal(size=w.shape) for w in layer.get_weights()])
    x = RNG.normal(size=(2, 6, 2)).astype("float32")
    x[0, 4:] = 0
    lengths = (4, 6)
    kernel, bias = model.layers[-1].get_weights()
    weights = [w.numpy().astype("float64") for w in model.get_layer("recurrent_1").weights]
    for row, steps, got in zip(x, lengths, model(x).numpy()):
        hidden, _ = lz.lstm_in_numpy(row[None, :steps].astype("float64"), *weights)
        expected = softmax(POOLED[pooling](hidden[0], layer) @ kernel + bias)
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLED)
def test_a_fully_masked_sequence_gives_the_output_of_zeros(pooling):
    model = lz.build_regressor((None, 2), pooling=pooling, mask_value=0.0, **SMALL)
    np.testing.assert_array_equal(model(np.zeros((1, 3, 2))), [[0.0]])


def test_a_classifier_of_fixed_length_series_pools_by_max():
    def names_of(*shape, **options):
        return [layer.name for layer in lz.build_classifier(shape, 2, **options).layers]

    assert "max" in names_of(9, 1)
    assert "max" not in names_of(None, 1)
    assert "max" not in names_of(9, 1, pooling="last")


def test_max_over_time_is_right_in_half_precision():
    layer = lz.layers.MaxOverTime(dtype="float16")
    x, mask = np.array([[[-7.0], [-5.0], [3.0]]]), np.array([[True, True, False]])
    assert layer(x, mask=mask).numpy().tolist() == [[-5.0]]


@pytest.mark.slow
def test_sigmoid_head_learns_from_zeros_and_ones():
    keras.utils.set_random_seed(0)
    x = RNG.normal(size=(64, 5, 1))
    y = (x.sum(axis=(1, 2)) > 0).astype("int32")
    model = lz.build_classifier((5, 1), 2, output="sigmoid", learning_rate=0.05, **SMALL)
    assert model.output_shape == (None, 1)
    model.fit(x, y, epochs=20, verbose=0)
    assert np.mean((model.predict(x, verbose=0)[:, 0] > 0.5) == y) > 0.9
    assert model.evaluate(x, y, verbose=0)[1] > 0.9


def test_multilabel_head_gives_independent_probabilities():
    model = lz.build_classifier((5, 1), 3, output="multilabel", **SMALL)
    loss, accuracy = model.evaluate(np.zeros((2, 5, 1)), np.array([[1, 1, 0]] * 2), verbose=0)
    assert loss == pytest.approx(np.log(2))  # of zeros, every probability is a half
    assert model.output_shape == (None, 3)


def test_given_loss_metrics_and_optimizer_are_used():
    model = lz.build_regressor(
        (5, 1), loss="mae", metrics=["mse"], optimizer="sgd", learning_rate=0.5, **SMALL
    )
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert float(model.optimizer.learning_rate) == 0.5
    x, y = np.zeros((2, 5, 1)), np.full((2, 1), 3.0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx([3.0, 9.0])
    own = keras.optimizers.AdamW(0.1)
    assert lz.build_classifier((5, 1), 2, optimizer=own, **SMALL).optimizer is own


@pytest.mark.parametrize("cell", ["lstm", "peephole", "gru", lz.cells.CoupledLSTMCell])
def test_regularizers_and_recurrent_dropout_reach_every_cell(cell):
    model = lz.build_classifier(
        (5, 2),
        3,
        cell=cell,
        recurrent_dropout=0.5,
        kernel_regularizer=keras.regularizers.L2(0.1),
        recurrent_regularizer="l1",
        bias_regularizer="l2",
        **SMALL,
    )
    layer = model.get_layer("recurrent_1")
    assert layer.cell.recurrent_dropout == 0.5
    kernel, recurrent, bias = (w.numpy() for w in layer.weights[:3])
    wanted = 0.1 * (kernel**2).sum() + 0.01 * abs(recurrent).sum() + 0.01 * (bias**2).sum()
    assert float(sum(model.losses)) == pytest.approx(wanted, rel=1e-5)


class OwnCell(lz.LSTMCell):
    """A cell without a layer of its own."""


def test_options_of_a_cell_reach_it_through_the_layer_for_any_cell():
    layer = lz.layers.layer_for(OwnCell, 3, recurrent_dropout=0.25, return_sequences=True)
    assert layer.cell.recurrent_dropout == 0.25
    assert layer.return_sequences


@pytest.mark.slow
def test_tokens_are_embedded_and_padding_is_masked():
    model = lz.build_classifier(
        (None,), 3, vocabulary_size=7, embedding_dim=5, mask_value=0, pooling="mean", **SMALL
    )
    assert model.get_layer("embedding").weights[0].shape == (7, 5)
    tokens = np.array([[3, 1, 6]])
    padded = np.array([[3, 1, 6, 0, 0]])
    np.testing.assert_allclose(model(tokens), model(padded), atol=1e-6)
    model.fit(padded, np.array([2]), verbose=0)


def test_normalise_scales_each_feature_and_ignores_padding():
    x = RNG.normal(size=(50, 8, 2)) * [100, 0.01] + [1000, 5]
    padded = np.concatenate([x, np.zeros((50, 4, 2))], axis=1)
    model = lz.build_regressor((None, 2), normalise=padded, mask_value=0.0, **SMALL)
    inside = keras.Model(model.input, model.get_layer("normalise").output)(x).numpy()
    np.testing.assert_allclose(inside.mean(axis=(0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(inside.std(axis=(0, 1)), 1, atol=1e-4)
    np.testing.assert_allclose(model(x), model(padded), atol=1e-5)


def test_running_normalisation_has_the_mean_and_deviation_of_all_steps_seen():
    x = RNG.normal(size=(13, 6, 3)) * [100, 0.01, 0] + [1000, 5, 7.7]
    mask = RNG.random((13, 6)) < 0.7
    mask[4] = False  # a batch of nothing
    layer = RunningNormalization()
    for start, end in ((0, 4), (4, 5), (5, 6), (6, 13)):
        layer(x[start:end], mask=mask[start:end], training=True)
    seen = x[mask]
    np.testing.assert_allclose(layer.mean, seen.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(layer.variance, seen.var(axis=0), rtol=1e-3, atol=1e-9)
    assert float(layer.count) == mask.sum()
    expected = (x - seen.mean(axis=0)) / [*seen.std(axis=0)[:2], 1]
    before = [w.numpy() for w in layer.weights]
    np.testing.assert_allclose(layer(x), expected, atol=1e-3)
    layer.trainable = False
    layer(x + 1, training=True)
    for weight, value in zip(layer.weights, before):
        np.testing.assert_array_equal(weight, value)


def test_running_normalisation_of_a_float64_model_computes_in_float64():
    x = RNG.normal(size=(4, 5, 2)) * 3 + 7
    layer = RunningNormalization(dtype="float64")
    y = layer(x, training=True).numpy()
    np.testing.assert_allclose(y, (x - x.mean(axis=(0, 1))) / x.std(axis=(0, 1)), rtol=1e-12)


def test_running_normalisation_in_half_precision_reads_large_numbers():
    layer = RunningNormalization(dtype="mixed_float16")
    y = layer(np.array([[[1e6], [3e6]]], "float32"), training=True)
    assert y.dtype == "float16"
    assert y.numpy().ravel().tolist() == [-1, 1]


def test_classifier_learns_the_size_of_its_features_as_it_trains(tmp_path):
    x = RNG.normal(size=(20, 8, 2)) * [100, 0.01] + [1000, 5]
    x = np.concatenate([x, np.zeros((20, 3, 2))], axis=1).astype("float32")
    y = np.arange(20) % 2
    model = lz.build_classifier((None, 2), 2, mask_value=0.0, **SMALL)
    lz.fit(model, x, y, epochs=1, batch_size=7, verbose=0)
    inside = keras.Model(model.input, model.get_layer("normalise").output)(x).numpy()[:, :8]
    np.testing.assert_allclose(inside.mean(axis=(0, 1)), 0, atol=1e-3)
    np.testing.assert_allclose(inside.std(axis=(0, 1)), 1, atol=1e-3)
    loaded = keras.models.load_model(lz.save(model, tmp_path / "model.keras"))
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)


@pytest.mark.parametrize("normalise", ["running", np.ones((1, 5, 2)), None])
def test_a_model_refuses_other_features_than_it_was_built_for(normalise):
    """A scaling that broadcasts would silently turn one feature into two equal ones."""
    model = lz.build_classifier((5, 2), 2, normalise=normalise, **SMALL)
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 2"):
        model.predict(np.ones((3, 5, 1)), verbose=0)
    model.predict(np.ones((3, 5, 2)), verbose=0)
    # Now Keras traces for any number of features, and TensorFlow finds out when it runs.
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.predict(np.ones((3, 5, 1)), verbose=0)


def test_running_normalisation_does_not_scale_tokens_and_times():
    names = {
        cell: [layer.name for layer in lz.build_classifier((5, 3), 2, cell=cell, **SMALL).layers]
        for cell in ("lstm", "gru", "gru_d", "time_gap")
    }
    assert [cell for cell, found in names.items() if "normalise" in found] == ["lstm", "gru"]
    tokens = lz.build_classifier((5,), 2, vocabulary_size=9, **SMALL)
    assert "normalise" not in [layer.name for layer in tokens.layers]


def test_forecast_on_the_scale_of_its_window_moves_with_the_window():
    """The forecast of a + b x is a + b times the forecast of x."""
    x = RNG.normal(size=(3, 10, 2)).astype("float32")
    for options in ({}, {"quantiles": (0.1, 0.9)}, {"num_targets": 2, "quantiles": (0.1, 0.9)}):
        model = lz.build_forecaster((10, 2), 4, scale_windows=True, **SMALL, **options)
        np.testing.assert_allclose(model(200 + 30 * x), 200 + 30 * model(x), rtol=1e-4)


def test_window_scale_ignores_masked_steps():
    x = np.array([[[1.0], [3.0], [99.0]]])
    scaled, mean, spread = WindowScale()(x, mask=np.array([[True, True, False]]))
    assert scaled.numpy()[0, :2, 0].tolist() == [-1.0, 1.0]
    assert (mean.numpy().item(), spread.numpy().item()) == (2.0, 1.0)
    back = ScaledBack(1, False)([np.array([[0.0, 1.0]]), mean, spread])
    assert back.numpy().tolist() == [[2.0, 3.0]]


@pytest.mark.slow
def test_forecaster_uses_known_future_and_static_features():
    """The targets are the known future times the static feature; the past does not help."""
    keras.utils.set_random_seed(0)
    n, horizon = 256, 3
    x = {
        "sequence": RNG.normal(size=(n, 5, 1)),
        "known_future": RNG.normal(size=(n, horizon, 1)),
        "static": RNG.choice([-1.0, 1.0], size=(n, 1)),
    }
    y = x["known_future"][..., 0] * x["static"]
    model = lz.build_forecaster(
        (5, 1), horizon, known_future=1, static=1, lstm_units=8, dense_units=16, learning_rate=0.02
    )
    before = model.evaluate(x, y, verbose=0)[0]
    model.fit(x, y, epochs=150, verbose=0)
    assert model.evaluate(x, y, verbose=0)[0] < before / 3


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (None, 6)),
        ({"num_targets": 2}, (None, 6, 2)),
        ({"num_targets": 2, "quantiles": (0.1, 0.5, 0.9)}, (None, 6, 2, 3)),
        ({"known_future": 2}, (None, 6)),
        ({"known_future": 2, "quantiles": (0.1, 0.5, 0.9)}, (None, 6, 3)),
        ({"known_future": 2, "static": 3, "num_targets": 2}, (None, 6, 2)),
    ],
)
def test_forecast_has_the_documented_shape(options, shape):
    assert lz.build_forecaster((5, 2), 6, **SMALL, **options).output_shape == shape


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: lz.build_classifier((5, 1), 2, pooling="mena"), "pooling must .* 'mean'"),
        (lambda: lz.build_classifier((5, 1), 2, output="tanh"), "output must be one of softmax"),
        (lambda: lz.build_classifier((5, 1), 3, output="sigmoid"), "num_classes must be 2"),
        (lambda: lz.build_classifier((5, 1), 2, loss="crossentropy"), "loss"),
        (lambda: lz.build_classifier((5, 1), 2, optimizer="sgdd"), "optimizer must be .*'sgdd'"),
        (lambda: lz.build_classifier((5, 1), 2, recurrent_dropout=2), "recurrent_dropout must be"),
        (lambda: lz.build_classifier((5, 1), 2, vocabulary_size=9), r"\(timesteps or None,\)"),
        (lambda: lz.build_classifier((5,), 2), "input_shape must be"),
        (lambda: lz.build_classifier((5,), 2, vocabulary_size=1), "vocabulary_size must be"),
        (lambda: lz.build_classifier((5,), 2, vocabulary_size=9, mask_value=1), "mask_value must"),
        (lambda: lz.build_classifier((5, 1), 2, normalise=np.ones((3, 5, 2))), "normalise must"),
        (lambda: lz.build_classifier((5, 1), 2, normalise=np.ones((3, 5))), "normalise must"),
        (lambda: lz.build_classifier((5, 1), 2, normalise="runing"), "did you mean 'running'"),
        (lambda: lz.build_autoencoder((5, 1), normalise="running"), "normalise must be training"),
        (lambda: lz.build_forecaster((5, 1), 2, num_targets=2), "num_targets must be at most"),
        (lambda: lz.build_forecaster((5, 1), 2, known_future=-1), "known_future must be"),
        (
            lambda: lz.build_classifier(
                (5, 1), 2, optimizer=keras.optimizers.SGD(), learning_rate=0.1
            ),
            "learning_rate must be None if optimizer is an object",
        ),
    ],
)
def test_bad_option_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("masked", [False, True])
def test_batch_normalisation_equals_that_of_keras(masked):
    """On one device, where both ignore masked steps."""
    from lstm_zoo.layers import BatchNormalization

    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (4, 5, 3)).astype("float32")
    mask = rng.random((4, 5)) < 0.6 if masked else None
    ours, theirs = BatchNormalization(), keras.layers.BatchNormalization()
    for _ in range(2):
        got, expected = (layer(x, training=True, mask=mask) for layer in (ours, theirs))
        np.testing.assert_allclose(got, expected, atol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)
