"""A file has all outputs of `predict`, in the same order, with telling names."""

import pathlib
import runpy

import keras
import numpy as np
import pytest

import lstm_zoo as lz

runtimes = runpy.run_path(str(pathlib.Path(__file__).with_name("runtimes.py")))
# A process without LSTM Zoo for each SavedModel would be slow; test_export.py starts some.
RUNTIMES = {**runtimes["RUNTIMES"], "saved_model": runtimes["saved_model_here"]}
ENDINGS = runtimes["ENDINGS"]
RNG = np.random.default_rng(0)
every_format = pytest.mark.parametrize("format", RUNTIMES)


def flat(answers):
    """The answers of `predict` in their order."""
    answers = answers.values() if isinstance(answers, dict) else answers
    return keras.tree.flatten(list(answers) if not isinstance(answers, np.ndarray) else answers)


def assert_gives(model, format, folder, names, **call):
    """The file gives what `predict` does, under these names in the order of the model."""
    call = call or {
        one.name: RNG.normal(size=(1, *one.shape[1:])).astype("float32") for one in model.inputs
    }
    options = {"batch_size": len(next(iter(call.values())))} if format == "litert" else {}
    path = lz.export(model, folder / f"model{ENDINGS[format]}", format, **options)
    expected = flat(model.predict(call if len(call) > 1 else next(iter(call.values())), verbose=0))
    [got] = RUNTIMES[format](path, [call])
    assert set(got) == set(names)
    for name, value in zip(names, expected, strict=True):
        np.testing.assert_allclose(got[name], value, atol=1e-5, err_msg=name)
    return path


def with_states(order=(0, 1, 2)):
    inputs = keras.Input((5, 2), name="x")
    layer = lz.LSTM(3, return_sequences=True, return_state=True, name="memory")
    outputs = layer(inputs)
    return keras.Model(inputs, [outputs[k] for k in order])


STATES = ["memory", "memory_hidden_state", "memory_cell_state"]


@pytest.mark.slow
@every_format
def test_every_output_of_one_layer_is_in_the_file(format, tmp_path):
    assert_gives(with_states(), format, tmp_path, STATES)


@pytest.mark.short(format=("onnx",))
@pytest.mark.slow
@every_format
def test_each_direction_of_a_bidirectional_layer_has_states_of_its_own(format, tmp_path):
    inputs = keras.Input((5, 2), name="x")
    layer = keras.layers.Bidirectional(lz.LSTM(3, return_state=True), name="both")
    states = [
        f"both_{way}_{s}_state" for way in ("forward", "backward") for s in ("hidden", "cell")
    ]
    assert_gives(keras.Model(inputs, layer(inputs)), format, tmp_path, ["both", *states])


@pytest.mark.short(format=("onnx",))
@pytest.mark.slow
@every_format
def test_each_call_of_a_shared_layer_is_an_output(format, tmp_path):
    one, other = keras.Input((4, 2), name="one"), keras.Input((6, 2), name="other")
    layer = lz.LSTM(3, name="memory")
    model = keras.Model([other, one], [layer(one), layer(other)])
    assert_gives(model, format, tmp_path, ["memory", "memory_2"])


@pytest.mark.short(format=("onnx",))
@pytest.mark.slow
@every_format
def test_a_repeated_output_is_exported_twice(format, tmp_path):
    inputs = keras.Input((4, 2), name="x")
    y = lz.LSTM(3, name="memory")(inputs)
    assert_gives(keras.Model(inputs, [y, y]), format, tmp_path, ["memory", "memory_2"])


@pytest.mark.short(format=("onnx",))
@pytest.mark.slow
@every_format
def test_outputs_of_a_dict_keep_its_keys(format, tmp_path):
    model = with_states()
    y, h, c = model.outputs
    model = keras.Model(model.inputs, {"z": [y, c], "a": h})
    assert_gives(model, format, tmp_path, ["z_0", "z_1", "a"])


@pytest.mark.slow
@pytest.mark.parametrize(("format", "name"), [("onnx", "x_output"), ("litert", "x")])
def test_an_input_may_be_an_output_too(format, name, tmp_path):
    inputs = keras.Input((4, 2), name="x")
    model = keras.Model(inputs, [lz.LSTM(3, name="memory")(inputs), inputs])
    assert_gives(model, format, tmp_path, ["memory", name])


@pytest.mark.short(format=("onnx",))
@pytest.mark.slow
@every_format
def test_a_sequential_model_exports_its_predictions(format, tmp_path):
    model = keras.Sequential([keras.Input((5, 2), name="x"), lz.LSTM(3), keras.layers.Dense(2)])
    assert_gives(model, format, tmp_path, [model.layers[-1].name])


def test_a_sequential_model_that_a_call_has_built_takes_any_batch(tmp_path):
    model = keras.Sequential([keras.layers.Masking(), lz.LSTM(3, name="memory")])
    x = RNG.normal(size=(4, 5, 2)).astype("float32")
    model(x[:2])
    assert_gives(model, "onnx", tmp_path, ["memory"], **{model.inputs[0].name: x})


def test_a_sequential_model_streams():
    model = keras.Sequential([keras.Input((None, 2)), lz.LSTM(3), keras.layers.Dense(2)])
    x = RNG.normal(size=(1, 4, 2)).astype("float32")
    reader = lz.stream(model)
    np.testing.assert_allclose(
        [reader.step(x[:, t]) for t in range(4)][-1], model.predict(x, verbose=0), atol=1e-6
    )


def test_onnx_lists_outputs_in_the_order_of_the_model(tmp_path):
    import onnxruntime

    session = onnxruntime.InferenceSession(
        lz.export(with_states((2, 0, 1)), tmp_path / "model.onnx")
    )
    assert [one.name for one in session.get_outputs()] == [STATES[k] for k in (2, 0, 1)]


@pytest.mark.short(order=((2, 0, 1),))
@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_litert_lists_inputs_and_outputs_in_the_order_of_the_model(order, tmp_path):
    """Programs in C++ take them by place; the names there are those of the converter."""
    from ai_edge_litert.interpreter import Interpreter

    of_states = with_states(order)
    z, a = keras.Input((3, 2), name="z"), keras.Input((4, 2), name="a")
    outputs = [*of_states.outputs, *(lz.LSTM(units)(one) for units, one in ((7, z), (8, a)))]
    model = keras.Model([z, *of_states.inputs, a], outputs)
    path = lz.export(model, tmp_path / "model.tflite")
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    call = [RNG.normal(size=(1, *one.shape[1:])).astype("float32") for one in model.inputs]
    for place, value in zip(interpreter.get_input_details(), call, strict=True):
        interpreter.set_tensor(place["index"], value)
    interpreter.invoke()
    for place, value in zip(interpreter.get_output_details(), model(call), strict=True):
        np.testing.assert_allclose(interpreter.get_tensor(place["index"]), value, atol=1e-5)


@pytest.mark.short(format=("onnx",))
@pytest.mark.slow
@every_format
def test_inputs_of_several_lengths_need_not_be_equally_long(format, tmp_path):
    model = lz.build_seq2seq(9, 8, lstm_units=4)
    source = RNG.integers(1, 9, (1, 5)).astype("int32")
    target = RNG.integers(1, 8, (1, 7)).astype("int32")
    source[0, -1] = 0
    assert_gives(model, format, tmp_path, ["next_token"], source=source, target=target)


@pytest.mark.slow
def test_two_open_inputs_and_their_outputs_have_axes_of_their_own(tmp_path):
    import onnxruntime

    one, other = keras.Input((None, 2), name="one"), keras.Input((None, 2), name="other")
    y = lz.LSTM(3, return_sequences=True)(one)
    model = keras.Model([one, other], [keras.layers.Dense(2, name="y")(y), lz.LSTM(3)(other)])
    path = assert_gives(
        model,
        "onnx",
        tmp_path,
        ["y", model.output_names[1]],
        one=RNG.normal(size=(2, 5, 2)).astype("float32"),
        other=RNG.normal(size=(2, 10, 2)).astype("float32"),
    )
    session = onnxruntime.InferenceSession(path)
    assert [one.shape[1] for one in session.get_inputs()] == ["one_timesteps", "other_timesteps"]
    assert session.get_outputs()[0].shape == ["batch", "y_timesteps", 2]


def test_an_output_shorter_than_the_input_has_an_axis_of_its_own(tmp_path):
    import onnxruntime

    inputs = keras.Input((None, 2), name="x")
    model = keras.Model(
        inputs, keras.layers.Conv1D(2, 3, name="y")(lz.LSTM(3, return_sequences=True)(inputs))
    )
    x = RNG.normal(size=(2, 6, 2)).astype("float32")
    path = assert_gives(model, "onnx", tmp_path, ["y"], x=x)
    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].shape == ["batch", "timesteps", 2]
    assert session.get_outputs()[0].shape == ["batch", "y_timesteps", 2]


def trained_tagger(**options):
    """A tagger whose transitions outweigh its scores, as those of a trained one do."""
    model = lz.build_tagger((None, 2), 3, crf=True, lstm_units=4, **options)
    model.crf.set_weights([RNG.normal(scale=3, size=w.shape) for w in model.crf.get_weights()])
    return model


@pytest.mark.short(format=("onnx",))
@pytest.mark.slow
@every_format
def test_a_chain_tagger_outputs_tags(format, tmp_path):
    model = trained_tagger(mask_value=0.0)
    x = RNG.normal(size=(4, 9, 2)).astype("float32")
    x[0, [0, 4, 8]], x[1], x[2, 6:] = 0, 0, 0
    scores = keras.Model(model.inputs, model.outputs).predict(x, verbose=0)
    assert (scores.argmax(-1) != model.predict(x, verbose=0).argmax(-1)).any()
    assert_gives(model, format, tmp_path, ["crf"], sequence=x)


@pytest.mark.short(steps=(5,))
@pytest.mark.parametrize("steps", [1, 5])
def test_a_chain_tagger_without_a_mask_outputs_tags(steps, tmp_path):
    x = RNG.normal(size=(2, steps, 2)).astype("float32")
    assert_gives(trained_tagger(), "onnx", tmp_path, ["crf"], sequence=x)


def test_a_chain_tagger_is_not_streamed_but_its_scores_are(tmp_path):
    model = trained_tagger(bidirectional=False)
    for refused in (lambda: lz.stream(model), lambda: lz.export(model, tmp_path / "m.h")):
        with pytest.raises(ValueError, match=r"keras.Model\(model.inputs, model.outputs\)"):
            refused()
    scores = keras.Model(model.inputs, model.outputs)
    x = RNG.normal(size=(1, 3, 2)).astype("float32")
    reader = lz.stream(scores)
    streamed = np.stack([reader.step(x[:, t]) for t in range(3)], axis=1)
    np.testing.assert_allclose(streamed, scores.predict(x, verbose=0), atol=1e-6)


class Rounds(keras.Model):
    """A model that decodes in `predict`."""

    def predict_step(self, data):
        return keras.ops.round(super().predict_step(data))


def test_a_file_decodes_as_predict_does_whatever_the_model(tmp_path):
    inputs = keras.Input((5, 2), name="x")
    model = Rounds(inputs, keras.layers.Dense(2, name="y")(3 * lz.LSTM(3)(inputs)))
    assert_gives(model, "onnx", tmp_path, ["y"])


def test_an_input_name_that_tensorflow_cannot_hold_is_named(tmp_path):
    inputs = keras.Input((5, 2), name="my input")
    with pytest.raises(ValueError, match="got 'my input'"):
        lz.export(keras.Model(inputs, lz.LSTM(3)(inputs)), tmp_path / "served")
    assert list(tmp_path.iterdir()) == []
