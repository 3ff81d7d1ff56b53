"""What every builder must do: a new one is tested by an entry here, and fails without it."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import builders

TIMESTEPS, FEATURES = 4, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, TIMESTEPS, FEATURES)).astype("float32")
BUILDERS = {  # the arguments after the input's shape, and targets
    "build_classifier": ((3,), np.arange(8) % 3),
    "build_regressor": ((2,), RNG.normal(size=(8, 2))),
    "build_forecaster": ((3,), RNG.normal(size=(8, 3))),
}
every_builder = pytest.mark.parametrize("name", BUILDERS)


def build(name, shape=(TIMESTEPS, FEATURES), **options):
    small = {"lstm_units": (3,), "dense_units": (4,)}
    return getattr(lz, name)(shape, *BUILDERS[name][0], **{**small, **options})


def test_every_builder_stands_here():
    assert set(BUILDERS) == {name for name in builders.__all__ if name.startswith("build_")}


@every_builder
def test_model_trains_both_ways_and_comes_back_from_its_file(name, tmp_path):
    model, y = build(name), BUILDERS[name][1]
    model.fit(X, y, verbose=0)
    history = lz.fit(model, X, y, epochs=2, seed=0, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    again = keras.models.load_model(lz.save(model, tmp_path / "model.keras"))
    np.testing.assert_array_equal(model.predict(X, verbose=0), again.predict(X, verbose=0))
    assert again.compiled


@every_builder
def test_model_takes_any_length_and_leaves_padding_out(name):
    model = build(name, shape=(None, FEATURES), mask_value=0.0)
    padded = np.concatenate([X, np.zeros((8, 3, FEATURES), "float32")], axis=1)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), model.predict(padded, verbose=0), atol=1e-6
    )


@every_builder
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (4,)}, "input_shape must be"),
        ({"cell": "lstn"}, "cell must be one of"),
        ({"lstm_units": ()}, "lstm_units must be"),
        ({"dropout": 1}, "dropout must be"),
        ({"learning_rate": 0}, "learning_rate must be"),
        ({"mask_value": float("nan")}, "mask_value must be"),
    ],
)
def test_wrong_arguments_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        build(name, **options)
