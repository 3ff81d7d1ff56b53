"""The stored results behind notebook 08: is a Dense layer behind an LSTM worth its weights?

    python notebooks/results/dense.py

trains 120 small models, about 25 minutes of a free core, and writes `08_dense.csv` beside this
file, one row per model. On four data sets, each with two learning rates and five seeds, there are
three models: an LSTM layer of 32 units that softmax reads; the same with a Dense layer of 32 units
between them; and an LSTM layer without a Dense layer, wide enough to have at least as many weights.
A quarter of the training part is set aside for validation: it picks the epoch here, and the
learning rate in the notebook. The test part is measured once, at the end.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from ablation import standardised, write

import lstm_zoo as lz

UNITS = 32
EPOCHS = {"japanese_vowels": 60, "italy_power_demand": 150, "digits": 40, "mnist1d": 40}
SEEDS, LEARNING_RATES = range(5), (3e-3, 1e-2)
SETTINGS = f"{UNITS} units, epochs: {', '.join(f'{name} {n}' for name, n in EPOCHS.items())}"


def main():
    rows = []
    for name in EPOCHS:
        parts = split(lz.datasets.load(name))
        for seed in SEEDS:
            for rate in LEARNING_RATES:
                for kind in ("softmax", "wider", "dense"):
                    rows.append(measure(name, parts, kind, rate, seed))
                    print(rows[-1], flush=True)
        write(pathlib.Path(__file__).with_name("08_dense.csv"), rows, SETTINGS)


def split(data):
    """Training, validation and test part, each x, y; a quarter of each class is for validation."""
    x_train, x_test = data.x_train, data.x_test
    if data.lengths_train is not None:
        x_train, x_test = standardised(x_train, x_test)
    aside = np.zeros(len(x_train), bool)
    for label in np.unique(data.y_train):
        aside[np.flatnonzero(data.y_train == label)[::4]] = True
    y = data.y_train
    return (x_train[~aside], y[~aside]), (x_train[aside], y[aside]), (x_test, data.y_test)


def measure(name, parts, kind, rate, seed):
    (x, y), validation, test = parts
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = build(name, x, y, kind, rate)
    options = {"epochs": EPOCHS[name], "seed": seed, "verbose": 0}
    history = lz.fit(model, x, y, validation_data=validation, **options).history
    reader = Reader(model, x)
    return {
        "data": name,
        "kind": kind,
        "learning_rate": rate,
        "seed": seed,
        "parameters": model.count_params(),
        "validation_loss": round(min(history["val_loss"]), 4),
        "validation_accuracy": round(reader.accuracy(*validation), 4),
        "test_accuracy": round(reader.accuracy(*test), 4),
        **reader.how_much_it_reads(validation, test, seed),
        "between_lstm": round(share_between(reader.last_state(test[0]), test[1]), 3),
        "between_dense": round(share_between(reader.before_softmax(test[0]), test[1]), 3),
    }


def build(name, x, y, kind, rate, units=UNITS):
    """The model of one kind; the wider one grows until it has as many weights as the Dense one."""
    dense = (UNITS,) if kind == "dense" else ()
    mask = 0.0 if name == "japanese_vowels" else None
    model = lz.build_classifier(
        (None, x.shape[-1]),
        y.max() + 1,
        lstm_units=(units,),
        dense_units=dense,
        mask_value=mask,
        learning_rate=rate,
        normalise=None,
        normalise_summary=False,
    )
    wanted = 0
    if kind == "wider":
        wanted = build(name, x, y, "dense", rate).count_params()
    return model if model.count_params() >= wanted else build(name, x, y, kind, rate, units + 1)


class Reader:
    """A trained model in two parts: up to the LSTM's last hidden state, and what reads it."""

    def __init__(self, model, x):
        self.states = keras.Model(model.input, model.get_layer("recurrent_1").output)
        self.head = [
            layer.get_weights() for layer in model.layers if "Dense" in type(layer).__name__
        ]
        self.mean = self.last_state(x).mean(axis=0)

    def last_state(self, x):
        return self.states.predict(x, batch_size=512, verbose=0)

    def before_softmax(self, x):
        """What the last layer reads: the LSTM's state, or the Dense layer's output."""
        return self._hidden(self.last_state(x))

    def _hidden(self, h):
        for W, b in self.head[:-1]:
            h = np.maximum(0, h @ W + b)
        return h

    def _right(self, h, y):
        W, b = self.head[-1]
        return np.mean((self._hidden(h) @ W + b).argmax(axis=-1) == y)

    def _loss(self, h, y):
        W, b = self.head[-1]
        z = self._hidden(h) @ W + b
        z = z - z.max(axis=-1, keepdims=True)
        return np.mean(np.log(np.exp(z).sum(axis=-1)) - z[np.arange(len(y)), y])

    def accuracy(self, x, y):
        return self._right(self.last_state(x), y)

    def how_much_it_reads(self, validation, test, seed):
        """How many units of the LSTM the answer needs, by their importance and at random.

        A unit's importance is how much the loss grows on the validation part when that unit's
        values are shuffled among the sequences. Then all but the k most important stand still at
        their mean; `needed` is the smallest k with which the test accuracy is within 0.01 of the
        whole, `needed_random` the same for units in random order.
        """
        rng = np.random.default_rng(seed)
        h, y = self.last_state(validation[0]), validation[1]
        importance = [self._loss(self._shuffled(h, unit, rng), y) for unit in range(h.shape[1])]
        h, y = self.last_state(test[0]), test[1]
        orders = np.argsort(importance)[::-1], rng.permutation(h.shape[1])
        return dict(zip(("needed", "needed_random"), (self._needed(h, y, k) for k in orders)))

    def _shuffled(self, h, unit, rng):
        h = h.copy()
        h[:, unit] = rng.permutation(h[:, unit])
        return h

    def _needed(self, h, y, order):
        whole = self._right(h, y)
        for k in range(len(order) + 1):
            still = np.broadcast_to(self.mean, h.shape).copy()
            still[:, order[:k]] = h[:, order[:k]]
            if self._right(still, y) >= whole - 0.01:
                return k
        return len(order)


def share_between(states, labels):
    """The share of the variance that lies between the classes' means."""
    away = states - states.mean(axis=0)
    centres = np.array([away[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    return np.sum(centres[labels] ** 2) / np.sum(away**2)


if __name__ == "__main__":
    main()
