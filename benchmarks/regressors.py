"""The error of `lz.build_regressor` on raw numbers, compared with scaling by hand.

    python benchmarks/regressors.py                 all tables
    python benchmarks/regressors.py fat diabetes    some

Each table is trained on twice with each seed: once in its own units, and once with inputs and
targets scaled to mean 0 and standard deviation 1 of the training part, and predictions scaled back.
Everything else is equal. The errors are mean absolute errors on the test part, in the units of the
table. The rows go to results/DATE-regressors.csv.
"""

import argparse
import csv
import datetime
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import rows
from sklearn.datasets import load_diabetes

import lstm_zoo as lz

EPOCHS, SEEDS = 60, 5


def fat():
    """Fat in minced meat, 1 to 49 %, from a spectrum of 100 channels."""
    data = lz.datasets.load("tecator")
    return data.x_train[:, ::4], data.y_train, data.x_test[:, ::4], data.y_test


def diabetes():
    """How far diabetes has gone after a year, 25 to 346, from ten measurements, in one step."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order, None].astype("float32"), y[order, None].astype("float32")
    return x[:342], y[:342], x[342:], y[342:]


def sunspots():
    """The mean number of sunspots of the next year, 0 to 300, from the 48 months before."""
    return _next_mean("sunspots", 48, 12)


def electricity():
    """The mean demand of the next day in megawatts, about 30,000, from the two days before."""
    return _next_mean("electricity", 96, 48)


def _next_mean(name, steps, ahead):
    data = lz.datasets.load(name)
    parts = []
    for series in (data.x_train, data.x_test):
        x, y = lz.windows(series, steps, ahead, stride=3).arrays()
        parts += [x, y.mean(axis=1, keepdims=True)]
    return tuple(parts)


TABLES = {one.__name__: one for one in (fat, diabetes, sunspots, electricity)}


def errors(table, seed):
    """The test error as the table comes, and scaled by hand."""
    x, y, x_test, y_test = (a.astype("float32") for a in TABLES[table]())
    raw = trained(x, y, seed).predict(x_test, verbose=0)
    axes = (0, 1)
    x_mean, x_std, y_mean, y_std = x.mean(axes), x.std(axes), y.mean(0), y.std(0)
    scaled = (x - x_mean) / x_std, (y - y_mean) / y_std
    model = trained(*scaled, seed, normalise=None, scale_targets=False)
    by_hand = model.predict((x_test - x_mean) / x_std, verbose=0) * y_std + y_mean
    return [float(np.mean(np.abs(one - y_test))) for one in (raw, by_hand)]


def trained(x, y, seed, **options):
    keras.utils.set_random_seed(seed)
    model = lz.build_regressor(x.shape[1:], 1, lstm_units=(32,), dense_units=(16,), **options)
    lz.fit(model, x, y, epochs=EPOCHS, validation_split=0.2, seed=seed, verbose=0)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=list(TABLES), metavar="table")
    tables = parser.parse_args().tables
    path = rows.RESULTS / f"{datetime.date.today()}-regressors.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "seed", "as it comes", "scaled by hand", "commit", "machine"])
        for table in tables:
            found = []
            for seed in range(SEEDS):
                found.append(errors(table, seed))
                row = [table, seed, *(f"{one:.5g}" for one in found[-1])]
                writer.writerow([*row, rows.commit(), rows.machine()])
                file.flush()
            raw, by_hand = np.mean(found, axis=0)
            spread = np.std(np.array(found)[:, 1]) / by_hand
            print(
                f"{table:12} as it comes {raw:.4g}, by hand {by_hand:.4g}, ratio "
                f"{raw / by_hand:.3f} (the seeds of one differ by {spread:.0%})",
                flush=True,
            )


if __name__ == "__main__":
    main()
