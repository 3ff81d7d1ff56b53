"""Files that run elsewhere: each in its own runtime, equal to Keras to 1e-5."""

import importlib.util
import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo import cells, exporting, layers
from lstm_zoo.exporting.signature import signature_of
from lstm_zoo.layers.variants import names


def _neighbour(name):
    path = pathlib.Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runtimes = _neighbour("runtimes")
RUNTIMES, ENDINGS, operations = runtimes.RUNTIMES, runtimes.ENDINGS, runtimes.operations
by_keras = runtimes.by_keras
RNG = np.random.default_rng(0)
every_format = pytest.mark.parametrize("format", RUNTIMES)
FEATURES = 3


def randomised(model):
    model.set_weights([RNG.normal(scale=0.5, size=w.shape) for w in model.get_weights()])
    return model


def sequences(batch, steps):
    """Some whole, some padded, one with a hole, one of padding only."""
    x = RNG.normal(size=(batch, steps, FEATURES)).astype("float32")
    x[1, -2:] = 0
    if batch > 2:
        x[2, 1:2], x[0] = 0, 0
    return x


def of_cells(some):
    """A model of several registered cells, an output each, masked."""
    inputs = keras.Input((None, FEATURES), name="sequence")
    masked = keras.layers.Masking()(inputs)
    outputs = {}
    for k, name in enumerate(some):
        layer = layers.layer_for(name, 3, return_sequences=k % 2 == 0)
        if name in ("lstm", "slstm", "min_lstm"):  # of each way to run one
            layer = keras.layers.Bidirectional(layer)
        outputs[f"of_{name.replace(' ', '_')}"] = keras.layers.Dense(2)(layer(masked))
    return randomised(keras.Model(inputs, outputs))


def assert_equal_elsewhere(model, format, path, calls, **options):
    """Export, run in the format's runtime, compare with Keras."""
    exported = lz.export(model, path / f"model{ENDINGS[format]}", format, **options)
    for call, got in zip(calls, RUNTIMES[format](exported, calls), strict=True):
        inputs = list(call.values()) if len(call) > 1 else call[model.inputs[0].name]
        expected = by_keras(model, inputs)
        if not isinstance(expected, dict):
            names = signature_of(model).outputs
            expected = dict(zip(names, keras.tree.flatten(expected), strict=True))
        assert set(got) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, atol=1e-5, err_msg=name)
    return exported


@pytest.mark.long
@every_format
def test_every_cell_equals_keras_masked_in_any_batch_and_length(format, tmp_path):
    calls = [{"sequence": sequences(4, 6)}, {"sequence": sequences(2, 9)}]
    batch_size = {"batch_size": None} if format == "litert" else {}
    parts = 11 if format == "onnx" else 1  # tf2onnx copies the whole graph for every loop in it
    for part in range(parts):
        model = of_cells(cells.names()[part::parts])
        assert_equal_elsewhere(model, format, tmp_path, calls, **batch_size)


def all_builders():
    """A model of one model of each builder, which share their inputs."""
    steps = 4
    sequence = keras.Input((steps, FEATURES), name="sequence")
    tokens = keras.Input((steps,), name="tokens", dtype="int32")
    masked = {"mask_value": 0.0, "lstm_units": (3, 2)}
    shape = (steps, FEATURES)
    outputs = {
        "classifier": lz.build_classifier(shape, 3, bidirectional=True, **masked)(sequence),
        "regressor": lz.build_regressor(shape, 2, cell="gru", lstm_units=(3,))(sequence),
        "forecaster": lz.build_forecaster(shape, 3, quantiles=(0.1, 0.9), **masked)(sequence),
        "tagger": lz.build_tagger(shape, 3, lstm_units=3)(sequence),
        "language_model": lz.build_language_model(6, lstm_units=3)(tokens),
        "autoencoder": lz.build_autoencoder(shape, lstm_units=3)(sequence),
        "seq2seq": lz.build_seq2seq(6, 6, lstm_units=3)({"source": tokens, "target": tokens}),
        "lstm_fcn": lz.build_lstm_fcn(shape, 3, lstm_units=3, filters=(4,), kernel_sizes=(3,))(
            sequence
        ),
    }
    assert {f"build_{name}" for name in outputs} == {
        name for name in lz.builders.__all__ if name.startswith("build_")
    }
    return keras.Model([sequence, tokens], outputs)


@pytest.mark.long
@every_format
def test_every_builder_equals_keras(format, tmp_path):
    batch_size = {"batch_size": 3} if format == "litert" else {}
    tokens = RNG.integers(1, 6, size=(3, 4)).astype("int32")
    call = {"sequence": sequences(3, 4), "tokens": tokens}
    assert_equal_elsewhere(all_builders(), format, tmp_path, [call], **batch_size)


def test_lstm_and_gru_of_one_size_share_no_state_in_litert(tmp_path):
    """LiteRT's converter gave both the same zeros to start from, and the LSTM writes to its own."""
    inputs = keras.Input((4, FEATURES), name="sequence")
    outputs = {"lstm": lz.LSTM(3)(inputs), "gru": keras.layers.GRU(3)(inputs)}
    call = {"sequence": sequences(3, 4)}
    assert_equal_elsewhere(
        keras.Model(inputs, outputs), "litert", tmp_path, [call, call, call], batch_size=3
    )


@pytest.mark.short(cell=("lstm",))
@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "peephole", "coupled"])
def test_lstm_is_one_node_of_onnx_that_knows_lengths(cell, tmp_path):
    model = randomised(
        lz.build_classifier((None, FEATURES), 2, cell=cell, lstm_units=(4,), mask_value=0.0)
    )
    calls = [{"sequence": sequences(4, 6)}]
    found = operations(assert_equal_elsewhere(model, "onnx", tmp_path, calls, fused=True))
    assert found.count("LSTM") == 1
    assert "Loop" not in found


@pytest.mark.short(steps=(6,))
@pytest.mark.slow
@pytest.mark.parametrize("steps", [6, None])
def test_lstm_is_one_fused_operation_of_litert(steps, tmp_path):
    model = lz.build_classifier(
        (steps, FEATURES), 2, lstm_units=(4, 3), bidirectional=True, mask_value=0.0
    )
    calls = [{"sequence": x[None]} for x in sequences(4, 6)]
    found = operations(assert_equal_elsewhere(randomised(model), "litert", tmp_path, calls))
    assert found.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 4
    assert not {"WHILE", "CUSTOM"} & set(found)
    assert not any(name.startswith("Flex") for name in found)


def test_litert_keeps_states_that_do_not_start_from_zeros(tmp_path):
    x, h, c = (keras.Input(s, name=n) for n, s in (("x", (5, 2)), ("h", (3,)), ("c", (3,))))
    y, *states = lz.LSTM(3, return_state=True)(x, initial_state=[h, c])
    model = randomised(keras.Model([x, h, c], [y, *states[1:]]))
    call = {
        n: RNG.normal(size=(1, *s.shape[1:])).astype("float32") for n, s in zip("xhc", (x, h, c))
    }
    assert_equal_elsewhere(model, "litert", tmp_path, [call])


@pytest.mark.long
def test_keras_own_export_works_in_each_format_and_fuses_for_litert(tmp_path):
    model = randomised(
        lz.build_classifier((6, FEATURES), 2, lstm_units=(4,), bidirectional=True, mask_value=0.0)
    )
    x = sequences(3, 6)
    expected = by_keras(model, x)
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(served.serve(x), expected, atol=1e-5)
    model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    [got] = runtimes.onnx(tmp_path / "m.onnx", [{"sequence": x}])
    np.testing.assert_allclose(next(iter(got.values())), expected, atol=1e-5)
    specs = [tf.TensorSpec((rows, 6, FEATURES), name="sequence") for rows in (None, 3)]
    for spec, wanted in zip(specs, ("WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM")):
        path = tmp_path / "m.tflite"
        model.export(path, format="litert", verbose=False, input_signature=[spec])
        from ai_edge_litert.interpreter import Interpreter

        runner = Interpreter(str(path)).get_signature_runner()
        [name] = runner.get_input_details()
        got = next(iter(runner(**{name: x}).values()))
        np.testing.assert_allclose(got, expected, atol=1e-5)
        assert operations(path).count(wanted) == 2


@pytest.mark.long
def test_int8_is_nearly_as_accurate_as_float(tmp_path):
    data = lz.datasets.load("basic_motions")
    x, y = data.x_train[:, :50], data.y_train
    x = ((x - x.mean((0, 1))) / x.std((0, 1))).astype("float32")
    model = lz.build_classifier((50, 6), 4, lstm_units=(16,), learning_rate=1e-2)
    model.fit(x, y, epochs=15, batch_size=10, verbose=0)
    from ai_edge_litert.interpreter import Interpreter

    scores, sizes = [], []
    for calibration in (None, x):
        path = lz.export(model, tmp_path / "m.tflite", calibration=calibration)
        assert operations(path).count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 1
        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
        [taken], [given] = interpreter.get_input_details(), interpreter.get_output_details()
        predictions = []
        for row in x:
            interpreter.reset_all_variables()  # in int8 the operation goes on where it stopped
            interpreter.set_tensor(taken["index"], row[None])
            interpreter.invoke()
            predictions.append(interpreter.get_tensor(given["index"])[0])
        scores.append(np.mean(np.argmax(predictions, axis=1) == y))
        sizes.append(path.stat().st_size)
    assert scores[0] == pytest.approx(np.mean(model(x).numpy().argmax(1) == y))
    assert scores[0] > 0.8
    assert scores[1] >= scores[0] - 0.05
    assert sizes[1] < sizes[0]


@pytest.mark.short("saved_model-last", "onnx-last", "litert-attention")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "pooling"),
    [*((format, "last") for format in RUNTIMES), ("onnx", "mean"), ("litert", "attention")],
)
def test_streaming_form_equals_the_whole_sequence(format, pooling, tmp_path):
    model = lz.build_classifier(
        (None, FEATURES), 2, lstm_units=(4, 3), mask_value=0.0, pooling=pooling
    )
    model = randomised(model)
    step = exporting.step_model(model)
    x = sequences(4, 5)
    states = {one.name: np.zeros((4, *one.shape[1:]), "float32") for one in step.inputs[1:]}
    options = {"batch_size": 4} if format == "litert" else {}
    calls = []
    for t in range(5):
        calls.append({"step": x[:, t], **states})
        y, *after = step(list(calls[-1].values()))
        np.testing.assert_allclose(y, by_keras(model, x[:, : t + 1]), atol=1e-5)
        states = dict(zip(states, (state.numpy() for state in after)))
    exported = lz.export(model, tmp_path / f"s{ENDINGS[format]}", format, streaming=True, **options)
    for call, got in zip(calls, RUNTIMES[format](exported, calls), strict=True):
        for name, value in zip(step.output_names, step(list(call.values())), strict=True):
            np.testing.assert_allclose(got[name], value, atol=1e-5)


def test_onnx_gives_the_output_and_then_the_states_in_the_order_it_takes_them(tmp_path):
    """As the loop of docs/export.md reads them, by place and not by name."""
    import onnxruntime

    model = randomised(lz.build_classifier((5, FEATURES), 2, lstm_units=(3,)))
    x = sequences(2, 5)
    path = lz.export(model, tmp_path / "step.onnx", streaming=True)
    session = onnxruntime.InferenceSession(path)
    given = [one.name for one in session.get_inputs()[1:]]
    assert [one.name for one in session.get_outputs()[1:]] == [f"{n}_after" for n in given]
    states = {one.name: np.zeros((2, one.shape[1]), "float32") for one in session.get_inputs()[1:]}
    for t in range(5):
        output, *after = session.run(None, {"step": x[:, t], **states})
        states = dict(zip(states, after))
    np.testing.assert_allclose(output, by_keras(model, x), atol=1e-5)


@pytest.mark.parametrize("name", names())
def test_every_cell_streams(name):
    inputs = keras.Input((None, FEATURES))
    x = layers.layer_for(name, 4, return_sequences=True)(inputs)
    model = randomised(keras.Model(inputs, keras.layers.Dense(2)(x)))
    step, x = exporting.step_model(model), sequences(2, 4)
    states = [tf.zeros((2, *one.shape[1:])) for one in step.inputs[1:]]
    outputs = []
    for t in range(4):
        y, *states = step([tf.constant(x[:, t]), *states])
        outputs.append(y)
    np.testing.assert_allclose(np.stack(outputs, axis=1), by_keras(model, x), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.Bidirectional(lz.LSTM(2)), "must not be bidirectional"),
        (lz.LSTM(2, go_backwards=True), "must have go_backwards=False"),
        (keras.layers.Flatten(), r"Flatten\) can't be run step by step"),
    ],
)
def test_layers_that_need_later_steps_are_not_streamed(layer, message):
    inputs = keras.Input((5, FEATURES))
    with pytest.raises(ValueError, match=message):
        exporting.step_model(keras.Model(inputs, layer(inputs)))


def test_wrong_arguments_are_named(tmp_path):
    model = lz.build_classifier((5, FEATURES), 2, lstm_units=(3,), cell="peephole")
    for options, message in [
        ({"path": "m.onyx"}, "path's ending must be one of"),
        ({"path": "m.onnx", "format": "onx"}, "format must be one of .* did you mean 'onnx'"),
        ({"path": "m.onnx", "calibration": np.zeros((2, 5, 3))}, "for litert only"),
        ({"path": "m.tflite", "batch_size": 0}, "batch_size must be"),
        ({"path": "m.tflite", "calibration": np.zeros((2, 5, 3))}, "plain LSTM"),
        ({"path": str(tmp_path), "format": "saved_model"}, "path must not exist yet"),
    ]:
        with pytest.raises(ValueError, match=message):
            lz.export(model, **{**options, "path": tmp_path / options["path"]})
    with pytest.raises(ValueError, match="model must be a keras.Model"):
        lz.export(keras.layers.Dense(1), tmp_path / "m.onnx")
    lstm = lz.build_classifier((5, FEATURES), 2, lstm_units=(3,))
    with pytest.raises(ValueError, match="calibration must be of shape"):
        lz.export(lstm, tmp_path / "m.tflite", calibration=np.zeros((2, 5, 4)))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_text("before")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError):
        lz.export(lz.build_regressor((5, FEATURES), lstm_units=(3,)), path)
    assert path.read_text() == "before"


@pytest.mark.slow
def test_command_exports_a_file(tmp_path):
    from typer.testing import CliRunner

    from lstm_zoo.cli import app

    model = randomised(lz.build_regressor((5, FEATURES), lstm_units=(3,)))
    lz.save(model, tmp_path / "m.keras")
    arguments = ["export", str(tmp_path / "m.keras")]
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "m.onnx")])
    assert result.exit_code == 0, result.output
    x = sequences(3, 5)
    [got] = runtimes.onnx(tmp_path / "m.onnx", [{"sequence": x}])
    np.testing.assert_allclose(got["estimate"], model(x), atol=1e-5)
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "m.onyx")])
    assert result.exit_code == 1
    assert "did you mean '.onnx'" in result.output


def test_litert_of_a_keras_layer_and_an_open_batch_is_refused_in_one_sentence(tmp_path):
    model = keras.Sequential(
        [keras.Input((None, 3)), keras.layers.Masking(), keras.layers.GRU(4), keras.layers.Dense(2)]
    )
    with pytest.raises(ValueError, match="batch_size must be a number for this model, got None"):
        lz.export(model, tmp_path / "model.tflite", batch_size=None)
    assert not (tmp_path / "model.tflite").exists()
