"""A cell that a user registers in a notebook works in everything, with no change to the package."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.cells import registry


class HalfLifeCell(lz.cells.Cell):
    """What a gate lets in is half gone after a few steps."""

    gate_names = ("input_gate", "candidate")
    state_names = ("hidden_state", "memory")

    def step(self, z, states):
        _, m = states
        i, g = keras.ops.split(z, 2, axis=-1)
        i, g = keras.ops.sigmoid(i), keras.ops.tanh(g)
        m = 0.8 * m + i * g
        return {"input_gate": i, "candidate": g, "memory": m, "hidden_state": keras.ops.tanh(m)}


NAME = "half_life of a test"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5, 2)).astype("float32")


@pytest.fixture(scope="module", autouse=True)
def registered():
    """As `@lz.register_cell(NAME)` above the class does; other tests do not see it."""
    lz.register_cell(NAME)(HalfLifeCell)
    yield
    del registry._CELLS[NAME]


@pytest.mark.long
def test_own_cell_trains_saves_loads_and_is_seen(tmp_path):
    model = lz.build_classifier((5, 2), 2, cell=NAME, lstm_units=(3,), dense_units=())
    y = (X[:, 0, 0] > 0).astype(int)
    losses = lz.fit(model, X, y, epochs=5, batch_size=12, seed=0, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    loaded = keras.models.load_model(lz.save(model, tmp_path / "model.keras"))
    np.testing.assert_allclose(loaded(X), model(X), atol=1e-6)
    seen = lz.trace(model, X)
    assert set(seen.values) == {"input_gate", "candidate", "memory", "hidden_state"}
    assert len(lz.plots.plot_trace(seen)) == 5
    assert len(lz.plots.plot_weights(model.get_layer("recurrent_1"))) == 2
    assert lz.gradient_flow(model, X, y).hidden["recurrent_1"].shape == (12, 5)
    assert lz.saliency(model, X).shape == X.shape
    reader = lz.stream(model, batch_size=len(X))
    answers = [reader.step(X[:, t]) for t in range(5)]
    np.testing.assert_allclose(answers[-1], model(X), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("build", ["build_regressor", "build_forecaster"])
def test_own_cell_is_known_to_the_other_builders(build):
    model = getattr(lz, build)((5, 2), 1, cell=NAME, lstm_units=(3, 2), dense_units=())
    assert model(X).shape == (12, 1)


def test_own_cell_is_in_the_table_and_explained():
    [entry] = lz.cells.list("half_life*")
    assert entry.what == "What a gate lets in is half gone after a few steps."
    assert entry.states == ("hidden_state", "memory")
    assert "runs on the compiled recurrence" in lz.explain(lz.layers.layer_for(NAME, 3))


def test_running_a_notebook_cell_again_registers_it_again():
    again = type("HalfLifeCell", (HalfLifeCell,), {"__doc__": "Better."})
    try:
        assert lz.register_cell(NAME)(again) is again
    finally:
        lz.register_cell(NAME)(HalfLifeCell)
