"""Files of models that are not float32: as those of the float32 model with the same weights."""

import re

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import lstm_zoo as lz

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 5, 2)).astype("float32")
X[0, 3:] = 0
POLICIES = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")


def model_of(policy):
    """Masked, nested, bidirectional, with a variant and a layer of its own precision."""
    keras.config.set_dtype_policy(policy)
    try:
        # Keras draws no orthogonal matrix of bfloat16.
        options = {"recurrent_initializer": "glorot_uniform", "return_sequences": True}
        inputs = keras.Input((5, 2), name="sequence")
        x = keras.layers.Masking()(inputs)
        x = keras.layers.Bidirectional(lz.LSTM(3, **options))(x)
        inner = keras.Sequential([keras.Input((5, 6)), lz.PeepholeLSTM(2, **options)], name="inner")
        x = keras.layers.TimeDistributed(keras.layers.Dense(3))(inner(x))
        x = keras.layers.GlobalAveragePooling1D()(x)
        outputs = keras.layers.Dense(2, dtype="float32", name="estimate")(x)
        return keras.Model(inputs, outputs, name="m")
    finally:
        keras.config.set_dtype_policy("float32")


def pair(policy):
    """A model of a policy, and the one of float32 with the numbers of its weights."""
    model, single = model_of(policy), model_of("float32")
    single.set_weights([np.asarray(w, "float32") for w in model.get_weights()])
    return model, single


def run_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return session.run(None, {"sequence": X})[0]


def run_litert(path):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path)).get_signature_runner()(sequence=X)["estimate"]


@pytest.mark.short(policy=("mixed_float16",))
@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_files_give_the_numbers_of_the_float32_model_with_the_same_weights(policy, tmp_path):
    model, single = pair(policy)
    expected = single.predict(X, verbose=0)
    assert_allclose(run_onnx(lz.export(model, tmp_path / "m.onnx")), expected, atol=1e-5)
    path = lz.export(model, tmp_path / "m.tflite", batch_size=3)
    assert_allclose(run_litert(path), expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_streamed_c_is_that_of_the_float32_model(policy, tmp_path):
    written = []
    for dtype in (policy, "float32"):
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(dtype)
        try:
            model = lz.build_regressor((None, 2), lstm_units=(3,), mask_value=0.0, name="m")
        finally:
            keras.config.set_dtype_policy("float32")
        weights = np.random.default_rng(0)
        model.set_weights([weights.normal(size=w.shape) for w in model.get_weights()])
        written.append(lz.export(model, tmp_path / f"{dtype}" / "m.h").read_text())
    numbers = [re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?(?=f)", text) for text in written]
    assert len(numbers[0]) > 3 * 4 * (2 + 3)
    assert_allclose(*(np.float64(some) for some in numbers), rtol=1e-6)


def test_saved_model_keeps_its_precision(tmp_path):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((5, 2)), lz.LSTM(3, dtype="mixed_float16")])
    served = tf.saved_model.load(str(lz.export(model, tmp_path / "served")))
    [got] = served.serve(X).values()
    assert got.dtype == tf.float16
    assert_allclose(got, model.predict(X, verbose=0), atol=1e-3)


class Halved(keras.layers.Layer):
    """A layer that says nothing of how it was made."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = np.float32(factor)

    def call(self, x):
        return x * self.factor


@pytest.mark.parametrize("ending", [".onnx", ".tflite"])
def test_model_that_cannot_be_converted_to_float32_is_refused_early(ending, tmp_path):
    layers = [keras.Input((5, 2)), lz.LSTM(3), Halved(np.ones(3), dtype="float16")]
    with pytest.raises(ValueError, match="(?s)model must be float32.*format='saved_model'"):
        lz.export(keras.Sequential(layers), tmp_path / f"m{ending}")
    assert list(tmp_path.iterdir()) == []
