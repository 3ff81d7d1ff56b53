"""The stored results behind notebook 14: what helps against overfitting.

    python notebooks/results/regularise.py

trains 35 small models on six utterances of each speaker, about three minutes of two free cores, and
writes `14_regularisation.csv` beside this file: one row for each model. The seed chooses the
utterances and the first weights.
"""

import csv
import os
import pathlib
import platform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import lstm_zoo as lz

UNITS, EPOCHS, LEARNING_RATE, UTTERANCES, SEEDS = 32, 150, 0.01, 6, 5
WEIGHT_DECAY = 0.1
L2 = keras.regularizers.L2(1e-3)
SETTINGS = {  # the LSTM, dropout behind it
    "nothing": ({}, 0.0),
    "dropout on the inputs": ({"dropout": 0.5}, 0.0),
    "dropout behind the LSTM": ({}, 0.5),
    "recurrent dropout": ({"recurrent_dropout": 0.5}, 0.0),
    "candidate dropout": ({"cell": "candidate_dropout", "candidate_dropout": 0.5}, 0.0),
    "L2 penalty": ({"kernel_regularizer": L2, "recurrent_regularizer": L2}, 0.0),
    "weight decay": ({}, 0.0),
}


def main():
    data = lz.datasets.load("japanese_vowels")
    x_train, x_test = standardised(data.x_train, data.x_test)
    rows = []
    for seed in range(SEEDS):
        few = some_of_each_class(data.y_train, seed)
        for name in SETTINGS:
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            model = build(name)
            options = {"epochs": EPOCHS, "batch_size": 16, "seed": seed, "verbose": 0}
            lz.fit(model, x_train[few], data.y_train[few], **options)
            row = {"setting": name, "seed": seed, "parameters": model.count_params()}
            parts = (x_train[few], data.y_train[few]), (x_test, data.y_test)
            for part, (x, y) in zip(("train", "test"), parts):
                p = model.predict(x, verbose=0)
                row[f"{part}_accuracy"] = round(float(np.mean(p.argmax(axis=1) == y)), 4)
                row[f"{part}_loss"] = round(float(-np.log(p[np.arange(len(y)), y]).mean()), 4)
            rows.append(row)
            print(rows[-1], flush=True)
    write(pathlib.Path(__file__).with_name("14_regularisation.csv"), rows)


def build(name):
    options, behind = SETTINGS[name]
    options = {"cell": "lstm", **options}
    layers = [keras.Input((None, 12)), keras.layers.Masking()]
    layers += [lz.layers.layer_for(options.pop("cell"), UNITS, **options)]
    layers += [keras.layers.Dropout(behind), keras.layers.Dense(9, activation="softmax")]
    model = keras.Sequential(layers)
    decay = WEIGHT_DECAY if name == "weight decay" else None
    optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=decay or 0.0)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def standardised(x_train, x_test):
    """Both parts with the mean and the spread of the training part's real steps taken out."""
    real = x_train.any(axis=-1)
    mean, scale = x_train[real].mean(axis=0), x_train[real].std(axis=0)
    return [
        np.where(x.any(axis=-1, keepdims=True), (x - mean) / scale, 0).astype("float32")
        for x in (x_train, x_test)
    ]


def some_of_each_class(y, seed):
    rng = np.random.default_rng(seed)
    places = [rng.choice(np.flatnonzero(y == k), UTTERANCES, replace=False) for k in np.unique(y)]
    return np.sort(np.concatenate(places))


def write(path, rows):
    arguments = f"{UNITS} units, {EPOCHS} epochs, {UTTERANCES} utterances a speaker"
    versions = f"lstm_zoo {lz.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}"
    computer = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    with open(path, "w", newline="") as file:
        file.write(f"# {computer}; {versions}; {arguments}\n")
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
