"""The stored results behind notebook 08: how depth, a Dense layer and dropout change a classifier.

    python notebooks/results/ablation.py

trains 80 small models on the Japanese Vowels, about 15 minutes of two free cores, and writes
`08_ablation.csv` beside this file: one row per model, five seeds for each setting.
"""

import csv
import itertools
import os
import pathlib
import platform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import lstm_zoo as lz

SEEDS = range(5)
UNITS = 32  # of every layer, recurrent or Dense
RATE = 3e-3
UTTERANCES_SEEN = 40 * 30  # of each speaker in training: few utterances are seen more often


def main():
    data = lz.datasets.load("japanese_vowels")
    x_train, x_test = standardised(data.x_train, data.x_test)
    settings = [
        *itertools.product([30], [1, 2, 3], [0, UNITS], [0.0, 0.3], SEEDS),
        *itertools.product([6], [2], [0, UNITS], [0.0, 0.3], SEEDS),
    ]
    rows = []
    for per_speaker, depth, dense, dropout, seed in settings:
        first = first_of_each_class(data.y_train, per_speaker)
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        model = build(depth, dense, dropout)
        epochs = UTTERANCES_SEEN // per_speaker
        lz.fit(model, x_train[first], data.y_train[first], epochs=epochs, seed=seed, verbose=0)
        _, train_accuracy = model.evaluate(x_train[first], data.y_train[first], verbose=0)
        test_loss, test_accuracy = model.evaluate(x_test, data.y_test, verbose=0)
        rows.append(
            {
                "utterances_per_speaker": per_speaker,
                "lstm_layers": depth,
                "dense_units": dense,
                "dropout": dropout,
                "seed": seed,
                "parameters": model.count_params(),
                "train_accuracy": round(train_accuracy, 4),
                "test_accuracy": round(test_accuracy, 4),
                "test_loss": round(test_loss, 4),
            }
        )
        print(rows[-1], flush=True)
    settings = f"{UNITS} units, learning rate {RATE}, {UTTERANCES_SEEN} utterances of each speaker"
    write(pathlib.Path(__file__).with_name("08_ablation.csv"), rows, settings)


def build(depth, dense, dropout):
    return lz.build_classifier(
        (None, 12),
        num_classes=9,
        lstm_units=(UNITS,) * depth,
        dense_units=(dense,) if dense else (),
        dropout=dropout,
        mask_value=0.0,
        learning_rate=RATE,
        normalise=None,
        normalise_summary=False,
    )


def standardised(x_train, x_test):
    """Both parts with the mean and the spread of the training part's real steps taken out."""
    real = x_train.any(axis=-1)
    mean, scale = x_train[real].mean(axis=0), x_train[real].std(axis=0)
    return [
        np.where(x.any(axis=-1, keepdims=True), (x - mean) / scale, 0).astype("float32")
        for x in (x_train, x_test)
    ]


def first_of_each_class(y, count):
    return np.sort(np.concatenate([np.flatnonzero(y == k)[:count] for k in np.unique(y)]))


def write(path, rows, settings=""):
    """Write rows below a line that says where, with which versions and how they were made."""
    with open(path, "w", newline="") as file:
        file.write(f"# {'; '.join(filter(None, (machine(), settings)))}\n")
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


def machine():
    versions = f"TensorFlow {tf.__version__}, Keras {keras.__version__}; lstm_zoo {lz.__version__}"
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; {versions}"


if __name__ == "__main__":
    main()
