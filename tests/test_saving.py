"""`lz.save` and `lz.load` keep the optimizer, losses and metrics of a compiled model."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz

Y = np.float32([[7.0], [-9.0], [0.5], [30.0]])


def huber(errors, delta):
    """Huber (1964), in float64."""
    errors = np.abs(np.float64(errors))
    return np.where(errors <= delta, errors**2 / 2, delta * errors - delta**2 / 2).mean()


@pytest.mark.parametrize("delta", [1.0, 2.0, 25.0])
def test_a_loaded_model_has_the_delta_of_its_huber_loss(delta, tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 5, 2)).astype("float32")
    loss = keras.losses.Huber(delta)
    model = lz.build_regressor((5, 2), lstm_units=3, dense_units=(), loss=loss)
    expected = huber(Y - model.predict(x, verbose=0), delta)
    once = lz.load(lz.save(model, tmp_path / "once.keras"))
    twice = lz.load(lz.save(once, tmp_path / "twice.keras"))
    for loaded in (once, twice):
        assert loaded.evaluate(x, Y, verbose=0)[0] == pytest.approx(expected, rel=1e-5)


def test_losses_and_metrics_of_two_outputs_keep_their_arguments(tmp_path):
    inputs = keras.Input((3, 4))
    outputs = {name: keras.layers.Dense(4, name=name)(inputs) for name in "ab"}
    model = keras.Model(inputs, outputs)
    losses = {"a": keras.losses.CosineSimilarity(axis=1), "b": keras.losses.Huber(0.1)}
    metrics = {"a": [keras.metrics.CosineSimilarity(axis=1)], "b": []}
    model.compile("sgd", losses, metrics=metrics)
    x, a, b = np.random.default_rng(0).normal(size=(3, 5, 3, 4)).astype("float32")
    loaded = lz.load(lz.save(model, tmp_path / "model.keras"))
    got = loaded.evaluate(x, {"a": a, "b": b}, verbose=0, return_dict=True)
    told = model.predict(x, verbose=0)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(told["a"], axis=1)
    cosine = np.mean((a * told["a"]).sum(axis=1) / lengths)
    assert got["a_cosine_similarity"] == pytest.approx(cosine, abs=1e-6)
    assert got["a_loss"] == pytest.approx(-cosine, abs=1e-6)
    assert got["b_loss"] == pytest.approx(huber(b - told["b"], 0.1), rel=1e-5)


def test_saving_leaves_the_loss_as_it_was(tmp_path):
    loss = keras.losses.Huber(2.0)
    model = lz.build_regressor((5, 2), lstm_units=3, loss=loss)
    before = dict(vars(loss))
    lz.save(model, tmp_path / "model.keras")
    assert vars(loss) == before
