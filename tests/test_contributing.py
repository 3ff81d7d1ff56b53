"""CONTRIBUTING.md: its links and paths are there, and what it adds can be added."""

import pathlib
import re

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import cells
from lstm_zoo.cells import registry
from lstm_zoo.exporting.formats import FORMATS
from lstm_zoo.recurrence.engines import ENGINES

ROOT = pathlib.Path(__file__).parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TO_BE_WRITTEN = {
    "notebooks/16_NAME.ipynb",
    "lstm_zoo/course/answers/notebook_16.py",
    "tests/course/answers_to_try/notebook_16.py",
}


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "notebooks/README.md"])
def test_every_link_leads_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert "://" in link or (path.parent / link).exists(), link


def test_every_path_it_names_is_there():
    paths = re.findall(r"`((?:lstm_zoo|tests|docs|benchmarks|notebooks)/[\w./]+)`", GUIDE)
    assert set(paths) > TO_BE_WRITTEN
    for path in set(paths) - TO_BE_WRITTEN:
        assert (ROOT / path).exists(), path


def test_its_table_of_where_things_are_names_a_function_that_is_there():
    [(name, path)] = re.findall(r"`(\w+)` in \[`(lstm_zoo/[\w./]+)`\]", GUIDE)
    assert f"def {name}(" in (ROOT / path).read_text()


@pytest.fixture
def added():
    """Runs the first example of a section; what it registers is forgotten after the test."""
    registries = registry._CELLS, ENGINES, FORMATS
    before = [dict(one) for one in registries]

    def run(section):
        text = GUIDE[GUIDE.index(f"## {section}\n") :]
        scope = {"__name__": "added"}
        exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], scope)
        return scope

    yield run
    for one, names in zip(registries, before):
        one.clear()
        one.update(names)


def test_its_cell_is_built_by_name(added):
    added("A cell")
    model = lz.build_regressor((4, 2), cell="leaky", lstm_units=(3,))
    assert np.isfinite(model.predict(np.ones((1, 4, 2)), verbose=0)).all()


class SumCell(cells.Cell):
    gate_names = ("candidate",)
    recurrent_names = ()

    def step(self, z, states):
        return {"candidate": z, "hidden_state": states[0] + z}


def test_its_engine_runs_a_layer_and_is_named_by_explain(added):
    added("An engine")
    layer = lz.RNN(SumCell(2), return_sequences=True, name="memory")
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    outputs = layer(x)
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(outputs, np.cumsum(x @ kernel + bias, axis=1), rtol=1e-5, atol=1e-6)
    assert lz.explain(layer).startswith("memory runs on one sum over all steps.")
    assert "its cell does more than add" in lz.explain(lz.layers.layer_for("min_gru", 2))


def test_its_format_is_written(added, tmp_path):
    added("An export format")
    inputs = keras.Input((4, 2))
    model = keras.Model(inputs, lz.LSTM(3, name="memory")(inputs))
    assert lz.export(model, tmp_path / "model.names").read_text() == "memory"
    two = keras.Model([inputs, other := keras.Input((4, 2))], lz.LSTM(3)(inputs + other))
    with pytest.raises(ValueError, match="model must have one input, got 2"):
        lz.export(two, tmp_path / "model.names")
