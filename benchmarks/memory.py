"""Whether memory stays constant while lengths and batch sizes keep changing.

python benchmarks/memory.py [--minutes 60] [--way batches | calls]

`batches` runs one `fit` on a generator whose batches all differ in length and size. `calls` runs
one `fit` after another of the same model, on arrays of different lengths and batch sizes. The
script prints the resident memory once a minute. At the end it prints the slope of a line through
the second half, and its uncertainty (two standard errors).
"""

import argparse
import gc
import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import lstm_zoo as lz

FEATURES, LONGEST, LARGEST = 4, 80, 48


def resident():
    """Megabytes that this process has in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def data(rng, samples):
    x = rng.normal(size=(samples, rng.integers(1, LONGEST + 1), FEATURES)).astype("float32")
    return x, x[:, :, :1].mean(axis=1)


def changing(rng):
    while True:
        yield data(rng, rng.integers(1, LARGEST + 1))


class Watch(keras.callbacks.Callback):
    """Notes the memory every ten seconds and ends the training when its time is over."""

    def __init__(self, minutes):
        super().__init__()
        self.start = self.noted = time.monotonic()
        self.until = self.start + 60 * minutes
        self.found, self.steps = [], 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        now = time.monotonic()
        if now - self.noted >= 10:
            gc.collect()
            self.noted = now
            self.found.append(((now - self.start) / 3600, resident()))
            if len(self.found) % 6 == 0:
                print(f"{self.found[-1][0] * 60:.0f} min: {self.found[-1][1]:.1f} MB", flush=True)
        if now > self.until:
            self.model.stop_training = True


def slope(points):
    """Of a line through points, and its standard error."""
    x, y = np.transpose(points)
    (slope, at_0), squares, *_ = np.polyfit(x, y, 1, full=True)
    return slope, np.sqrt(squares[0] / (len(x) - 2) / np.sum((x - x.mean()) ** 2))


def main(minutes, way):
    rng = np.random.default_rng(0)
    model = lz.build_regressor((None, FEATURES), lstm_units=(16,), dense_units=())
    watch, calls = Watch(minutes), 0
    options = {"callbacks": [watch], "verbose": 0}
    if way == "batches":
        lz.fit(model, changing(rng), steps_per_epoch=200, epochs=10**6, **options)
        calls = 1
    while time.monotonic() < watch.until:
        x, y = data(rng, 4 * LARGEST)
        lz.fit(model, x, y, batch_size=int(rng.integers(1, LARGEST + 1)), epochs=1, **options)
        calls += 1
    half = watch.found[len(watch.found) // 2 :]
    grown, error = slope(half)
    print(
        f"{way}: {watch.steps} steps in {calls} calls of fit, {minutes:g} minutes; "
        f"{half[0][1]:.1f} MB at half time, {half[-1][1]:.1f} MB at the end; "
        f"slope {grown:+.1f} MB an hour, two standard errors {2 * error:.1f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--way", choices=("batches", "calls"), default="batches")
    options = parser.parse_args()
    main(options.minutes, options.way)
