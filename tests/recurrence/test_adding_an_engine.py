"""An engine is one file: once registered, layers run on it and `explain` names it."""

import sys

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import cells
from lstm_zoo.cells import registry
from lstm_zoo.recurrence import engines
from lstm_zoo.registry import import_all

FILE = '''
"""A cell that only adds, computed as one sum over all steps."""

from keras import ops

from lstm_zoo.recurrence.engines import Engine, register


@register
class RunningSum(Engine):
    name, what, place, label = "running sum", "one sum over all steps", 50, "sum"

    def made_for(self, cell_class):
        return cell_class.__name__ == "SumCell"

    def why_not(self, call):
        if not self.made_for(type(call.cell)):
            return "its cell does more than add"
        return "it knows no masks" if call.mask is not None else None

    def run(self, call):
        z = call.cell.project(call.sequences)
        outputs = ops.expand_dims(call.states[0], 1) + ops.cumsum(z, axis=1)
        return call.result(outputs, [outputs[:, -1]])
'''


class SumCell(cells.Cell):
    gate_names = ("candidate",)
    recurrent_names = ()

    def step(self, z, states):
        return {"candidate": z, "hidden_state": states[0] + z}


@pytest.fixture
def running_sum(tmp_path, monkeypatch):
    """The engine, whose file lies in a folder of the package `lstm_zoo.recurrence.engines`."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "running_sum.py").write_text(FILE)
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(folder)])
    import_all(engines.__name__)
    yield engines.ENGINES["running sum"]
    del engines.ENGINES["running sum"], engines.running_sum
    del sys.modules["lstm_zoo.recurrence.engines.running_sum"]


def layer_and_data():
    layer = lz.RNN(SumCell(2), return_sequences=True, name="memory")
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 0, 1, 1]] * 3, bool)
    layer.build(x.shape)
    return layer, x, mask


def sums_in_numpy(layer, x):
    kernel, bias = (w.numpy() for w in layer.trainable_weights)
    return np.cumsum(x @ kernel + bias, axis=1)


def test_a_layer_runs_on_a_new_engine(running_sum, monkeypatch):
    layer, x, _ = layer_and_data()
    ran, run = [], running_sum.run
    monkeypatch.setattr(running_sum, "run", lambda self, call: ran.append(call) or run(self, call))
    np.testing.assert_allclose(layer(x), sums_in_numpy(layer, x), rtol=1e-5, atol=1e-6)
    assert [call.layer for call in ran] == [layer]


def test_explain_names_a_new_engine_or_says_why_it_is_not_used(running_sum):
    layer, _, _ = layer_and_data()
    assert lz.explain(layer) == "memory runs on one sum over all steps."
    assert "Not on one sum over all steps: it knows no masks." in lz.explain(layer, masked=True)
    expected = "Not on one sum over all steps: its cell does more than add."
    assert expected in lz.explain(keras.layers.LSTM(2))


def test_calls_that_a_new_engine_refuses_run_on_the_next_one(running_sum):
    layer, x, mask = layer_and_data()
    expected = sums_in_numpy(layer, np.where(mask[..., None], x, 0))
    bias = layer.cell.bias.numpy()
    expected = expected - np.cumsum(~mask, axis=1)[..., None] * bias
    np.testing.assert_allclose(layer(x, mask=mask), expected, rtol=1e-5, atol=1e-6)


def test_the_table_of_cells_names_a_new_engine(running_sum, monkeypatch):
    monkeypatch.setitem(registry._CELLS, "sum", SumCell)
    assert cells.list("sum")[0].engine == "sum"
    assert cells.list("lstm")[0].engine == "cuDNN, C"
