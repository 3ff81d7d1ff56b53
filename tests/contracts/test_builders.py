"""The contract of every builder; a new builder needs an entry here, or a test fails."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo import builders

TIMESTEPS, FEATURES, TOKENS = 4, 2, 6
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, TIMESTEPS, FEATURES)).astype("float32")
PAIRS = {side: RNG.integers(1, TOKENS, size=(8, TIMESTEPS)) for side in ("source", "target")}


@dataclass
class Case:
    """The arguments of a builder that is given no option, and what its model is trained on."""

    arguments: tuple
    y: np.ndarray
    x: Any = field(default_factory=lambda: X)
    small: dict = field(default_factory=lambda: {"lstm_units": 3})
    masked: dict = field(default_factory=lambda: {"mask_value": 0.0})
    by_step: bool = False  # whether it gives something for each step


SHAPE = (None, FEATURES)
DENSE = {"lstm_units": 3, "dense_units": 4}
BUILDERS = {
    "build_classifier": Case((SHAPE, 3), np.arange(8) % 3, small=DENSE),
    "build_regressor": Case((SHAPE, 2), RNG.normal(size=(8, 2)), small=DENSE),
    "build_forecaster": Case((SHAPE, 3), RNG.normal(size=(8, 3)), small=DENSE),
    "build_tagger": Case((SHAPE, 3), RNG.integers(0, 3, size=(8, TIMESTEPS)), by_step=True),
    "build_language_model": Case(
        (TOKENS,), PAIRS["target"], x=PAIRS["source"], masked={"mask_zero": True}, by_step=True
    ),
    "build_autoencoder": Case((SHAPE,), X, by_step=True),
    "build_seq2seq": Case((TOKENS, TOKENS), PAIRS["target"], x=PAIRS, masked={}, by_step=True),
    "build_lstm_fcn": Case(
        ((TIMESTEPS, FEATURES), 3),
        np.arange(8) % 3,
        small={"lstm_units": 3, "filters": (4, 4), "kernel_sizes": (3, 3)},
        masked={"mask_value": 0.0, "dimension_shuffle": False},
    ),
}
every_builder = pytest.mark.parametrize("name", BUILDERS)


def build(name, **options):
    case = BUILDERS[name]
    return getattr(lz, name)(*case.arguments, **{**case.small, **options})


def test_every_builder_is_listed_here():
    assert set(BUILDERS) == {name for name in builders.__all__ if name.startswith("build_")}


@pytest.mark.short(name=("build_regressor", "build_seq2seq"))
@pytest.mark.slow
@every_builder
def test_model_trains_and_comes_back_from_its_file(name, tmp_path):
    model, x, y = build(name), BUILDERS[name].x, BUILDERS[name].y
    before = model.get_weights()
    history = model.fit(x, y, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    changed = [(new != old).any() for new, old in zip(model.get_weights(), before)]
    assert all(changed)
    if not isinstance(x, dict):
        history = lz.fit(model, x, y, epochs=2, seed=0, verbose=0).history
        assert np.isfinite(history["loss"]).all()
    again = keras.models.load_model(lz.save(model, tmp_path / "model.keras"))
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    assert again.compiled


@every_builder
def test_model_takes_any_length_and_leaves_padding_out(name):
    case = BUILDERS[name]
    shape = {"build_lstm_fcn": (SHAPE, 3)}.get(name, case.arguments)
    model = getattr(lz, name)(*shape, **{**case.small, **case.masked})

    def padded(x):
        return np.concatenate([x, np.zeros((8, 3, *x.shape[2:]), x.dtype)], axis=1)

    expected = model.predict(case.x, verbose=0)
    got = model.predict(keras.tree.map_structure(padded, case.x), verbose=0)
    got = got[:, :TIMESTEPS] if case.by_step else got
    np.testing.assert_allclose(got, expected, atol=1e-6)


@every_builder
@pytest.mark.parametrize("rows", [[2], slice(None)], ids=["one", "all"])
def test_fully_masked_rows_are_finite_and_do_not_change_others(name, rows):
    case = BUILDERS[name]
    model = build(name, **case.masked)
    x = keras.tree.map_structure(np.copy, case.x)
    for part in keras.tree.flatten(x):
        part[rows] = 0
    got = np.asarray(model(x))
    assert np.isfinite(got).all()
    expected = np.asarray(model(case.x))
    np.testing.assert_allclose(
        np.delete(got, rows, axis=0), np.delete(expected, rows, axis=0), atol=1e-6
    )
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, tf.constant(case.y), model(x, training=True))
    variables = [weight.value for weight in model.trainable_weights]
    for gradient in tape.gradient(loss, variables, unconnected_gradients="zero"):
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())  # statistics too


@every_builder
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("cell", "lstn", "cell must be one of"),
        ("lstm_units", (), "lstm_units must be"),
        ("lstm_units", 0, "lstm_units must be a whole number of at least 1, got 0"),
        ("dropout", 1, "dropout must be"),
        ("learning_rate", 0, "learning_rate must be"),
        ("optimizer", "adamm", "optimizer must be"),
        ("loss", "mean_sqared", "mean_sqared"),
    ],
)
def test_wrong_arguments_are_named(name, option, value, message):
    with pytest.raises(ValueError, match=message):
        build(name, **{option: value})


@pytest.mark.parametrize("name", [name for name, case in BUILDERS.items() if case.x is X])
def test_wrong_shape_is_named(name):
    with pytest.raises(ValueError, match="input_shape must be"):
        getattr(lz, name)((4,), *BUILDERS[name].arguments[1:])


class Batches(keras.utils.PyDataset):
    """Given batches, one after the other."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        return self.batches[number]


@pytest.mark.short(name=("build_tagger",))
@pytest.mark.slow
@every_builder
def test_lengths_may_follow_one_another_in_every_call(name):
    """A model that has seen other lengths predicts the same as a new one with its weights."""
    check_lengths(name)


@pytest.mark.long
def test_lengths_of_a_tagger_with_crf_may_follow_one_another_in_every_call():
    """TensorFlow's loop in Keras needs a length that is known in advance."""
    check_lengths("build_tagger", crf=True)


def check_lengths(name, **options):
    case = BUILDERS[name]
    shape = {"build_lstm_fcn": (SHAPE, 3)}.get(name, case.arguments)
    options |= {"dimension_shuffle": False} if name == "build_lstm_fcn" else {}
    model = getattr(lz, name)(*shape, **{**case.small, **options})

    def of_length(array, length):
        return keras.tree.map_structure(lambda a: a[:, :length] if a.ndim > 1 else a, array)

    batches = [
        (of_length(case.x, length), of_length(case.y, length) if case.by_step else case.y)
        for length in (4, 2, 1, 3)
    ]
    for x, y in batches:
        assert np.isfinite(model.evaluate(x, y, verbose=0)).all()
        model.fit(x, y, epochs=1, verbose=0)
        lz.fit(model, x, y, epochs=1, verbose=0)
    assert np.isfinite(model.fit(Batches(batches), verbose=0).history["loss"]).all()
    history = lz.fit(model, Batches(batches), validation_data=Batches(batches), epochs=1, verbose=0)
    assert np.isfinite([*history.history["loss"], *history.history["val_loss"]]).all()
    for x, _ in batches:
        model.predict(x, verbose=0)
    new = keras.models.clone_model(model)
    new.set_weights(model.get_weights())
    expected = new.predict(batches[0][0], verbose=0)
    np.testing.assert_allclose(model.predict(batches[0][0], verbose=0), expected, atol=1e-6)


@every_builder
def test_no_weight_has_a_gradient_of_rounding_alone(name):
    """Adam would turn that into steps as long as those of other weights."""
    model, case = build(name), BUILDERS[name]
    with tf.GradientTape() as tape:
        # In training, where a batch is normalised by its own statistics.
        loss = model.compute_loss(case.x, case.y, model(case.x, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    sizes = [np.abs(tf.convert_to_tensor(gradient)).max() for gradient in gradients]
    paths = [weight.path for weight in model.trainable_variables]
    assert [path for path, size in zip(paths, sizes) if 0 < size < 1e-6] == []


@pytest.mark.long
def test_tagger_with_crf_trains_on_batches_by_length():
    tagger = lz.build_tagger((None, FEATURES), 3, crf=True, lstm_units=3)
    sequences = [np.ones((n, FEATURES)) * n for n in (5, 5, 3, 3, 1)]
    tags = [np.arange(len(one)) % 3 for one in sequences]
    batches = lz.batches_by_length(sequences, tags, batch_size=2)
    history = lz.fit(tagger, batches, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
