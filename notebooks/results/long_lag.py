"""The stored results behind notebook 02: which network learns temporal order over how many steps.

    python notebooks/results/long_lag.py

trains 45 small models, about 5 minutes of two free cores, and writes `02_long_lag.csv` beside this
file: one row a model, five seeds for each network and length.
"""

import itertools
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from ablation import write

import lstm_zoo as lz

UNITS, EPOCHS, SEQUENCES = 16, 30, 1024
NETWORKS = {  # each as Keras starts it, but the last: its forget gates start far open
    "SimpleRNN": lambda: keras.layers.SimpleRNN(UNITS),
    "LSTM": lambda: lz.LSTM(UNITS),
    "LSTM, forget bias 3": lambda: lz.LSTM(UNITS, forget_bias=3.0),
}


def main():
    rows = []
    for timesteps, name, seed in itertools.product((20, 40, 80), NETWORKS, range(5)):
        x, y = lz.tasks.temporal_order(SEQUENCES, timesteps, seed=0)
        x_new, y_new = lz.tasks.temporal_order(512, timesteps, seed=1)
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input((timesteps, 8)),
                NETWORKS[name](),
                keras.layers.Dense(4, activation="softmax"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
        history = lz.fit(model, x, y, epochs=EPOCHS, batch_size=64, seed=seed, verbose=0)
        accuracy = np.mean(model.predict(x_new, verbose=0).argmax(axis=-1) == y_new)
        rows.append(
            {
                "timesteps": timesteps,
                "network": name,
                "seed": seed,
                "parameters": model.count_params(),
                "last_loss": round(history.history["loss"][-1], 4),
                "test_accuracy": round(float(accuracy), 4),
            }
        )
        print(*rows[-1].values(), flush=True)
    write(pathlib.Path(__file__).with_name("02_long_lag.csv"), rows)


if __name__ == "__main__":
    main()
