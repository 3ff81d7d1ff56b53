"""The stored results behind notebook 13: what each part of an LSTM is worth on real voices.

    python notebooks/results/gates.py

trains 50 small models on the Japanese Vowels, about ten minutes of two free cores, and writes
`13_gates.csv` beside this file: one row for each model, five seeds for each cell.
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

UNITS, EPOCHS, LEARNING_RATE, SEEDS = 16, 25, 0.01, 5
CELLS = (
    "peephole",  # the vanilla LSTM of Greff et al. (2017)
    "lstm",
    "no_input_gate",
    "no_forget_gate",
    "no_output_gate",
    "no_input_activation",
    "no_output_activation",
    "coupled",
    "full_gate_recurrence",
    "min_gru",
)


def main():
    data = lz.datasets.load("japanese_vowels")
    rows = []
    for seed in range(SEEDS):
        for cell in CELLS:
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            model = build(cell)
            lz.fit(model, data.x_train, data.y_train, epochs=EPOCHS, seed=seed, verbose=0)
            p = model.predict(data.x_test, verbose=0)
            row = {"cell": cell, "seed": seed, "parameters": model.count_params()}
            row["test_accuracy"] = round(float(np.mean(p.argmax(axis=1) == data.y_test)), 4)
            row["test_loss"] = round(float(-np.log(p[np.arange(len(p)), data.y_test]).mean()), 4)
            rows.append(row)
            print(rows[-1], flush=True)
    write(pathlib.Path(__file__).with_name("13_gates.csv"), rows)


def build(cell):
    return lz.build_classifier(
        (None, 12),
        9,
        cell=cell,
        lstm_units=(UNITS,),
        dense_units=(),
        mask_value=0.0,
        learning_rate=LEARNING_RATE,
    )


def write(path, rows):
    arguments = f"{UNITS} units, {EPOCHS} epochs, learning rate {LEARNING_RATE}"
    versions = f"lstm_zoo {lz.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}"
    computer = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    with open(path, "w", newline="") as file:
        file.write(f"# {computer}; {versions}; {arguments}\n")
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
