"""Under JAX and PyTorch, without TensorFlow: the numbers of TensorFlow. `make test-backends`."""

import importlib.util
import pathlib
import sys

import keras
import numpy as np
import pytest

import lstm_zoo as lz

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cases

EXPECTED = np.load(pathlib.Path(__file__).parents[1] / "data" / "backends.npz")


@pytest.mark.parametrize("case", cases.CASES)
def test_numbers_are_those_of_tensorflow(case):
    expected = EXPECTED[case]
    atol = 1e-5 * max(1, np.abs(expected).max())
    np.testing.assert_allclose(cases.computed(case), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("name", [n for n in cases.BUILDERS if "crf" not in n])  # tags are whole
def test_builder_in_half_precision_stays_near_to_tensorflow_in_single(name):
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        said = cases.of_builder(name).astype("float32")
    finally:
        keras.config.set_dtype_policy("float32")
    expected = EXPECTED[f"builder {name}"]
    atol = 0.05 * max(1, np.abs(expected).max())
    np.testing.assert_allclose(said, expected, rtol=0, atol=atol)


def test_tensorflow_is_neither_there_nor_needed():
    assert importlib.util.find_spec("tensorflow") is None
    assert keras.backend.backend() != "tensorflow"


@pytest.mark.parametrize("name", ["zoneout", "candidate_dropout"])
def test_cell_that_draws_at_each_step_trains(name):
    keras.utils.set_random_seed(0)
    layer = lz.layers.layer_for(name, 4)
    model = keras.Sequential([keras.Input(cases.SHAPE), layer, keras.layers.Dense(2)])
    model.compile("adam", "mse")
    before = model.evaluate(cases.X, cases.Y, verbose=0)
    model.fit(cases.X, cases.Y, epochs=30, verbose=0)
    assert model.evaluate(cases.X, cases.Y, verbose=0) < before
    a, b = (cases.numbers(layer(cases.X, training=True)) for _ in range(2))
    assert np.abs(a - b).max() > 1e-3  # each call draws anew
    a, b = (cases.numbers(layer(cases.X)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


MODEL = [keras.Input((5, 3)), lz.LSTM(2), keras.layers.Dense(2)]
NEED_TENSORFLOW = {
    "fit": lambda model: lz.fit(model, cases.X, cases.Y, epochs=1),
    "export": lambda model: lz.export(model, "model.onnx"),
    "trace": lambda model: lz.trace(model, cases.X),
    "gradient_flow": lambda model: lz.gradient_flow(model, cases.X, cases.Y),
    "jacobian_norms": lambda model: lz.jacobian_norms(model, cases.X),
    "saliency": lambda model: lz.saliency(model, cases.X),
    "GradientMonitor": lambda model: lz.GradientMonitor(cases.X, cases.Y),
    "train_preset": lambda model: lz.train_preset("italy_power", verbose=0),
    "tune": lambda model: lz.tune("italy_power", trials=1),
    "run": lambda model: lz.recurrence.run(lz.LSTMCell(2), cases.X, []),
}


@pytest.mark.parametrize("name", NEED_TENSORFLOW)
def test_functions_that_need_tensorflow_raise_a_clear_error(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential(MODEL)
    model.compile("adam", "mse")
    backend = keras.backend.backend()
    wanted = f"^{name} needs TensorFlow: set KERAS_BACKEND=tensorflow, got {backend!r}$"
    with pytest.raises(ValueError, match=wanted):
        NEED_TENSORFLOW[name](model)
    assert not list(tmp_path.iterdir())


def test_saved_model_comes_back(tmp_path):
    model = lz.build_classifier((None, 3), 2, lstm_units=3)
    again = keras.models.load_model(lz.save(model, tmp_path / "model.keras"))
    np.testing.assert_array_equal(
        model.predict(cases.X, verbose=0), again.predict(cases.X, verbose=0)
    )


@pytest.mark.parametrize("crf", [False, True])
def test_a_saved_tagger_still_predicts_names_for_words(crf, tmp_path):
    sentences, tags = ["the cat sat", "a dog"], [["DET", "NOUN", "VERB"], ["DET", "NOUN"]]
    model = lz.build_tagger((None,), tags, vocabulary=sentences, lstm_units=3, crf=crf)
    x = lz.encode_texts(sentences, lz.naming.vocabulary(model)).x
    model.fit(x, lz.encode_tags(tags).y, epochs=1, verbose=0)
    assert lz.predict(model, x) == lz.predict(model, sentences)
    again = lz.load(lz.save(model, tmp_path / "model.keras"))
    assert lz.predict(again, sentences) == lz.predict(model, sentences)


def test_stream_gives_the_numbers_of_the_whole_sequence():
    model = lz.build_tagger((None, 3), 2, bidirectional=False, lstm_units=3)
    reader = lz.stream(model, batch_size=len(cases.X))
    steps = [reader.step(cases.X[:, t]) for t in range(cases.STEPS)]
    np.testing.assert_allclose(
        np.stack(steps, axis=1), model.predict(cases.X, verbose=0), atol=1e-6
    )
