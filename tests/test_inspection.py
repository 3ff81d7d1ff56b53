"""What a trace, a gradient and a Jacobian say about a model, against the model itself and NumPy."""

import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.inspection import trace

TOLERANCE = 1e-6  # largest difference allowed between a traced hidden state and the layer's output
LSTM_VALUES = [
    "input_gate",
    "forget_gate",
    "candidate",
    "output_gate",
    "cell_state",
    "hidden_state",
]


@pytest.fixture
def x(rng):
    return rng.normal(size=(4, 12, 3)).astype("float32")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_trace_of_an_lstm_equals_its_equations_in_numpy(x):
    layer = lz.LSTM(5, bias_initializer="glorot_normal")
    seen = trace(layer, x)
    hidden, cell = lz.lstm_in_numpy(x, *(w.numpy().astype("float64") for w in layer.weights))
    assert list(seen.values) == LSTM_VALUES
    assert all(value.shape == (4, 12, 5) for value in seen.values.values())
    assert all(value.dtype == np.float32 for value in seen.values.values())
    np.testing.assert_allclose(seen.hidden_state, hidden, atol=TOLERANCE)
    np.testing.assert_allclose(seen.cell_state, cell, atol=TOLERANCE)
    before = np.pad(seen.cell_state, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    np.testing.assert_allclose(
        seen.cell_state, seen.forget_gate * before + seen.input_gate * seen.candidate, atol=1e-6
    )
    np.testing.assert_allclose(
        seen.hidden_state, seen.output_gate * np.tanh(seen.cell_state), atol=1e-6
    )
    assert (seen.layer, seen.kind, seen.units, seen.timesteps) == (layer.name, "lstm", 5, 12)
    np.testing.assert_array_equal(seen.inputs, x)
