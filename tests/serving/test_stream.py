"""A stream runs in C: with the model's numbers, many side by side, states kept and set."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import lstm_zoo as lz

RNG = np.random.default_rng(0)
SMALL = {"lstm_units": (18, 5), "dense_units": 6}


def weighted(model):
    model.set_weights([w + RNG.normal(scale=0.2, size=w.shape) ** 2 for w in model.get_weights()])
    return model


def classifier(**options):
    return weighted(lz.build_classifier((None, 3), 4, mask_value=0.0, **SMALL, **options))


def masked(batch, timesteps=7):
    x = RNG.normal(size=(batch, timesteps, 3)).astype("float32")
    x[0, 2] = x[-1, :2] = x[batch // 2, -2:] = 0
    return x


def answers(reader, x):
    return np.stack([reader.step(x[:, t]) for t in range(x.shape[1])], axis=1)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("cell", ["lstm", "peephole", "coupled", "gru", "simple_rnn"])
def test_a_stream_in_c_ends_where_the_predictor_does(cell, pooling):
    model = classifier(cell=cell, pooling=pooling)
    for batch in (1, 4, 9):
        reader, x = lz.stream(model, batch_size=batch), masked(batch)
        assert "runs in the C code" in lz.explain(reader)
        np.testing.assert_allclose(answers(reader, x)[:, -1], lz.predictor(model)(x), atol=2e-6)


STREAMED = {
    "learned first states": lambda **options: lz.LSTM(18, learned_initial_state=True, **options),
    "GRU that resets before": lambda **options: keras.layers.GRU(18, reset_after=False, **options),
    "stacked cells": lambda **options: keras.layers.RNN(
        [lz.LSTMCell(18), keras.layers.GRUCell(5)], **options
    ),
}


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("layer", STREAMED)
def test_a_stream_of_a_layer_answers_at_each_step_as_predict(layer, zeros):
    inputs = keras.Input((None, 3))
    x = masked(5)
    for x_in in (inputs, keras.layers.Masking()(inputs)):
        for sequences in (False, True):
            made = STREAMED[layer](return_sequences=sequences, zero_output_for_mask=zeros)
            model = weighted(keras.Model(inputs, made(x_in)))
            reader = lz.stream(model, batch_size=5)
            assert "runs in the C code" in lz.explain(reader)
            got, expected = answers(reader, x), model.predict(x, verbose=0)
            np.testing.assert_allclose(got if sequences else got[:, -1], expected, atol=2e-6)


def test_a_stream_answers_to_the_bit_as_the_predictor_at_each_step():
    model = weighted(lz.build_tagger((None, 3), 4, bidirectional=False, **SMALL))
    x = masked(3, 30)
    np.testing.assert_array_equal(answers(lz.stream(model, 3), x), lz.predictor(model)(x))


def test_rows_are_reset_by_themselves():
    reader, x = lz.stream(classifier(), batch_size=3), masked(3)
    first = answers(reader, x)
    reader.reset([0, 2])
    again = answers(reader, x)
    np.testing.assert_array_equal(again[[0, 2]], first[[0, 2]])
    assert np.abs(again[1] - first[1]).max() > 1e-4
    reader.reset()
    np.testing.assert_array_equal(answers(reader, x), first)


def test_states_are_kept_and_set_for_each_row():
    model, x = classifier(), masked(2)
    reader, other = lz.stream(model, batch_size=2), lz.stream(model, batch_size=2)
    answers(reader, x[:, :3])
    kept = reader.state
    rest = answers(reader, x[:, 3:])
    other.state = [state[::-1] for state in kept]
    np.testing.assert_array_equal(answers(other, x[::-1, 3:]), rest[::-1])


def test_a_kept_state_and_an_answer_do_not_change_with_later_steps():
    reader, x = lz.stream(classifier()), masked(1)
    answer = reader.step(x[:, 0])
    state = reader.state
    before = [answer.copy(), *(one.copy() for one in state)]
    answers(reader, x)
    for one, other in zip([answer, *state], before):
        np.testing.assert_array_equal(one, other)


def test_a_step_that_is_refused_leaves_the_states_as_they_were():
    reader, x = lz.stream(classifier()), masked(1)
    speller = lz.stream(lz.build_language_model(5, lstm_units=4))
    answers(reader, x[:, :3])
    speller.step([3])
    for one, wrong in (
        (reader, np.full((1, 3), np.nan, "float32")),
        (reader, np.full((1, 3), 1e300)),
        (speller, [5]),
        (speller, [-1]),
    ):
        before = one.state
        with pytest.raises(ValueError, match="must"):
            one.step(wrong)
        for state, kept in zip(one.state, before):
            np.testing.assert_array_equal(state, kept)


def test_a_state_that_is_not_finite_is_refused():
    reader = lz.stream(classifier())
    with pytest.raises(ValueError, match="state must be finite"):
        reader.state = [state + np.nan for state in reader.state]


@pytest.mark.parametrize(
    "steps", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)], ids=str
)
def test_many_steps_stay_at_the_same_memory(steps):
    statm = pathlib.Path("/proc/self/statm")
    reader, x = lz.stream(lz.build_regressor((None, 3), lstm_units=32)), masked(1)[:, 0]
    for _ in range(1000):
        reader.step(x)
    before = statm.read_text().split()[1] if statm.exists() else "0"
    for _ in range(steps):
        reader.step(x)
    after = statm.read_text().split()[1] if statm.exists() else "0"
    assert (int(after) - int(before)) * 4096 < 10e6


def test_streams_in_eight_threads_do_not_disturb_each_other():
    model, x = classifier(), masked(4, 40)
    expected = answers(lz.stream(model, 4), x)

    def run(_):
        return answers(lz.stream(model, 4), x)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for got in pool.map(run, range(8)):
            np.testing.assert_array_equal(got, expected)


def test_a_stream_of_a_file_is_that_of_its_model(tmp_path):
    model, x = classifier(), masked(2)
    answer = lz.predictor(model)
    answer.save(tmp_path / "model.npz")
    expected = answers(lz.stream(model, 2), x)
    np.testing.assert_array_equal(answers(lz.stream(answer, 2), x), expected)
    again = lz.load_predictor(tmp_path / "model.npz")
    np.testing.assert_array_equal(answers(lz.stream(again, 2), x), expected)


def test_a_file_of_a_model_that_needs_later_steps_says_so(tmp_path):
    lz.predictor(lz.build_forecaster((7, 3), 2, **SMALL)).save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="'window_scale' .* scale_windows=False"):
        lz.stream(lz.load_predictor(tmp_path / "model.npz"))


def test_a_file_is_opened_streamed_and_asked_without_keras(tmp_path):
    model, x = classifier(), masked(2)
    lz.predictor(model).save(tmp_path / "model.npz")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "expected.npy", lz.predictor(model)(x))
    script = """
import sys
for name in ("keras", "tensorflow", "jax", "torch"):
    sys.modules[name] = None  # as if it were not installed
import numpy as np
import lstm_zoo as lz
x, expected = np.load("x.npy"), np.load("expected.npy")
answer = lz.load_predictor("model.npz")
np.testing.assert_array_equal(answer(x), expected)
reader = lz.stream(answer, batch_size=2)
for t in range(x.shape[1]):
    y = reader.step(x[:, t])
np.testing.assert_allclose(y, expected, atol=2e-6)
"""
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(lz.__file__).parent.parent)}
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
