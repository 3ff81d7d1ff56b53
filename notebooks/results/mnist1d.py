"""The stored results behind notebook 01: which networks find a digit anywhere in a noisy series?

    python notebooks/results/mnist1d.py

trains 40 small models on MNIST-1D, about 10 minutes of a free core, and writes `01_mnist1d.csv`
beside this file: one row per model, five seeds for each network. Each network first chooses its
learning rate on a part of the training data that it was not trained on.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from ablation import write
from keras import layers

import lstm_zoo as lz

EPOCHS, SEEDS, LEARNING_RATES = 40, range(5), (1e-3, 3e-3, 1e-2)
CHOSEN_ON = 1000  # of the 4000 training samples, the last
NETWORKS = {
    "linear": lambda: [layers.Flatten()],
    "two Dense layers": lambda: [layers.Flatten(), *(layers.Dense(100, "relu") for _ in range(2))],
    "convolutions": lambda: [
        *(layers.Conv1D(32, 5, strides=2, activation="relu") for _ in range(3)),
        layers.Flatten(),
    ],
    "SimpleRNN": lambda: [layers.SimpleRNN(128)],  # as many weights as the LSTM
    "LSTM": lambda: [lz.LSTM(64)],
}


def main():
    data = lz.datasets.load("mnist1d")
    x, y = data.x_train, data.y_train
    seen, held_out = (x[:-CHOSEN_ON], y[:-CHOSEN_ON]), (x[-CHOSEN_ON:], y[-CHOSEN_ON:])
    rows = []
    for name in NETWORKS:
        scores = {
            rate: trained(name, 99, rate, *seen).evaluate(*held_out, verbose=0)[1]
            for rate in LEARNING_RATES
        }
        best = max(scores, key=scores.get)
        print(name, scores, flush=True)
        for seed in SEEDS:
            model = trained(name, seed, best, x, y)
            rows.append(
                {
                    "network": name,
                    "parameters": model.count_params(),
                    "learning_rate": best,
                    "seed": seed,
                    "train_accuracy": round(model.evaluate(x, y, verbose=0)[1], 4),
                    "test_accuracy": round(
                        model.evaluate(data.x_test, data.y_test, verbose=0)[1], 4
                    ),
                }
            )
            print(*rows[-1].values(), flush=True)
    write(pathlib.Path(__file__).with_name("01_mnist1d.csv"), rows)


def trained(name, seed, learning_rate, x, y):
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(x.shape[1:]), *NETWORKS[name]()])
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(
        keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    lz.fit(model, x, y, epochs=EPOCHS, batch_size=64, seed=seed, verbose=0)
    return model


if __name__ == "__main__":
    main()
