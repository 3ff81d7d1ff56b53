"""Two processes train as one does, where the samples do not divide evenly and after a kill."""

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
from every_builder import CASES  # noqa: E402


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The weights and histories that tests/training/two_workers.py writes."""
    folder = tmp_path_factory.mktemp("workers")
    command = [sys.executable, str(HERE / "two_workers.py"), str(folder)]
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(lz.__file__).parents[1])}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]

    def result(name, process=None):
        if name == "command":
            return done.stdout, folder
        with np.load(folder / f"{name}-{process}.npz") as stored:
            history = json.loads(str(stored["history"]))
            return [stored[key] for key in sorted(stored) if key != "history"], history

    return result


@pytest.mark.long
@pytest.mark.parametrize("name", ["65", "67", "killed"])
def test_two_workers_come_to_the_weights_of_one_process(trained, name):
    """`killed`: one worker was killed in the second epoch; both went on from the checkpoint."""
    weights, history = trained(name, "alone")
    assert len(history["loss"]) == (4 if name == "killed" else 2)
    for process in (0, 1):
        got, history_of_two = trained(name, process)
        for a, b in zip(got, weights, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        assert history_of_two.keys() == history.keys()
        for quantity, values in history.items():
            np.testing.assert_allclose(
                history_of_two[quantity], values, rtol=1e-4, err_msg=quantity
            )


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_two_workers_and_two_devices_do_what_one_does_for_every_builder(trained, name):
    """Masks, statistics, validation data, and a last batch with a row for one replica only."""
    weights, history = trained(name, "alone")
    for process in (0, 1, "devices"):
        got, history_of_two = trained(name, process)
        for a, b in zip(got, weights, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6, rtol=1e-6, err_msg=str(process))
        assert history_of_two.keys() == history.keys()
        for quantity, values in history.items():
            np.testing.assert_allclose(
                history_of_two[quantity], values, rtol=1e-5, err_msg=f"{quantity}, {process}"
            )


@pytest.mark.long
@pytest.mark.parametrize("name", ["65", "67"])
def test_no_sample_is_lost_or_repeated(trained, name):
    samples = int(name)
    rng = np.random.default_rng(0)
    y = np.round(8 * rng.normal(size=(samples + 35, 5, 3)).astype("float32")[:, :, :1].sum(axis=1))
    for process in (0, 1):
        _, history = trained(name, process)
        assert history["samples"] == [samples] * 2
        assert history["val_samples"] == [35] * 2
        np.testing.assert_allclose(history["targets"], [y[:samples].sum()] * 2, rtol=1e-6)
        np.testing.assert_allclose(history["val_targets"], [y[samples:].sum()] * 2, rtol=1e-6)


@pytest.mark.long
def test_command_trains_a_preset_with_two_workers_and_one_writes_it(trained):
    said, folder = trained("command")
    assert float(said.split("accuracy: ")[1].split()[0]) > 0.93
    assert [path.name for path in (folder / "out-0").iterdir()] == ["motions.keras"]
    assert not (folder / "out-1").exists()
