"""Weights of samples, steps and classes, and missing targets, compared with NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.builders import ObservedLoss, ObservedMean, QuantileLoss

N = T = 6  # as many samples in a batch as steps: Keras would weigh the steps
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, T, 2)).astype("float32")
TAGS = RNG.integers(0, 3, (N, T))
BITS = RNG.integers(0, 2, (N, T))
BY_SAMPLE = np.arange(N, dtype=float)
BY_STEP = RNG.uniform(0.5, 2.0, (N, T))


def binary(width=1):
    layers = [keras.Input((T, 2)), lz.LSTM(3, return_sequences=True), keras.layers.Dense(width)]
    model = keras.Sequential([*layers, keras.layers.Activation("sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    return model


MODELS = {
    "classifier": lambda: lz.build_classifier((T, 2), 3, lstm_units=3, normalise=None),
    "tagger": lambda: lz.build_tagger((T, 2), 3, lstm_units=3),
    "chain": lambda: lz.build_tagger((T, 2), 3, crf=True, lstm_units=3),
    "regressor": lambda: lz.build_regressor(
        (T, 2), lstm_units=3, normalise=None, scale_targets=False
    ),
    "forecaster": lambda: lz.build_forecaster((T, 2), T, lstm_units=3),
    "observed": lambda: lz.build_forecaster((T, 2), T, lstm_units=3, loss=ObservedLoss("mae")),
    "quantiles": lambda: lz.build_forecaster((T, 2), T, quantiles=(0.1, 0.6), lstm_units=3),
    "targets": lambda: lz.build_forecaster((T, 2), T, num_targets=2, lstm_units=3),
    "autoencoder": lambda: lz.build_autoencoder((T, 2), lstm_units=3),
    "binary": binary,
}
Y = {
    "classifier": TAGS[:, 0],
    "tagger": TAGS,
    "chain": TAGS,
    "regressor": X[:, :, 0].sum(axis=1),
    "forecaster": X[:, :, 0] + 1,
    "observed": X[:, :, 0] + 1,
    "quantiles": X[:, :, 0] + 1,
    "targets": X + 1,
    "autoencoder": X,
    "binary": BITS,
}


@pytest.fixture(scope="module")
def models():
    return {name: make() for name, make in MODELS.items()}


def values(name, model, x=X, y=None):
    """The loss of each value that can be weighed, in float64."""
    y = Y[name] if y is None else y
    predicted = np.asarray(model(x), "float64")
    if name in ("classifier", "tagger"):
        return -np.log(np.take_along_axis(predicted, y[..., None], axis=-1)[..., 0])
    if name == "binary":
        p, y = predicted[..., 0], y.reshape(N, T)
        return -(y * np.log(p) + (1 - y) * np.log(1 - p))
    if name == "regressor":
        return (predicted[:, 0] - y) ** 2
    if name == "quantiles":
        error, q = y[..., None] - predicted, np.array([0.1, 0.6])
        return np.maximum(q * error, (q - 1) * error).mean(axis=-1)
    if name == "observed":
        return np.abs(predicted - y)
    if name == "autoencoder":
        return ((predicted - y) ** 2).mean(axis=-1)
    return np.abs(predicted - y).mean(axis=-1)


def first_loss(model, y, batches=False, **options):
    """The loss of the first step of a fit, whose weights are put back."""
    before = model.get_weights()
    if batches:
        weights = options.pop("sample_weight", None)
        data = (tf.data.Dataset.from_tensors((X, y) if weights is None else (X, y, weights)),)
    else:
        data, options = (X, y), {"batch_size": N, "shuffle": False, **options}
    loss = lz.fit(model, *data, epochs=1, seed=0, verbose=0, **options).history["loss"][0]
    model.set_weights(before)
    return loss


def weighed(losses, weights):
    """NumPy's sum of weighted losses by their number, the first axes of both alike."""
    return (losses * weights.reshape(weights.shape + (1,) * (losses.ndim - weights.ndim))).mean()


FITTING = {
    "classifier": [BY_SAMPLE],
    "tagger": [BY_SAMPLE, BY_STEP],
    "regressor": [BY_SAMPLE],
    "forecaster": [BY_SAMPLE],
    "observed": [BY_SAMPLE, BY_STEP],
    "quantiles": [BY_SAMPLE, BY_STEP],
    "targets": [BY_SAMPLE, BY_STEP],
    "autoencoder": [BY_SAMPLE, BY_STEP],
    "binary": [BY_SAMPLE, BY_STEP],
}


@pytest.mark.short(name=("tagger", "regressor", "quantiles"))
@pytest.mark.parametrize("name", FITTING)
def test_weights_apply_to_samples_or_steps(models, name):
    model = models[name]
    for weights in FITTING[name]:
        expected = weighed(values(name, model), weights)
        assert first_loss(model, Y[name], sample_weight=weights) == pytest.approx(expected, 1e-5)


def test_weights_of_a_validation_set_and_of_batches_are_the_same(models):
    model = models["tagger"]
    expected = weighed(values("tagger", model), BY_SAMPLE)
    data = (X, TAGS, BY_SAMPLE)
    assert first_loss(model, TAGS, True, sample_weight=BY_SAMPLE) == pytest.approx(expected, 1e-5)
    before = model.get_weights()
    history = lz.fit(model, X, TAGS, validation_data=data, epochs=1, batch_size=N, verbose=0)
    expected = weighed(values("tagger", model), BY_SAMPLE)
    assert history.history["val_loss"][0] == pytest.approx(expected, 1e-5)
    model.set_weights(before)


def test_weights_of_a_chain_are_those_of_sequences(models):
    model = models["chain"]
    alone = [
        float(model.compute_loss(X[n : n + 1], TAGS[n : n + 1], model(X[n : n + 1])))
        for n in range(N)
    ]
    expected = np.mean(alone * BY_SAMPLE)
    assert first_loss(model, TAGS, sample_weight=BY_SAMPLE) == pytest.approx(expected, 1e-5)


def test_weights_of_steps_of_a_chain_are_refused_by_keras_s_fit_too(models):
    with pytest.raises(
        ValueError, match=r"sample_weight must be \(samples,\) because a CRF has one loss"
    ):
        models["chain"].fit(X, TAGS, sample_weight=BY_STEP, verbose=0)


@pytest.mark.parametrize("name", ["quantiles", "observed"])
def test_our_losses_align_weights_in_keras_s_evaluate_too(models, name):
    model = models[name]
    for weights in (BY_SAMPLE, BY_STEP):
        model.test_function = None  # it is traced for weights of one rank
        got = model.evaluate(X, Y[name], sample_weight=weights, batch_size=N, verbose=0)
        expected = weighed(values(name, model), weights)
        assert np.ravel(got)[0] == pytest.approx(expected, 1e-5)


def test_weighted_metrics_count_steps():
    model = MODELS["tagger"]()
    model.compile("sgd", model.loss, weighted_metrics=["accuracy"])
    right = np.asarray(model(X)).argmax(axis=-1) == TAGS
    history = lz.fit(model, X, TAGS, sample_weight=BY_SAMPLE, epochs=1, batch_size=N, verbose=0)
    expected = (right * BY_SAMPLE[:, None]).sum() / (BY_SAMPLE.sum() * T)
    assert history.history["accuracy"][0] == pytest.approx(expected, 1e-5)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("classifier", (N, T), r"shape \(6,\), got \(6, 6\)"),
        ("tagger", (N, T + 1), r"shape \(6,\) or \(6, 6\), got \(6, 7\)"),
        ("chain", (N, T), r"shape \(6,\), got \(6, 6\): a CRF has one loss per sequence"),
        ("forecaster", (N, T), r'compile with lz.builders.ObservedLoss\("mean_absolute_error"\)'),
        ("quantiles", (N, 2), r"shape \(6,\) or \(6, 6\), got \(6, 2\)"),
        ("targets", (N, T, 2), r"shape \(6,\) or \(6, 6\), got \(6, 6, 2\)"),
    ],
)
@pytest.mark.parametrize("batches", [False, True], ids=["arrays", "batches"])
def test_weights_of_another_shape_are_named(models, name, shape, message, batches):
    with pytest.raises(ValueError, match=f"^sample_weight .*{message}"):
        first_loss(models[name], Y[name], batches, sample_weight=np.ones(shape))


def test_weights_of_one_output_of_two_are_aligned():
    inputs = keras.Input((T, 2))
    h = lz.LSTM(3, return_sequences=True)(inputs)
    outputs = [
        keras.layers.Dense(3, "softmax", name="tags")(h),
        keras.layers.Dense(1, name="level")(h[:, -1]),
    ]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", ["sparse_categorical_crossentropy", "mse"])
    tags, level = (np.asarray(out, "float64") for out in model(X))
    expected = weighed(-np.log(np.take_along_axis(tags, TAGS[..., None], -1)[..., 0]), BY_SAMPLE)
    expected += weighed((level[:, 0] - Y["regressor"]) ** 2, BY_SAMPLE)
    weights = [BY_SAMPLE, BY_SAMPLE]
    got = first_loss(model, [TAGS, Y["regressor"]], sample_weight=weights)
    assert got == pytest.approx(expected, 1e-5)


CLASS_WEIGHT = {0: 1.0, 1: 9.0}


@pytest.mark.short(batches=(False,))
@pytest.mark.parametrize(
    ("name", "y", "labels"),
    [
        ("binary", BITS, BITS),
        ("binary", BITS[..., None], BITS),
        ("tagger", TAGS, TAGS),
        ("tagger", TAGS[..., None], TAGS),
        ("classifier", TAGS[:, 0], TAGS[:, 0]),
        ("classifier", TAGS[:, :1], TAGS[:, 0]),
    ],
)
@pytest.mark.parametrize(
    "batches",
    [pytest.param(False, id="arrays"), pytest.param(True, id="batches", marks=pytest.mark.slow)],
)
def test_classes_are_weighed_in_every_form_of_y(models, name, y, labels, batches):
    model, weights = models[name], np.array([1.0, 9.0, 1.0])[labels]
    losses = values(name, model, y=labels)
    got = first_loss(model, y, batches, class_weight=CLASS_WEIGHT)
    assert got == pytest.approx(weighed(losses, weights), 1e-5)
    if labels.ndim > 1:
        got = first_loss(model, y, batches, class_weight=CLASS_WEIGHT, sample_weight=BY_SAMPLE)
        assert got == pytest.approx(weighed(losses * weights, BY_SAMPLE), 1e-5)


@pytest.mark.parametrize("name", ["tagger", "classifier"])
def test_classes_of_one_hot_rows_are_weighed(name):
    options = {"lstm_units": 3, "loss": "categorical_crossentropy"}
    model, y = getattr(lz, f"build_{name}")((T, 2), 3, normalise=None, **options), Y[name]
    got = first_loss(model, np.eye(3)[y], class_weight=CLASS_WEIGHT)
    expected = weighed(values(name, model), np.array([1.0, 9.0, 1.0])[y])
    assert got == pytest.approx(expected, 1e-5)


def test_masked_steps_of_one_output_are_ignored_in_both_forms_of_y():
    layers = [keras.Input((T, 2)), keras.layers.Masking(), *binary().layers]
    model = keras.Sequential(layers)
    model.compile("sgd", "binary_crossentropy")
    x = np.where(np.arange(T)[:, None] < 1 + np.arange(N)[:, None, None] % T, X, 0)
    p, y = np.asarray(model(x), "float64")[..., 0], BITS
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p))[x.any(axis=-1)].mean()
    before = model.get_weights()
    for form in (BITS, BITS[..., None]):
        history = lz.fit(model, x, form, epochs=1, batch_size=N, verbose=0).history
        model.set_weights(before)
        assert history["loss"][0] == pytest.approx(expected, 1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chain", "class_weight must be None for a CRF"),
        ("regressor", "class_weight must be None .* got the loss mean_squared_error"),
        ("forecaster", "class_weight must be None .* got the loss mean_absolute_error"),
        ("quantiles", "class_weight must be None .* got the loss quantile_loss"),
        ("observed", "class_weight must be None .* got the loss mean_absolute_error"),
        ("autoencoder", "class_weight must be None .* got the loss mean_squared_error"),
    ],
)
@pytest.mark.parametrize("batches", [False, True], ids=["arrays", "batches"])
def test_class_weights_are_refused_if_y_has_no_classes(models, name, message, batches):
    with pytest.raises(ValueError, match=message):
        first_loss(models[name], Y[name], batches, class_weight=CLASS_WEIGHT)


def test_class_weights_are_refused_for_several_labels_per_sample():
    bits = RNG.integers(0, 2, (N, T, 3))
    with pytest.raises(ValueError, match="None if a sample can have several labels"):
        lz.fit(binary(3), X, bits, class_weight=CLASS_WEIGHT)
    with pytest.raises(ValueError, match="class_weight must name classes from 0 to 1, got 2"):
        lz.fit(binary(), X, BITS, class_weight={2: 3.0})


GAPS = RNG.random((N, T)) < 0.4
GAPS[2] = True  # a whole sample
WITH_GAPS = {
    "observed": np.where(GAPS, np.nan, Y["observed"]),
    "quantiles": np.where(GAPS, np.nan, Y["quantiles"]),
    "targets": np.where(np.stack([GAPS, GAPS[::-1]], axis=-1), np.nan, Y["targets"]),
}


def observed(name):
    """A model trained on targets with gaps, and NumPy's mean over those that are known."""
    if name == "observed":
        model = MODELS[name]()
        return model, lambda: np.nanmean(np.abs(np.asarray(model(X)) - WITH_GAPS[name]))
    if name == "targets":
        loss = ObservedLoss("mean_squared_error")
        model = lz.build_forecaster((T, 2), T, num_targets=2, lstm_units=3, loss=loss)
        return model, lambda: np.nanmean((np.asarray(model(X)) - WITH_GAPS[name]) ** 2)
    quantiles = (0.1, 0.6)
    loss = ObservedLoss(QuantileLoss(quantiles))
    model = lz.build_forecaster((T, 2), T, quantiles=quantiles, lstm_units=3, loss=loss)
    return model, lambda: np.nanmean(values("quantiles", model, y=WITH_GAPS["quantiles"]))


@pytest.mark.parametrize("name", WITH_GAPS)
def test_missing_targets_are_ignored_everywhere(name):
    model, expected = observed(name)
    y = WITH_GAPS[name]
    assert first_loss(model, y) == pytest.approx(expected(), 1e-5)
    history = lz.fit(model, X, y, validation_data=(X, y), epochs=1, batch_size=N, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(expected(), 1e-5)
    assert all(np.isfinite(value).all() for value in history.values())
    known = expected()
    assert model.fit(X, y, batch_size=N, verbose=0).history["loss"][0] == pytest.approx(known, 1e-5)
    measured = model.evaluate(X, y, batch_size=N, return_dict=True, verbose=0)
    assert measured["loss"] == pytest.approx(expected(), 1e-5)
    if name == "observed":  # the metric over all batches, whatever is missing in each
        measured = model.evaluate(X, y, batch_size=2, return_dict=True, verbose=0)
        assert measured["mean_absolute_error"] == pytest.approx(expected(), 1e-5)


def test_missing_targets_have_no_gradient():
    loss, y = ObservedLoss("mean_squared_error"), tf.constant([[1.0, np.nan], [np.nan, np.nan]])
    predicted = tf.Variable([[3.0, 5.0], [np.inf, 1.0]])
    with tf.GradientTape() as tape:
        value = loss(y, predicted)
    assert tape.gradient(value, predicted).numpy().tolist() == [[4.0, 0.0], [0.0, 0.0]]
    assert float(value) == 4.0
    assert float(loss([[np.nan]], [[2.0]])) == 0.0


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("mse", lambda y, p: (y - p) ** 2),
        ("mae", lambda y, p: abs(y - p)),
        ("mape", lambda y, p: 100 * abs(y - p) / abs(y)),
        ("msle", lambda y, p: (np.log1p(y) - np.log1p(p)) ** 2),
        ("huber", lambda y, p: np.where(abs(y - p) < 1, (y - p) ** 2 / 2, abs(y - p) - 0.5)),
        ("log_cosh", lambda y, p: np.log(np.cosh(y - p))),
        ("poisson", lambda y, p: p - y * np.log(p)),
        ("binary_crossentropy", lambda y, p: -(y * np.log(p) + (1 - y) * np.log(1 - p))),
        ("binary_accuracy", lambda y, p: (p > 0.5) == (y == 1)),
    ],
)
def test_every_comparison_is_that_of_its_formula(name, formula):
    y, p = RNG.uniform(0.1, 0.9, (2, 4, 3))
    y = np.round(y) if name.startswith("binary") else y
    gaps, weights = RNG.random((4, 3)) < 0.3, RNG.uniform(1, 2, 4)
    each, of = formula(y, p)[~gaps], np.repeat(weights[:, None], 3, axis=1)[~gaps]
    y[gaps] = np.nan
    metric = ObservedMean(name)
    metric.update_state(y, p, sample_weight=weights)
    assert float(metric.result()) == pytest.approx((each * of).sum() / of.sum(), 1e-4)
    if name != "binary_accuracy":
        assert float(ObservedLoss(name)(y, p, weights)) == pytest.approx((each * of).mean(), 1e-4)


def test_masked_steps_and_missing_targets_are_ignored_together():
    model = lz.build_autoencoder((T, 2), lstm_units=3, mask_value=0.0, loss=ObservedLoss("mse"))
    x = X.copy()
    x[:, 4:] = 0
    y = np.where(RNG.random(X.shape) < 0.3, np.nan, X)
    expected = np.nanmean((np.asarray(model(x)) - y)[:, :4] ** 2)
    assert model.evaluate(x, y, batch_size=N, verbose=0) == pytest.approx(expected, 1e-5)


def test_a_model_with_missing_targets_comes_back_from_its_file(tmp_path):
    model, expected = observed("quantiles")
    again = keras.models.load_model(lz.save(model, tmp_path / "model.keras"))
    assert isinstance(again.loss.loss, QuantileLoss)
    got = again.evaluate(X, WITH_GAPS["quantiles"], batch_size=N, verbose=0)
    assert got == pytest.approx(expected(), 1e-5)
    assert ObservedMean.from_config(ObservedMean("huber").get_config()).of == "huber"


def test_an_ignored_label_marks_missing_labels():
    model = MODELS["tagger"]()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(ignore_class=-1))
    expected = values("tagger", model)[~GAPS].mean()
    assert first_loss(model, np.where(GAPS, -1, TAGS)) == pytest.approx(expected, 1e-5)
    with pytest.raises(ValueError, match="integer labels, got float64 with NaN; .*ignore_class=-1"):
        lz.fit(model, X, np.where(GAPS, np.nan, TAGS))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full((N, T), np.nan), "y must hold at least one target that is not NaN"),
        (np.where(GAPS, np.inf, 1.0), "y must be finite, got .* NaN or infinite values$"),
    ],
)
def test_infinite_and_all_missing_targets_are_refused(models, y, message):
    with pytest.raises(ValueError, match=message):
        lz.fit(models["observed"], X, y)


def test_missing_targets_without_the_loss_are_refused_with_its_name(models):
    with pytest.raises(ValueError, match="ObservedLoss ignores NaN targets"):
        lz.fit(models["forecaster"], X, WITH_GAPS["observed"])
    with pytest.raises(ValueError, match="loss must be one of .*, got 'categorical_crossentropy'"):
        ObservedLoss("categorical_crossentropy")
    with pytest.raises(ValueError, match="of must be one of"):
        ObservedMean([""])
