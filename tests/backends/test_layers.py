"""The layer of each cell under JAX and PyTorch against the equations in NumPy, masks and all."""

import pathlib
import sys

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import cells, layers, recurrence

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import in_numpy
from cases import numbers, weighted

FEATURES, UNITS = 3, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5, FEATURES)).astype("float32")
MASK = np.array([[0, 0, 1, 1, 0], [0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)


@pytest.fixture(autouse=True)
def _usual_policy():
    yield
    keras.config.set_dtype_policy("float32")


def layer_of(name, **options):
    layer = layers.layer_for(name, UNITS, **options)
    layer.build((None, None, FEATURES))
    return weighted(layer)


def some_states(cell, batch):
    """States before the first step, their normalisers positive."""
    rng = np.random.default_rng(3)
    drawn = [0.5 * rng.normal(size=(batch, size)) for size in cell.state_size]
    return [np.abs(a) if s == "normaliser" else a for s, a in zip(cell.state_names, drawn)]


def assert_close(got, expected, atol=2e-6):
    np.testing.assert_allclose(numbers(got), expected, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("name", cells.names())
@pytest.mark.parametrize("go_backwards", [False, True])
def test_masks_and_initial_states_count_as_in_numpy(name, go_backwards):
    options = {"return_sequences": True, "return_state": True, "go_backwards": go_backwards}
    layer = layer_of(name, **options)
    states = some_states(layer.cell, len(X))
    outputs, *last = layer(X, initial_state=[s.astype("float32") for s in states], mask=MASK)
    expected, expected_last = in_numpy.run(name, layer.cell, X, states, MASK, go_backwards)
    assert_close(outputs, expected)
    for got, wanted in zip(last, expected_last, strict=True):
        assert_close(got, wanted)


@pytest.mark.parametrize("name", cells.names())
def test_short_and_single_sequences_in_turn_are_as_in_numpy(name):
    layer = layer_of(name, return_sequences=True)
    for rows, steps in ((1, 1), (2, 4), (1, 2), (4, 1)):
        x = X[:rows, :steps]
        assert_close(layer(x), in_numpy.run(name, layer.cell, x)[0])


@pytest.mark.parametrize("name", ["lstm", "min_gru", "mlstm"])
@pytest.mark.parametrize(
    "options",
    [{"unroll": True}, {"zero_output_for_mask": True}, {"unroll": True, "go_backwards": True}],
    ids=str,
)
def test_other_loops_give_the_numbers_of_numpy(name, options):
    layer = layer_of(name, return_sequences=True, **options)
    states = some_states(layer.cell, len(X))
    outputs = layer(X, initial_state=[s.astype("float32") for s in states], mask=MASK)
    backwards = options.get("go_backwards", False)
    expected, _ = in_numpy.run(name, layer.cell, X, states, MASK, backwards)
    if "zero_output_for_mask" in options:
        expected = np.where(MASK[..., None], expected, 0)
    assert_close(outputs, expected)


@pytest.mark.parametrize("last_only", [False, True])
def test_keras_cells_in_our_layer_output_zeros_before_the_first_unmasked_step(last_only):
    for cell in (keras.layers.GRUCell(UNITS), [lz.LSTMCell(UNITS), lz.LSTMCell(UNITS)]):
        layer = lz.RNN(cell, return_sequences=not last_only, return_state=True)
        layer.build((4, 5, FEATURES))
        ones = np.ones((4, UNITS), "float32")
        states = [[ones, ones]] * 2 if isinstance(cell, list) else [ones]
        y, *last = layer(X, initial_state=states, mask=keras.ops.convert_to_tensor(MASK))
        y = numbers(y)
        if last_only:
            np.testing.assert_array_equal(y[3], 0)  # a row that is masked whole
        else:
            np.testing.assert_array_equal(y[0, :2], 0)
            np.testing.assert_array_equal(y[3], 0)
        for state in keras.tree.flatten(last):
            np.testing.assert_array_equal(numbers(state)[3], 1)  # and its states are as they were


@pytest.mark.parametrize("steps", [512, 513])
def test_long_mlstm_runs_where_explain_says_and_gives_the_numbers_of_numpy(steps):
    layer = layer_of("mlstm", return_sequences=True)
    x = np.random.default_rng(1).normal(size=(1, steps, FEATURES)).astype("float32")
    assert_close(layer(x), in_numpy.run("mlstm", layer.cell, x)[0], atol=1e-4)
    in_parallel = "runs on the parallel form" in recurrence.explain(layer, timesteps=steps)
    assert in_parallel == (steps == 512)


def test_float64_which_keras_computes_in_float32_is_refused():
    message = f"float64.* {keras.backend.backend()} .*set KERAS_BACKEND=tensorflow"
    for kind in (lz.LSTM, lz.PeepholeLSTM, cells.MinGRUCell):
        with pytest.raises(ValueError, match=message):
            kind(2, dtype="float64")
    for block in (layers.MLSTMBlock, layers.SLSTMBlock):
        with pytest.raises(ValueError, match="dtype must not be 'float64'"):
            block(2, dtype="float64")
    keras.config.set_dtype_policy("float64")
    with pytest.raises(ValueError, match="dtype must not be 'float64'"):
        lz.build_classifier((5, 2), 3)


HALVES = {"mixed_bfloat16": 2.0**-8, "mixed_float16": 2.0**-11}


@pytest.mark.parametrize("policy", HALVES)
@pytest.mark.parametrize("kind", [lz.LSTM, lz.PeepholeLSTM, lz.CoupledLSTM])
def test_half_precision_sums_over_many_steps_as_float32_does(policy, kind):
    """An integrator that adds 0.01 at each step; in bfloat16 itself it stops at 4."""
    layer = kind(1, return_state=True, dtype=policy)
    layer.build((1, 600, 1))
    kernel, recurrent, bias, *rest = (np.zeros(w.shape) for w in layer.get_weights())
    gates = bias.reshape(-1, 1)  # open, but for the candidate; coupled gates let in 1 - f
    gates[:] = 20.0
    gates[-2] = np.arctanh(0.01)
    expected = 6.0
    if kind is lz.CoupledLSTM:
        gates[0] = np.log(1023.0)
        expected = 0.01 * (1 - (1 - 2.0**-10) ** 600)
    layer.set_weights([kernel, recurrent, bias, *rest])
    cell_state = numbers(layer(np.zeros((1, 600, 1), "float32"))[-1])
    np.testing.assert_allclose(cell_state, expected, rtol=10 * HALVES[policy])


@pytest.mark.parametrize("policy", HALVES)
@pytest.mark.parametrize("name", cells.names())
def test_half_precision_only_rounds_inputs_and_weights(name, policy):
    """Rounded weights and inputs in NumPy: no step of the recurrence rounds again."""
    layer = layer_of(name, return_sequences=True, dtype=policy)
    rounded = layer.compute_dtype
    for weight in layer.trainable_weights:
        weight.assign(keras.ops.cast(keras.ops.cast(weight.value, rounded), "float32"))
    x = numbers(keras.ops.cast(X, rounded))
    y = layer(x, mask=MASK)
    assert keras.backend.standardize_dtype(y.dtype) == rounded
    expected, _ = in_numpy.run(name, layer.cell, x, mask=MASK)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(numbers(y), expected, atol=HALVES[policy] * scale, rtol=0)


@pytest.mark.parametrize("policy", HALVES)
@pytest.mark.parametrize("block", [layers.MLSTMBlock, layers.SLSTMBlock])
def test_blocks_of_the_xlstm_stay_near_to_float32_over_many_steps(block, policy):
    x = np.random.default_rng(1).normal(size=(1, 400, 8)).astype("float32")
    answers = []
    for dtype in ("float32", policy):
        made = block(2, dtype=dtype)
        made.build(x.shape)
        answers.append(numbers(weighted(made)(x)) - x)
    single, half = answers
    assert np.abs(half - single).max() < 24 * HALVES[policy] * np.abs(single).max()
