"""An interrupted training resumes to bit-for-bit the same result, or is refused."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.training import checkpoint

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import killed  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 6, 3)).astype("float32")
Y = X[:, :, :1].sum(axis=1)


def regressor(units=4, **options):
    keras.utils.set_random_seed(1)
    plain = {"normalise": None, "scale_targets": False}
    return lz.build_regressor((6, 3), lstm_units=(units,), dense_units=(), **plain, **options)


def train(folder, model=None, x=X, y=Y, **options):
    options = {"epochs": 2, "batch_size": 8, "seed": 3, "verbose": 0} | options
    model = regressor() if model is None else model
    return model, lz.fit(model, x, y, checkpoint_dir=folder, **options).history


@pytest.fixture(scope="module")
def whole():
    model, history = killed.train(None)
    return model.get_weights(), history


@pytest.mark.short(step=(4,))
@pytest.mark.slow
@pytest.mark.parametrize("step", [4, 27])
def test_interrupted_run_ends_bit_for_bit_as_a_whole_one(tmp_path, monkeypatch, whole, step):
    """In mid-epoch, with dropout, EarlyStopping, ReduceLROnPlateau and a metric never reset."""
    monkeypatch.setattr(killed, "Slow", with_interrupt(killed.Slow, step))
    with pytest.raises(KeyboardInterrupt):
        killed.train(tmp_path)
    monkeypatch.undo()
    model, history = killed.train(tmp_path)
    assert history == whole[1]
    for got, expected in zip(model.get_weights(), whole[0]):
        np.testing.assert_array_equal(got, expected)
    assert killed.train(tmp_path)[1] == history  # it has ended


def with_interrupt(base, step):
    class Interrupted(base):
        def on_train_batch_begin(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == step:
                raise KeyboardInterrupt

    Interrupted.__name__ = base.__name__
    return Interrupted


@pytest.mark.long
def test_killed_process_ends_bit_for_bit_as_a_whole_one():
    """Four kills at random moments; `python tests/training/killed.py` does a hundred."""
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(lz.__file__).parents[1])}
    command = [sys.executable, killed.__file__, "--kills", "4"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "4 kills" in done.stdout


def test_stopping_within_an_epoch_does_not_finish_it(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 4:
                self.model.stop_training = True

    expected, _ = train(None)
    train(tmp_path, callbacks=[Stop()])
    resumed, history = train(tmp_path)
    assert len(history["loss"]) == 2
    for got, wanted in zip(resumed.get_weights(), expected.get_weights()):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.short(damage=("flipped", "missing"))
@pytest.mark.parametrize("damage", ["shorter", "flipped", "emptied", "missing"])
def test_damaged_newest_falls_back_to_the_one_before(tmp_path, damage):
    _, whole = train(None, epochs=3)
    train(tmp_path)
    file = next((tmp_path / "checkpoint-000002").glob("data.data*"))
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 255
    changed = {"shorter": content[:100], "flipped": content, "emptied": b""}
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(changed[damage])
    with pytest.warns(RuntimeWarning, match="checkpoint-000002 is damaged"):
        _, history = train(tmp_path, epochs=3)
    assert history["loss"] == whole["loss"]


def test_nan_weights_count_as_damage(tmp_path):
    train(tmp_path, epochs=1)
    path = tmp_path / "checkpoint-000001"
    arrays, state = checkpoint._read(path, {})
    first = next(name for name in arrays if name.startswith("weights/"))
    arrays[first][:] = np.nan
    checkpoint.write(tmp_path, arrays, state)
    with pytest.warns(RuntimeWarning, match="000002 is damaged .its weights are not finite"):
        train(tmp_path)


def test_another_training_in_the_folder_is_refused(tmp_path):
    train(tmp_path)
    flipped, more = -Y, (np.tile(X, (8, 1, 1)), np.tile(Y, (8, 1)))
    tanh = keras.Sequential(
        [keras.Input((6, 3)), lz.LSTM(4, activation="relu"), keras.layers.Dense(1)]
    )
    tanh.compile(keras.optimizers.Adam(1e-3), regressor().loss, metrics=["mean_absolute_error"])
    sgd = regressor()
    sgd.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), sgd.loss, metrics=["mean_absolute_error"])
    for options, what in (
        ({"seed": 4}, "the seed changed: 3 then, 4 now"),
        ({"y": flipped}, "the data changed"),
        ({"x": more[0], "y": more[1]}, "the data changed"),
        ({"validation_data": (X, Y)}, "the validation data changed"),
        ({"batch_size": 4}, "the settings changed"),
        (
            {"model": regressor(learning_rate=0.5)},
            "the learning rate changed: 0.001 then, 0.5 now",
        ),
        ({"model": tanh}, "the model changed"),
        ({"model": sgd}, "the optimizer changed"),
    ):
        with pytest.raises(ValueError, match=what):
            train(tmp_path, **options)


def test_finished_training_continues_for_more_epochs(tmp_path):
    _, whole = train(None, epochs=4)
    model, _ = train(tmp_path)
    _, history = train(tmp_path, model=model, epochs=4)
    assert history["loss"] == whole["loss"]


def test_bad_checkpoint_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="checkpoint_every must be a whole number of steps, a"):
        train(tmp_path, checkpoint_every=0.5)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="checkpoint_dir must be a folder, got the file"):
        train(tmp_path / "file")
