"""The initial and final states of exported files."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import layers

RNG = np.random.default_rng(0)


def stateful(kind):
    inputs = keras.Input(batch_shape=(1, 4, 2), name="x")
    layer = lz.LSTM(3, stateful=True)
    if kind == "nested":
        inside = keras.Input(batch_shape=(1, 4, 2))
        layer = keras.Model(inside, layer(inside))
    if kind == "bidirectional":
        layer = keras.layers.Bidirectional(layer)
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize("kind", ["layer", "nested", "bidirectional"])
@pytest.mark.parametrize("ending", [".onnx", ".tflite", ""])
def test_a_model_that_carries_states_from_call_to_call_is_refused(kind, ending, tmp_path):
    with pytest.raises(ValueError, match=r"layer '.*' is stateful.*streaming=True"):
        lz.export(stateful(kind), tmp_path / f"m{ending}")
    assert list(tmp_path.iterdir()) == []


def test_a_stateful_model_streams_from_zeros_as_after_reset():
    model = stateful("layer")
    x = RNG.normal(size=(1, 8, 2)).astype("float32")
    model.predict(x[:, :4], verbose=0)  # its states are no longer zeros
    reader = lz.stream(model)
    streamed = [reader.step(x[:, t]) for t in range(8)]
    model.layers[-1].reset_states()
    for part in (0, 4):
        answer = model.predict(x[:, part : part + 4], verbose=0)
        np.testing.assert_allclose(streamed[part + 3], answer, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "peephole", "coupled"])
def test_last_states_need_no_lengths_of_the_lstm_node(cell, tmp_path):
    """ONNX's own evaluator ignores the node's lengths, as some runtimes do."""
    import onnx.reference
    import onnxruntime

    inputs = keras.Input((None, 2), name="x")
    masked = keras.layers.Masking()(inputs)
    layer = layers.layer_for(cell, 4, return_sequences=True, return_state=True)
    model = keras.Model(inputs, layer(masked))
    model.set_weights([RNG.normal(size=w.shape) for w in model.get_weights()])
    x = RNG.normal(size=(4, 7, 2)).astype("float32")
    x[0, 3:], x[1], x[2, 2:4], x[3, :2] = 0, 0, 0, 0
    expected = model.predict(x, verbose=0)
    path = lz.export(model, tmp_path / "m.onnx", fused=True)
    assert [node.op_type for node in onnx.load(path).graph.node].count("LSTM") == 1
    for runtime in (onnxruntime.InferenceSession, onnx.reference.ReferenceEvaluator):
        for got, value in zip(runtime(str(path)).run(None, {"x": x}), expected, strict=True):
            np.testing.assert_allclose(got, value, atol=1e-5)


def test_a_cell_state_is_kept_over_thousands_of_masked_steps(tmp_path):
    import onnxruntime

    inputs = keras.Input((None, 2), name="x")
    masked = keras.layers.Masking()(inputs)
    model = keras.Model(inputs, lz.LSTM(4, return_state=True)(masked)[1:])
    x = np.zeros((1, 3000, 2), "float32")
    x[0, :5] = RNG.normal(size=(5, 2))
    path = lz.export(model, tmp_path / "m.onnx")
    got = onnxruntime.InferenceSession(path).run(None, {"x": x})
    for one, value in zip(got, model.predict(x[:, :5], verbose=0), strict=True):
        np.testing.assert_allclose(one, value, atol=1e-6)
