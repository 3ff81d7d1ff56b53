"""Two processes that train models together, one of which is killed, beside one process alone.

python two_workers.py FOLDER writes the weights and histories of each to FOLDER/NAME-PROCESS.npz;
PROCESS is 0 or 1, "alone", or "devices" for one process that trains on two logical devices.

At the end both run the command `lstm-zoo train`. Every process is a fork of this one, which has
imported TensorFlow and computed nothing.
"""

import json
import os
import pathlib
import signal
import socket
import sys
import time

import every_builder
import keras
import numpy as np
from forked import fork, well

import lstm_zoo as lz
from lstm_zoo.training import distribute

UNEVEN = {"65": 65, "67": 67}  # samples, of which the last batch has 1 or 3
EPOCHS = 4


class Counting(keras.metrics.Metric):
    """How many samples there were, and the sum of their targets: none is lost or there twice."""

    def __init__(self, what, **options):
        super().__init__(name=what, **options)
        self.what = what
        self.total = self.add_weight(name="total", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = keras.ops.cast(y_true, "float32")
        counted = y_true if self.what == "targets" else keras.ops.ones_like(y_true)
        self.total.assign_add(keras.ops.sum(counted))

    def result(self):
        return self.total.value


class Slow(keras.callbacks.Callback):
    """Leaves time to be killed."""

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.05)


def train(strategy, samples, **options):
    """The weights and the history of a training in batches of 32."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples + 35, 5, 3)).astype("float32")
    y = np.round(8 * x[:, :, :1].sum(axis=1))
    with strategy.scope():
        model = lz.build_regressor((5, 3), lstm_units=(4,), dense_units=())
        metrics = [Counting("samples"), Counting("targets"), "mae"]
        model.compile(keras.optimizers.SGD(0.2, momentum=0.5), "mse", metrics=metrics)
    history = lz.fit(
        model,
        *(x[:samples], y[:samples]),
        validation_data=(x[samples:], y[samples:]),
        batch_size=32,
        seed=0,
        strategy=strategy,
        verbose=0,
        **{"epochs": 2} | options,
    ).history
    return model.get_weights(), {name: h for name, h in history.items() if name != "seconds"}


def work(folder, process, addresses=None, resumed=False):
    """All trainings of one process, alone or the `process`-th of those at the addresses."""
    import tensorflow as tf

    strategy = distribute.workers(addresses, process) if addresses else tf.distribute.get_strategy()
    name = str(process) if addresses else "alone"
    if not resumed:
        for label, samples in UNEVEN.items():
            _write(folder / f"{label}-{name}.npz", *train(strategy, samples))
        for label in every_builder.CASES:
            _write(folder / f"{label}-{name}.npz", *every_builder.train(label, strategy))
    options = {"epochs": EPOCHS}
    if addresses:
        options |= {"checkpoint_dir": folder / "checkpoints", "checkpoint_every": 1}
        options |= {"callbacks": [Slow()]}
    _write(folder / f"killed-{name}.npz", *train(strategy, 65, **options))


def on_two_devices(folder):
    """The builders' models, trained by one process on two logical devices."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for label in every_builder.CASES:
        _write(folder / f"{label}-devices.npz", *every_builder.train(label, strategy))


def _write(path, weights, history):
    np.savez(path, history=json.dumps(history), **{f"w{n:02d}": w for n, w in enumerate(weights)})


def main(folder):
    addresses = ",".join(f"127.0.0.1:{port}" for port in _free_ports(2))
    well(fork(work, folder, 0))
    well(fork(on_two_devices, folder))
    first = [fork(work, folder, index, addresses) for index in range(2)]
    checkpoint = folder / "checkpoints" / "checkpoint-000004"  # in the second epoch
    while not checkpoint.exists():
        assert os.waitpid(-1, os.WNOHANG) == (0, 0), "a worker failed"
        time.sleep(0.005)
    os.kill(first[1], signal.SIGKILL)
    os.waitpid(first[1], 0)
    start = time.monotonic()
    assert os.waitpid(first[0], 0)[1] != 0, "the other went on alone"
    print(f"the other worker ended {time.monotonic() - start:.1f} s after the kill", flush=True)
    assert not list(folder.glob("killed-[01].npz"))
    for process in [fork(work, folder, index, addresses, True) for index in range(2)]:
        well(process)
    for process in [fork(command, folder, index, addresses) for index in range(2)]:
        well(process)


def command(folder, process, addresses):
    """A preset, trained by the command."""
    from lstm_zoo.cli import app

    arguments = ["train", "motions", "--workers", addresses, "--index", str(process)]
    app([*arguments, "--out", str(folder / f"out-{process}")], standalone_mode=False)
    sys.stdout.flush()


def _free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
