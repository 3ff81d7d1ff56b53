"""The native operation, compared with Keras's loop and NumPy, and layers without it."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_zoo as lz
from lstm_zoo.cells import lstm_in_numpy
from lstm_zoo.recurrence import engines, native
from lstm_zoo.recurrence.custom_gradient import _differentiable

ROOT = pathlib.Path(__file__).parents[2]

with_library = pytest.mark.skipif(
    native.OPS is None, reason="no C compiler was there when the package was installed"
)


def test_library_is_built_if_there_is_a_compiler():
    assert native.OPS is not None or "not built" in native.WHY_NOT


def engine_name(layer, masked=False):
    return engines.engine_for(engines.LayerCall.of_size(layer, masked=masked)).name


def outputs_and_gradients(layer, x, states, mask, training):
    sources = [x, *(states or []), *(w.value for w in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = keras.tree.flatten(layer(x, initial_state=states, mask=mask, training=training))
        loss = tf.add_n([tf.reduce_sum(tf.sin((k + 1.0) * y)) for k, y in enumerate(outputs)])
    return [*outputs, *tape.gradient(loss, sources)]


@pytest.mark.slow
@with_library
@settings(max_examples=30)
@given(data=st.data())
def test_outputs_and_gradients_equal_keras_loop(data):
    flag = st.booleans()
    batch, steps, features, units = (
        data.draw(st.integers(1, most), name)
        for name, most in (("batch", 20), ("steps", 7), ("features", 5), ("units", 40))
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), "seed"))
    options = {
        name: data.draw(flag, name)
        for name in ("return_sequences", "return_state", "go_backwards", "use_bias")
    }
    for name in ("dropout", "recurrent_dropout"):
        options[name] = data.draw(st.sampled_from([0.0, 0.4]), name)
    options["activation"] = data.draw(st.sampled_from(["tanh", "relu"]), "activation")
    kinds = lz.LSTM, lz.PeepholeLSTM, lz.CoupledLSTM
    layer = data.draw(st.sampled_from(kinds), "kind")(units, **options)
    layer.build((None, None, features))
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=units**-0.5, size=weight.shape))
    x = tf.constant(rng.normal(size=(batch, steps, features)), "float32")
    states = mask = None
    if data.draw(flag, "initial_state"):
        states = [tf.constant(rng.normal(size=(batch, units)), "float32") for _ in range(2)]
    if data.draw(flag, "masked"):
        mask = tf.constant(rng.random((batch, steps)) < 0.6)
    arguments = layer, x, states, mask, data.draw(flag, "training")
    layer.cell.seed_generator.state.assign([0, 0])  # that of the dropout masks
    assert engine_name(layer, mask is not None) == "native"
    ours = outputs_and_gradients(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "engine_for", lambda call: engines.ENGINES["keras"]())
        layer.cell.seed_generator.state.assign([0, 0])
        theirs = outputs_and_gradients(*arguments)
    for got, expected in zip(ours, theirs, strict=True):
        size = float(tf.reduce_max(tf.abs(expected))) + 1e-3
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * size)


@with_library
@pytest.mark.long
@pytest.mark.parametrize("simd", ["plain", "avx2", "avx512"])
def test_every_set_of_instructions_gives_the_same_numbers(simd):
    """Where the processor lacks one, the next best serves, and the numbers are still right."""
    program = """
        import numpy as np, lstm_zoo as lz
        rng = np.random.default_rng(0)
        for units in (1, 8, 15, 16, 17, 70):
            layer = lz.LSTM(units, return_sequences=True)
            x = rng.normal(size=(13, 9, 3)).astype("float32")
            got = layer(x)
            expected, _ = lz.lstm_in_numpy(x, *(w.numpy() for w in layer.weights))
            np.testing.assert_allclose(got, expected, atol=1e-6)
        print("right")
    """
    environment = {**os.environ, "LSTM_ZOO_SIMD": simd, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.stdout == "right\n", result.stderr[-2000:]


@with_library
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (0, 4, 2, 3), (2, 500, 1, 20), (1, 30, 5, 203)])
def test_shapes_at_the_edges(shape):
    batch, steps, features, units = shape
    layer = lz.LSTM(units, return_sequences=True)
    x = np.random.default_rng(0).normal(size=(batch, steps, features)).astype("float32")
    y = layer(x)
    assert y.shape == (batch, steps, units)
    if batch:
        expected, _ = lstm_in_numpy(x, *(w.numpy() for w in layer.weights))
        np.testing.assert_allclose(y, expected, atol=1e-5)


def arguments():
    """Of the forward operation, for 2 sequences of 3 steps, 4 features and 5 units."""
    x, kernel, recurrent = tf.ones((2, 3, 4)), tf.ones((4, 20)), tf.ones((5, 20))
    state = tf.ones((2, 5))
    drop, peepholes = (tf.ones((2, 4, 4)), tf.ones((2, 4, 5))), tf.ones((3, 5))
    mask = tf.ones((2, 3), tf.bool)
    return [x, kernel, recurrent, tf.ones(20), state, state, mask, *drop, peepholes]


ALL = {"keep": True, "outputs": True, "relu": False}


@with_library
@pytest.mark.parametrize(
    ("place", "wrong", "name"),
    [
        (0, tf.ones((2, 3)), "x"),
        (0, tf.ones((2, 3, 9)), "kernel"),
        (1, tf.ones((4, 19)), "kernel"),
        (2, tf.ones((5, 21)), "recurrent_kernel"),
        (2, tf.ones(20), "recurrent_kernel"),
        (3, tf.ones(19), "bias"),
        (4, tf.ones((1, 5)), "h"),
        (5, tf.ones((2, 6)), "c"),
        (6, tf.ones((2, 2), tf.bool), "mask"),
        (6, tf.ones(3, tf.bool), "mask"),
        (7, tf.ones((2, 4, 3)), "x_drop"),
        (7, tf.ones((2, 4)), "x_drop"),
        (8, tf.ones((2, 3, 5)), "h_drop"),
        (8, tf.ones((1, 4, 5)), "h_drop"),
        (9, tf.ones((2, 5)), "peepholes"),
        (9, tf.ones(15), "peepholes"),
    ],
)
def test_wrong_shapes_are_errors_and_no_crashes(place, wrong, name):
    given = arguments()
    given[place] = wrong
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name} must be"):
        native.OPS.lstm_zoo_forward(*given, **ALL)


@with_library
@pytest.mark.parametrize("place", range(12))
def test_wrong_shapes_of_the_backward_operation_are_errors(place):
    given = arguments()
    *_, gates, h_before, c_before = native.OPS.lstm_zoo_forward(*given, **ALL)
    kept = [h_before, gates, c_before]
    right = [given[0], given[2], *kept, tf.ones((2, 3, 5)), *given[4:]]
    native.OPS.lstm_zoo_backward(*right, relu=False)
    right[place] = right[place][:1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be"):
        native.OPS.lstm_zoo_backward(*right, relu=False)


@with_library
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (lz.LSTM, {"recurrent_dropout": 0.3}),
        (lz.LSTM, {"dropout": 0.3, "recurrent_dropout": 0.3, "go_backwards": True}),
        (lz.LSTM, {"dropout": 0.3, "implementation": 1}),
        (lz.LSTM, {"activation": "relu"}),
        (lz.PeepholeLSTM, {"peephole_initializer": "glorot_uniform"}),
        (lz.CoupledLSTM, {"recurrent_dropout": 0.3}),
    ],
)
def test_variants_are_native_in_graphs_of_unknown_sizes(kind, options, monkeypatch):
    layer = kind(6, **options)
    layer.build((None, None, 3))
    assert engine_name(layer) == "native"
    x = tf.random.stateless_normal((4, 5, 3), [1, 2])

    def gradients(x):
        layer.cell.seed_generator.state.assign([0, 0])
        return outputs_and_gradients(layer, x, None, None, True)

    ours = tf.function(gradients, input_signature=[tf.TensorSpec((None, None, 3))])(x)
    monkeypatch.setattr(engines, "engine_for", lambda call: engines.ENGINES["keras"]())
    for got, expected in zip(ours, gradients(x), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)


@with_library
def test_relu_passes_nan_through():
    layer = lz.LSTM(5, activation="relu", return_sequences=True)
    x = tf.constant([[[1.0], [float("nan")], [1.0]]])
    y = layer(x)[0].numpy()
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1:]).all()


@with_library
def test_parallel_layers_share_the_cores_and_finish():
    layers = [lz.LSTM(16, return_sequences=True) for _ in range(6)]
    x = tf.random.stateless_normal((32, 20, 8), [1, 2])
    expected = [layer(x) for layer in layers]
    together = tf.function(lambda x: [layer(x) for layer in layers])
    for _ in range(20):
        for got, wanted in zip(together(x), expected):
            np.testing.assert_allclose(got, wanted, atol=1e-6)


@with_library
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_computed_in_float32(policy):
    layer = lz.LSTM(8, return_sequences=True, dtype=policy)
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
    y = layer(x)
    assert y.dtype == layer.compute_dtype
    expected, _ = lstm_in_numpy(x, *(w.numpy() for w in layer.weights))
    np.testing.assert_allclose(tf.cast(y, "float32"), expected, atol=2e-2)


@with_library
def test_it_runs_in_graphs_and_fit_but_not_for_xla_or_files(tmp_path):
    layer = lz.LSTM(4)
    x = tf.ones((2, 3, 2))
    layer(x)

    def operations(function):
        graph = function.get_concrete_function(tf.TensorSpec((None, 3, 2))).graph
        library = graph.as_graph_def().library.function
        return {node.op for one in library for node in one.node_def}

    assert "LstmZooForward" in operations(tf.function(layer))
    assert "LstmZooForward" not in operations(tf.function(layer, jit_compile=True))
    model = keras.Sequential([keras.Input((3, 2)), layer])
    model.export(tmp_path / "exported", verbose=False)
    tf.saved_model.save(model, str(tmp_path / "saved"))
    for folder in ("exported", "saved"):
        written = (tmp_path / folder / "saved_model.pb").read_bytes()
        assert b"LstmZoo" not in written
    served = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(served.serve(x), layer(x), atol=1e-6)


@with_library
def test_trainings_on_arrays_of_many_lengths_share_one_program():
    model = keras.Sequential([keras.Input((None, 2)), lz.PeepholeLSTM(3, return_sequences=True)])
    model.compile("sgd", "mse")

    def train(steps):
        lz.fit(model, np.ones((5, steps, 2)), np.zeros((5, steps, 3)), epochs=1, verbose=0)
        return set(_differentiable.programs)

    first = train(4)
    assert first
    assert all(train(steps) == first for steps in (3, 7, 40))


@with_library
def test_outputs_have_the_sizes_that_the_graph_knows():
    layer = lz.LSTM(4, return_sequences=True, return_state=True)
    y, h, c = tf.function(layer).get_concrete_function(tf.TensorSpec((5, 3, 2))).outputs
    assert (y.shape, h.shape, c.shape) == ((5, 3, 4), (5, 4), (5, 4))


def test_a_library_of_another_version_is_not_used(monkeypatch):
    monkeypatch.setattr(native, "INTERFACE", -1)
    ops, why_not = native._load()
    assert ops is None
    assert "not built" in why_not


@pytest.mark.long
def test_without_the_library_the_compiled_recurrence_runs(tmp_path):
    program = """
        import sys
        import lstm_zoo.recurrence.native as native
        assert native.OPS is None, "the library was not to be found"
        import numpy as np, lstm_zoo as lz
        layer = lz.LSTM(4, return_sequences=True)
        x = np.random.default_rng(0).normal(size=(2, 3, 2)).astype("float32")
        y = layer(x)
        expected, _ = lz.lstm_in_numpy(x, *(w.numpy() for w in layer.weights))
        np.testing.assert_allclose(y, expected, atol=1e-6)
        print(lz.explain(layer))
    """
    package = tmp_path / "lstm_zoo"
    for source in (ROOT / "lstm_zoo").rglob("*.py*"):
        if source.suffix not in (".py", ".pyi"):
            continue
        target = package / source.relative_to(ROOT / "lstm_zoo")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text())
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert "runs on the compiled recurrence" in result.stdout, result.stderr[-2000:]
    assert "it was not built" in result.stdout


def hook(monkeypatch):
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_package_is_built_without_a_compiler_and_says_so_in_a_line(monkeypatch, capsys):
    module = hook(monkeypatch)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    data = {"force_include": {}}
    module.BuildNative.initialize(None, "standard", data)
    said = capsys.readouterr().err
    assert said == "lstm-zoo: without the native LSTM (no C compiler); all else works\n"
    assert data == {"force_include": {}}


@pytest.mark.long
def test_package_is_built_with_what_a_compiler_makes(monkeypatch, tmp_path):
    module = hook(monkeypatch)
    package = tmp_path / "lstm_zoo"
    for folder in ("FOLDER", "SERVING"):
        there = package / getattr(module, folder).relative_to(module.PACKAGE)
        there.mkdir(parents=True)
        for source in getattr(module, folder).glob("*.[ch]"):
            shutil.copy(source, there)
        monkeypatch.setattr(module, folder, there)
    monkeypatch.setattr(module, "PACKAGE", package)
    data = {"force_include": {}}
    module.BuildNative.initialize(None, "standard", data)
    if module.shutil.which("cc") is None:
        assert data == {"force_include": {}}
        return
    wanted = ("recurrence/native/lstm.op.so", "serving/native/serving.so")
    assert data["force_include"] == {str(package / one): f"lstm_zoo/{one}" for one in wanted}
    assert data["tag"].startswith("py3-none-")
