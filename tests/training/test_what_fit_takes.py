"""`fit` takes the same arguments as `keras.Model.fit`, and trains to the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 6, 3)).astype("float32")
LABELS = np.arange(20) % 3
TARGETS = X[:, :, :1].sum(axis=1)
WEIGHTS = RNG.uniform(0.5, 2.0, 20).astype("float32")
CLASS_WEIGHT = {0: 3.0, 2: 0.5}


def classifier(loss="sparse_categorical_crossentropy"):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((6, 3)), keras.layers.LSTM(4), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.5), loss, metrics=["accuracy"])
    return model


def batches(x, y, size=5):
    return [(x[n : n + size], y[n : n + size]) for n in range(0, len(x), size)]


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, number):
        return batches(X, LABELS)[number]


def dataset():
    return tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(5)


def generator():
    while True:
        yield from batches(X, LABELS)


def both(ours, theirs, *data, **options):
    """Both ways of training; the histories, after the weights were compared."""
    options |= {"epochs": 2, "verbose": 0}
    got = lz.fit(ours, *data, clipnorm=None, **options).history
    expected = theirs.fit(*data, **options).history
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for name in expected:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"sample_weight": WEIGHTS, "validation_data": (X, LABELS, WEIGHTS)},
        {"class_weight": CLASS_WEIGHT},
        {"validation_split": 0.3, "validation_freq": 2},
        {"validation_data": dataset(), "validation_steps": 2, "initial_epoch": 1},
        {"validation_data": Sequence()},
    ],
    ids=lambda options: "-".join(options),
)
def test_arguments_mean_the_same_as_in_keras(options):
    both(classifier(), classifier(), X, LABELS, batch_size=5, shuffle=False, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (dataset, {"class_weight": CLASS_WEIGHT}),
        (lambda: dataset().repeat(), {"steps_per_epoch": 3}),
        (Sequence, {"shuffle": False}),
        (generator, {"steps_per_epoch": 4}),
    ],
    ids=["dataset", "endless", "pydataset", "generator"],
)
def test_batches_are_accepted_in_any_form(make, options):
    ours, theirs = classifier(), classifier()
    lz.fit(ours, make(), epochs=2, clipnorm=None, verbose=0, **options)
    theirs.fit(make(), epochs=2, verbose=0, **options)
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.slow
def test_training_on_batches_is_measured_on_arrays_as_keras_does():
    data = {"validation_data": (X, LABELS, WEIGHTS)}
    both(classifier(), classifier(), dataset(), **data)
    both(classifier(), classifier(), dataset(), validation_data=(X, LABELS))
    with pytest.raises(ValueError, match="validation_data must be .x, y., .* got ndarray"):
        lz.fit(classifier(), dataset(), validation_data=X)


def test_warning_points_at_the_line_that_calls_fit():
    model = classifier()
    model.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    keras.config.set_max_epochs(1)
    try:
        with pytest.warns(UserWarning, match="limits epochs|no trainable weights") as found:
            lz.fit(model, X, LABELS, epochs=2, verbose=0)
    finally:
        keras.config.set_max_epochs(None)
    assert {one.filename for one in found} == {__file__}


def two_and_two():
    keras.utils.set_random_seed(1)
    inputs = {"a": keras.Input((6, 3), name="a"), "b": keras.Input((6,), name="b", dtype="int32")}
    embedded = keras.layers.Embedding(7, 2)(inputs["b"])
    h = keras.layers.LSTM(4)(keras.layers.concatenate([inputs["a"], embedded]))
    outputs = {
        "label": keras.layers.Dense(3, "softmax", name="label")(h),
        "sum": keras.layers.Dense(1, name="sum")(h),
    }
    model = keras.Model(inputs, outputs)
    losses = {"label": "sparse_categorical_crossentropy", "sum": "mse"}
    model.compile(keras.optimizers.SGD(0.1), losses)
    return model


@pytest.mark.slow
def test_several_inputs_and_outputs_are_trained():
    x, y = {"a": X, "b": np.arange(120).reshape(20, 6) % 7}, {"label": LABELS, "sum": TARGETS}
    both(two_and_two(), two_and_two(), x, y, batch_size=8, shuffle=False, validation_data=(x, y))
    with pytest.raises(ValueError, match=r"y\['label'\] must hold labels from 0 to 2, got 1 to 3"):
        lz.fit(two_and_two(), x, {**y, "label": LABELS + 1})
    with pytest.raises(ValueError, match="x must have the model's keys 'a', 'b', got 'a'"):
        lz.fit(two_and_two(), {"a": X}, y)


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.SparseCategoricalCrossentropy(name="mine"),
        keras.losses.sparse_categorical_crossentropy,
        lambda y, p: keras.losses.sparse_categorical_crossentropy(y, p),
    ],
    ids=["named", "function", "own"],
)
def test_loss_may_have_any_form(loss):
    history = lz.fit(classifier(loss), X, LABELS, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"][0])


class Frame:
    """What pandas and polars have in common, as far as it matters here."""

    def __init__(self, array):
        self.array = array

    def to_numpy(self):
        return self.array


def test_tables_and_integer_tokens_are_accepted():
    layers = [keras.Input((6,)), keras.layers.Embedding(7, 2), lz.LSTM(4), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("sgd", "mse")
    tokens = Frame(np.arange(120).reshape(20, 6) % 7)
    lz.fit(model, tokens, Frame(TARGETS[:, 0]), epochs=1, verbose=0)


def test_an_epoch_of_steps_continues_where_the_last_ended():
    """A pass has four steps of five samples, so two epochs of two steps see every sample."""
    seen = []
    model = classifier()
    x = np.tile(np.arange(20.0)[:, None, None], (1, 6, 3)).astype("float32")

    class Own(keras.Sequential):
        def train_step(self, data):
            tf.py_function(lambda rows: seen.extend(rows.numpy()), [data[0][:, 0, 0]], [])
            return {"loss": tf.constant(0.0)}

    model = Own(model.layers)
    model.compile("sgd", "mse", run_eagerly=True)
    lz.fit(model, x, LABELS[:, None] * 1.0 @ np.ones((1, 3)), steps_per_epoch=2, epochs=2,
           batch_size=5, verbose=0)  # fmt: skip
    assert sorted(seen) == list(range(20))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"sample_weight": WEIGHTS[:3]},
            "x and sample_weight must have the same number of samples, got 20 and 3",
        ),
        ({"sample_weight": -WEIGHTS}, "sample_weight must not be negative"),
        (
            {"class_weight": [1, 2]},
            "class_weight must be 'balanced' or a dict from class",
        ),
        ({"class_weight": {0: -1.0}}, "class_weight.0. must not be negative"),
        ({"validation_split": 1.0}, "validation_split must be a fraction"),
        (
            {"validation_split": 0.3, "validation_data": (X, LABELS)},
            "validation_data and validation_split must not both be given",
        ),
        ({"shuffle": "batch"}, "shuffle must be True or False, got 'batch'"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be a whole number of at least 1"),
        ({"on_nan": "stp"}, "on_nan must be one of stop, skip, got 'stp'; did you mean 'stop'"),
    ],
)
def test_bad_argument_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        lz.fit(classifier(), X, LABELS, **options)


def test_endless_data_needs_steps():
    for data in (generator(), dataset().repeat()):
        with pytest.raises(ValueError, match="steps_per_epoch must be given: x is a"):
            lz.fit(classifier(), data)
