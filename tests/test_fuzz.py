"""Public functions refuse wrong arguments without side effects; fuzz_public.py tries many more."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import lstm_zoo as lz

X = np.zeros((2, 5, 3), "float32")
SERIES = np.arange(30.0)
FLOW = lz.inspection.GradientFlow({"lstm": X[..., 0] + 1}, {})
NOTHING = keras.Sequential()
CODER = lz.build_autoencoder((5, 3), lstm_units=1)
SPELLER = lz.build_language_model(3, lstm_units=1)
READER = keras.layers.LSTM(2)
READER.build((None, None, 3))
OF_THREE = keras.Sequential([keras.Input((5, 3)), lz.LSTM(3, return_sequences=True)])
WRONG = {  # what a fuzz has found to end in something else than one sentence
    "names must be a list": lambda: lz.encode_labels(["a"], names=0),
    "pattern must be a string": lambda: lz.cells.names(None),
    "name must be a string": lambda: lz.register_cell(5),
    "season must be": lambda: lz.layers.SeasonalLinear(3, season=0),
    "num_targets must be": lambda: lz.layers.ScaledBack(0.5, False),
    "x must be an array": lambda: lz.lstm_in_numpy(None, X[0], X[0], X[0, 0]),
    "kernel must have 2 axes": lambda: lz.lstm_in_numpy(X, 1.0, X[0], X[0, 0]),
    "known_future must be a list": lambda: lz.windows(SERIES, 5, 2, known_future=None),
    "seed must be a whole number": lambda: lz.windows(SERIES, 5, 2, seed=-0.5),
    "seed must be": lambda: lz.batches_by_length([SERIES], [0], value=-1.0, seed=1.5),
    "temperature must be": lambda: lz.sample(SPELLER, [1], 2, temperature=[]),
    "model must be a keras.Model, got 3": lambda: lz.sample(3, [1], 2),
    "model must be a keras.Model, got True": lambda: lz.anomaly_scores(True, X),
    "model must be a keras.Model, got 'a'": lambda: lz.translate("a", [[1]], start=1, end=2),
    "model must be a keras.Model, got None": lambda: lz.save(None, "model.keras"),
    "model must be a keras.Model, got 1j": lambda: lz.trace(1j, X),
    "model must be a keras.Model, got 0": lambda: lz.presets.evaluate_preset("fat", 0),
    "model must be a keras.Model, got 2": lambda: lz.gradient_flow(2, X, X),
    "model must be a keras.Model, got 4": lambda: lz.weights.from_keras2(4, "weights.h5"),
    "baselines must be a list": lambda: lz.backtest(SERIES, 2, start=20, baselines=False),
    "models must be a dict": lambda: lz.backtest(SERIES, 2, [1], start=20),
    "recurrent_activation must be": lambda: lz.LSTM(2, recurrent_activation={"a": 1}),
    "kernel_regularizer must be": lambda: lz.LSTMCell(2, kernel_regularizer=lz.LSTMCell),
    "optimizer must be": lambda: lz.build_regressor((5, 2), optimizer={"a": 1}),
    "path must be a path, got None": lambda: lz.training.replacing(None).__enter__(),
    "path must be a path, got b'a'": lambda: lz.load(b"a"),
    "path must be a path, got 1": lambda: lz.export(NOTHING, 1),
    "path must be a path, got True": lambda: lz.weights.from_torch(lz.LSTM(2), True),
    "log_dir must be a path": lambda: lz.GradientMonitor(X, X, log_dir=7),
    "recipe must be a Recipe": lambda: lz.presets.task_of(np),
    "class_names must be a list": lambda: lz.plots.plot_confusion([0, 1], [0, 1], 0.5),
    "feature_names must be a list": lambda: lz.plots.plot_saliency(X, X, feature_names=0.5),
    "layer must be one with": lambda: lz.plots.plot_gradient_flow(FLOW, layer=[1]),
    "y must not be empty": lambda: lz.gradient_flow(lz.LSTM(2), X, [], loss="mse"),
    "x must be of shape": lambda: lz.jacobian_norms(lz.LSTM(2), [np.zeros(2)]),
    "x must be of shape .batch, timesteps, 3": lambda: lz.jacobian_norms(
        OF_THREE.layers[0], X[..., :2]
    ),
    "x must be of shape .any, 5, 3": lambda: lz.anomaly_scores(OF_THREE, X[..., :2]),
    "expected axis -1 of input shape to have value 3": lambda: OF_THREE.layers[0](X[..., :2]),
    "x must be of shape .batch, timesteps, 3., got": lambda: lz.trace(READER, X[..., :2]),
    "x must be of shape .batch, timesteps, 3., got .2": lambda: lz.saliency(READER, X[..., :2]),
    "x must not be empty": lambda: lz.gradient_flow(OF_THREE, {}, X, loss="mse"),
    "model must be built": lambda: lz.sample(NOTHING, [1], 2),
    "model must be built: start it": lambda: lz.translate(NOTHING, [[1]], start=1, end=2),
    "checkpoint_dir must be a path": lambda: lz.fit(CODER, X, X, checkpoint_dir=3),
    "units must be": lambda: lz.layers.layer_for("gru", "gru"),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_arguments_raise_one_sentence(words):
    with pytest.raises(ValueError, match=words):
        WRONG[words]()


def test_a_folder_with_files_is_not_replaced(tmp_path):
    kept = tmp_path / "model.keras" / "kept"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(ValueError, match="folder that holds files"):
        lz.save(NOTHING, kept.parent)
    assert os.listdir(tmp_path) == ["model.keras"]
    assert kept.exists()


SCRIPT = pathlib.Path(__file__).with_name("fuzz_public.py")
ROOT = pathlib.Path(lz.__file__).parents[1]


@pytest.mark.long
def test_any_argument_gives_a_result_or_a_value_error():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), "--cases", "600"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_every_public_name_is_called_or_left_out_for_a_reason(tmp_path):
    fuzz, page = _module(SCRIPT), _module(SCRIPT.parents[1] / "docs" / "make_api.py")
    public = {
        f"{room}.{name}"
        for room in page.ROOMS.split()
        for name, _ in page._public(importlib.import_module(f"lstm_zoo.{room}"))
    }
    called = {*fuzz.calls(), *(name for name, *_ in fuzz.loaders(tmp_path))}
    assert public - called == set(fuzz.LEFT_OUT)
    assert {name for name in called if name.split(".")[0] in page.ROOMS.split()} <= public


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
