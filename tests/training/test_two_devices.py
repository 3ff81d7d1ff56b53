"""Two devices compute the same as one, for any optimizer, loss and metrics."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import lstm_zoo as lz

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
from two_devices import CASES  # noqa: E402


@pytest.fixture(scope="module")
def found():
    command = [sys.executable, str(HERE / "two_devices.py")]
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(lz.__file__).parents[1])}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in CASES if name != "own steps"])
def test_two_devices_do_what_one_does(found, name):
    """The last batch has one sample."""
    result = found["trained"][name]
    assert result["apart"] < 1e-6
    assert result["two"].keys() == result["one"].keys()
    for quantity, values in result["one"].items():
        np.testing.assert_allclose(result["two"][quantity], values, rtol=1e-5, err_msg=quantity)


@pytest.mark.long
def test_custom_steps_run_on_the_rows_of_each_replica(found):
    """Of the last batch, a single sample, each replica gets all."""
    result = found["trained"]["own steps"]
    assert result["two"]["samples"] == [1, 1]
    assert result["two"]["val_loss"] == [7, 7]
    assert np.isfinite(result["two"]["loss"]).all()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stateful", "strategy must have one replica if a layer is stateful"),
        ("normalises", "a keras.layers.BatchNormalization; lstm_zoo.layers.BatchNormalization"),
        ("activity", "strategy must have one replica if a layer has an activity_regularizer"),
        ("gradient_accumulation_steps", "an optimizer uses gradient_accumulation_steps"),
        ("ema_overwrite_frequency", "an optimizer uses ema_overwrite_frequency"),
        ("elsewhere", "strategy must be the one that the model was built under"),
    ],
)
def test_unsupported_layers_and_optimizers_are_refused(found, name, message):
    assert message in found["refused"][name]


@pytest.mark.long
def test_tagger_with_crf_counts_once_in_keras_s_loop_too(found):
    (one, loss), (two, loss_of_two) = found["crf"]
    assert loss_of_two == pytest.approx(loss, rel=1e-5)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
