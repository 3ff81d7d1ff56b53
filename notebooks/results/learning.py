"""The stored results behind notebook 02: who learns temporal order over 80 steps, and why?

    python notebooks/results/learning.py

trains 35 small models, about 10 minutes of two free cores, and writes `02_learning.csv` beside this
file: one row for each measurement before and during a training, five seeds for each setting.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from ablation import write

import lstm_zoo as lz

TIMESTEPS, UNITS, SEQUENCES = 80, 16, 1024
EPOCHS = (0, 3, 6, 12, 20, 30, 60)  # measured after so many
FIRST, SECOND = slice(8, 17), slice(40, 49)  # where the two letters stand
WATCHED = 256  # sequences


def simple_rnn(**arguments):
    return keras.layers.SimpleRNN(UNITS, **arguments)


def lstm(**arguments):
    return lz.LSTM(UNITS, **arguments)


SETTINGS = {  # three of each, so that neither is tuned harder
    "SimpleRNN, as Keras starts it": (simple_rnn, {}, 0.01),
    "SimpleRNN, smaller steps": (simple_rnn, {}, 0.003),
    "SimpleRNN, identity and ReLU": (  # Le et al. (2015)
        simple_rnn,
        {"recurrent_initializer": "identity", "activation": "relu"},
        0.003,
    ),
    "LSTM, as Keras starts it": (lstm, {}, 0.01),
    "LSTM, smaller steps": (lstm, {}, 0.003),
    "LSTM, forget bias 3": (lstm, {"forget_bias": 3.0}, 0.01),
    # not in the race: an LSTM whose gates are shaken by a large recurrent matrix
    "LSTM, recurrent scale 4": (
        lstm,
        {"recurrent_initializer": keras.initializers.Orthogonal(4.0)},
        0.01,
    ),
}


def main():
    x, y = lz.tasks.temporal_order(SEQUENCES, TIMESTEPS, seed=0)
    new = {
        part: lz.tasks.temporal_order(512, TIMESTEPS, seed=seed)
        for part, seed in (("test", 1), ("validation", 2))
    }
    rows = []
    for seed in range(5):
        for name, (layer, arguments, learning_rate) in SETTINGS.items():
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            model = keras.Sequential([keras.Input((TIMESTEPS, 8)), layer(**arguments)])
            model.add(keras.layers.Dense(4, activation="softmax"))
            model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy")
            for before, after in zip((0, *EPOCHS), EPOCHS):
                if after:
                    epochs = {"epochs": after - before, "seed": 100 * seed + before}
                    lz.fit(model, x, y, batch_size=64, verbose=0, **epochs)
                row = {"network": name, "seed": seed, "epoch": after}
                row |= {f"{part}_accuracy": accuracy(model, *new[part]) for part in new}
                rows.append(row | gradient(model, x[:WATCHED], y[:WATCHED]))
                print(*rows[-1].values(), flush=True)
            write(pathlib.Path(__file__).with_name("02_learning.csv"), rows)


def accuracy(model, x, y):
    return round(float(np.mean(np.argmax(model(x), axis=-1) == y)), 4)


def gradient(model, x, y):
    """How the gradient of the loss arrives at the two letters: how large, and how unanimous.

    `reach` is its norm, with that at the last step as 1. `agreement` is the length of the mean
    gradient of a class over the mean length of its gradients: 1 if all sequences would change
    the letter in the same way, about 1 / 8 if each of 64 points anywhere.
    """
    watched = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        loss = tf.reduce_sum(keras.losses.sparse_categorical_crossentropy(y, model(watched)))
    slopes = tape.gradient(loss, watched).numpy()
    last = np.linalg.norm(slopes[:, -1], axis=1).mean()
    is_letter = x[..., 6] + x[..., 7] > 0
    found = {}
    for which, part in (("first", FIRST), ("second", SECOND)):
        at = np.array([part.start + row[part].argmax() for row in is_letter])
        slope = slopes[np.arange(len(x)), at]
        found[f"reach_{which}"] = float(f"{np.linalg.norm(slope, axis=1).mean() / last:.2e}")
        classes = [slope[y == k] for k in range(4)]
        agree = [np.linalg.norm(g.mean(axis=0)) / np.linalg.norm(g, axis=1).mean() for g in classes]
        found[f"agreement_{which}"] = round(float(np.mean(agree)), 3)
    return found


if __name__ == "__main__":
    main()
