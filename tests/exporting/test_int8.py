"""LiteRT files in int8: close to the model, for tokens, several inputs and single steps."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6, 2)).astype("float32")
TOKENS = RNG.integers(1, 20, size=(60, 6))
TOKENS[::3, 4:] = 0


def runner_of(path):
    """A file that starts from zeros, as a function."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.reset_all_variables()
    return interpreter.get_signature_runner()


def classifier(inputs, x):
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="classes")(x))


@pytest.mark.short(steps=(6,), masked=(True,))
@pytest.mark.slow
@pytest.mark.parametrize(("steps", "masked"), [(6, True), (None, True), (6, False)])
def test_tokens_calibrate(steps, masked, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((steps,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(20, 4, embeddings_initializer="normal", mask_zero=masked)(inputs)
    model = classifier(inputs, lz.LSTM(8)(x))
    path = lz.export(model, tmp_path / "m.tflite", calibration=TOKENS)
    for row in TOKENS[:4]:
        got = runner_of(path)(tokens=row[None].astype("int32"))["classes"]
        np.testing.assert_allclose(got, model.predict(row[None], verbose=0), atol=0.03)


@pytest.mark.short(bidirectional=(False,))
@pytest.mark.slow
@pytest.mark.parametrize("bidirectional", [False, True])
def test_several_inputs_that_are_joined_calibrate_by_order_and_by_name(bidirectional, tmp_path):
    keras.utils.set_random_seed(0)
    first, second = keras.Input((6, 2), name="zz"), keras.Input((2,), name="aa")
    layer = keras.layers.Bidirectional(lz.LSTM(4)) if bidirectional else lz.LSTM(4)
    x = keras.layers.Concatenate()([layer(first), keras.layers.Dense(4)(second)])
    model = classifier([first, second], x)
    for calibration in ([X, X[:, 0]], {"aa": X[:, 0], "zz": X}):
        path = lz.export(model, tmp_path / "m.tflite", calibration=calibration)
        for k in range(4):
            rows = slice(k, k + 1)
            got = runner_of(path)(zz=X[rows], aa=X[rows, 0])["classes"]
            expected = model.predict([X[rows], X[rows, 0]], verbose=0)
            np.testing.assert_allclose(got, expected, atol=0.04)


@pytest.mark.short(cell=("lstm",))
@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "peephole", "gru"])
def test_steps_calibrate_for_any_cell(cell, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 2))
    model = classifier(inputs, lz.layers.layer_for(cell, 4)(inputs))
    path = lz.export(model, tmp_path / "m.tflite", streaming=True, calibration=X)
    run = runner_of(path)
    sizes = {name: one["shape"] for name, one in run.get_input_details().items()}
    states = {name: np.zeros(size, "float32") for name, size in sizes.items() if name != "step"}
    for t in range(6):
        found = run(step=X[:1, t], **states)
        states = {name: found[f"{name}_after"] for name in states}
    [output] = set(found) - {f"{name}_after" for name in states}
    np.testing.assert_allclose(found[output], model.predict(X[:1], verbose=0), atol=0.03)


def test_examples_that_do_not_fit_are_refused(tmp_path):
    tokens = lz.build_classifier((6,), 3, vocabulary_size=20, lstm_units=4)
    first, second = keras.Input((6, 2), name="zz"), keras.Input((2,), name="aa")
    joined = keras.layers.Concatenate()([lz.LSTM(4)(first), second])
    two = classifier([first, second], joined)
    loop = lz.build_classifier((6, 2), 3, lstm_units=4, cell="gru")
    for model, calibration, message in [
        (tokens, TOKENS + 0.5, "calibration must hold integer tokens"),
        (tokens, X, "calibration must have 2 axes"),
        (two, X, "a list or a dict with an array for each input, zz, aa"),
        (two, {"zz": X}, "an array for each input, zz, aa, got zz"),
        (two, [X, X[:3, 0]], "the same number of examples .*, got {'zz': 60, 'aa': 3}"),
        (two, [X, X], r"calibration\['aa'\] must have 2 axes"),
        (loop, X, "needs the plain LSTM and a batch_size, or streaming=True"),
    ]:
        with pytest.raises(ValueError, match=message):
            lz.export(model, tmp_path / "m.tflite", calibration=calibration)
    assert list(tmp_path.iterdir()) == []
