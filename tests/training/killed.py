"""Kills a training again and again (SIGKILL); it must end like an uninterrupted one.

python killed.py [--kills 100] [--seed 0] [--folder FOLDER]

Every training is a fork of this process, which has imported TensorFlow but computed nothing. Every
second kill comes while a checkpoint is being written; the script counts those that left a part.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import tempfile
import time

import keras
import numpy as np
from forked import fork, well

import lstm_zoo as lz
from lstm_zoo.training import checkpoint

EPOCHS = 14  # EarlyStopping ends it sooner
A_RUN = 8  # kills of one training


class Forever(keras.metrics.Metric):
    """Counts the batches of the whole training: it is never reset."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seen = self.add_weight(name="seen", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.seen.assign_add(1.0)

    def result(self):
        return self.seen.value

    def reset_state(self):
        pass


class Slow(keras.callbacks.Callback):
    """Has state of its own, and leaves time to be killed."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.seen = seconds, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(round(logs["loss"], 3))
        time.sleep(self.seconds)

    def on_epoch_end(self, epoch, logs=None):
        logs["seen"] = float(len(self.seen)) + np.random.random()  # noqa: NPY002


def train(folder, seconds=0.0, every=2):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5, 3)).astype("float32")
    y = (x[:, :, 0].sum(axis=1) > 0).astype(int)
    model = lz.build_classifier((5, 3), 2, lstm_units=(4,), dense_units=(), dropout=0.3)
    metrics = ["accuracy", Forever(name="forever")]
    model.compile(keras.optimizers.AdamW(0.05), "sparse_categorical_crossentropy", metrics=metrics)
    callbacks = [
        keras.callbacks.EarlyStopping("loss", min_delta=0.02, patience=3),
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=0.5),
        Slow(seconds),
    ]
    history = lz.fit(
        model,
        *(x[:32], y[:32]),
        validation_data=(x[32:], y[32:]),
        epochs=EPOCHS,
        batch_size=6,
        seed=3,
        callbacks=callbacks,
        checkpoint_dir=folder,
        checkpoint_every=every,
        verbose=0,
    )
    del history.history["seconds"]
    return model, history.history


class Killed:
    """Trainings in one folder, each a process of its own, and what came of them."""

    def __init__(self, folder, seed):
        self.folder, self.dice = pathlib.Path(folder), random.Random(seed)
        self.kills = self.in_writing = self.runs = 0
        self.whole_seconds = None

    def run(self, kills=0):
        """Train from nothing to the end, after up to so many kills; the file of the result."""
        shutil.rmtree(self.folder, ignore_errors=True)
        result = self.folder.with_suffix(".npz")
        result.unlink(missing_ok=True)
        while not result.exists():
            if kills > 0:
                kills -= self._killed_training(result)
            else:
                start = time.monotonic()
                process = fork(_train_and_write, self.folder, result)
                well(process)
                self.whole_seconds = self.whole_seconds or time.monotonic() - start
        self.runs += 1
        left = sorted(path.name.rsplit("-", 1)[0] for path in self.folder.iterdir())
        assert left == ["checkpoint"] * checkpoint.KEPT, left
        with np.load(result) as stored:
            return dict(stored)

    def _killed_training(self, result):
        """Go on for a while, then kill: at any time, or while a checkpoint is written."""
        process = fork(_train_and_write, self.folder, result)
        if self.dice.random() < 0.5:
            ended = _ended_within(process, self.dice.uniform(0, self.whole_seconds))
        else:
            ended = self._wait_for_writing(process)
            if not ended:
                time.sleep(self.dice.uniform(0, 0.004))
        if not ended:
            os.kill(process, signal.SIGKILL)
            ended = os.waitpid(process, 0)[1] or "well"  # it may have been faster than the kill
        if ended == "well":
            return 0
        assert ended == signal.SIGKILL, f"a training failed: {ended}"
        self.kills += 1
        self.in_writing += any(self.folder.glob(".checkpoint-*"))
        return 1

    def _wait_for_writing(self, process):
        """Let up to ten checkpoints be written, then wait for the next to begin."""
        wanted = _newest(self.folder) + self.dice.randrange(10)
        while _newest(self.folder) < wanted or not any(self.folder.glob(".checkpoint-*")):
            if ended := _ended_within(process, 0):
                return ended
            time.sleep(0.0005)
        return None


def _train_and_write(folder, result):
    model, history = train(folder)
    weights = {f"w{n}": w for n, w in enumerate(model.get_weights())}
    temporary = result.with_suffix(".part.npz")
    np.savez(temporary, history=json.dumps(history), **weights)
    temporary.rename(result)


def _ended_within(process, seconds):
    """How the process ended: "well" or the system's message; None if it still runs."""
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return status or "well"
        if time.monotonic() >= until:
            return None
        time.sleep(min(0.001, seconds))


def _newest(folder):
    return max((int(path.name[-6:]) for path in folder.glob("checkpoint-*")), default=0)


def main(kills, seed, folder):
    """Kill so many times, over several trainings, each of which must end as a whole one."""
    killed = Killed(pathlib.Path(folder) / "run", seed)
    whole = killed.run()
    assert 4 < len(json.loads(str(whole["history"]))["loss"]) < EPOCHS
    while killed.kills < kills:
        got = killed.run(min(A_RUN, kills - killed.kills))
        assert got.keys() == whole.keys()
        for name, expected in whole.items():
            np.testing.assert_array_equal(got[name], expected, err_msg=name)
        print(
            f"{killed.kills} kills, {killed.in_writing} of them in a write, "
            f"{killed.runs - 1} trainings, each ended bit for bit as the whole one",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where to put the checkpoints")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        main(options.kills, options.seed, folder)
