"""The stored results behind notebook 12: which length each encoder-decoder can turn round.

    python notebooks/results/seq2seq.py

trains 15 small models to write digits in reverse order, about 10 minutes of two free cores, and
writes `12_reverse.csv` beside this file: for each model the share of sequences that it reverses
without a mistake, length by length. Models are trained on 1 to 16 digits, and tested on 1 to 20.
"""

import csv
import os
import pathlib
import platform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

import lstm_zoo as lz

START, END, FIRST_DIGIT = 1, 2, 3
VOCABULARY = 13  # padding, start, end, ten digits
LONGEST, LONGEST_TESTED = 16, 20
STEPS, BATCH = 2500, 64
SEEDS = range(3)


def main():
    rows = []
    for seed in SEEDS:
        for network, build in NETWORKS.items():
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            model = build()
            rng = np.random.default_rng(seed)
            x, y = pairs(rng.integers(1, LONGEST + 1, STEPS * BATCH), rng)
            lz.fit(model, x, y, epochs=1, batch_size=BATCH, seed=seed, verbose=0)
            rng = np.random.default_rng(1000)
            found = {n: right(model, n, rng) for n in range(1, LONGEST_TESTED + 1)}
            weights = sum(w.shape.num_elements() for w in model.trainable_weights)
            rows += [
                {"network": network, "weights": weights, "seed": seed, "length": n, "right": share}
                for n, share in found.items()
            ]
            print(network, weights, seed, found, flush=True)
            write(pathlib.Path(__file__).with_name("12_reverse.csv"), rows)


def pairs(lengths, rng):
    """Digits of these lengths as the model's inputs, and their reverse as its targets."""
    width = lengths.max()
    digits = rng.integers(FIRST_DIGIT, VOCABULARY, (len(lengths), width))
    at = lengths[:, None] - 1 - np.arange(width + 1)  # where the reverse takes its digits from
    target = np.take_along_axis(digits, np.maximum(at[:, :width], 0), axis=1)
    target = np.hstack([target, np.zeros((len(lengths), 1), int)])
    target = np.where(at >= 0, target, np.where(at == -1, END, 0))
    source = np.where(np.arange(width) < lengths[:, None], digits, 0).astype("int32")
    reads, says = lz.builders.teacher_forcing(target, START)
    return {"source": source, "target": reads}, says


def right(model, length, rng, samples=200):
    """The share of sequences of a length that the model reverses without a mistake.

    A greedy answer is right exactly if the model, given the right beginning, says the right token
    at each step: then it reads its own tokens. So no decoding is needed.
    """
    x, y = pairs(np.full(samples, length), rng)
    said = model.predict(x, batch_size=200, verbose=0).argmax(axis=-1)
    return round(float(np.mean((said == y).all(axis=1))), 3)


def lstm(units, attention):
    return lz.build_seq2seq(
        VOCABULARY,
        VOCABULARY,
        embedding_dim=32,
        lstm_units=units,
        bidirectional=attention,
        attention=attention,
        learning_rate=3e-3,
    )


def waves(tokens, dim, longest=1024):
    """The sines and cosines that tell the positions apart (Vaswani et al. 2017)."""
    angles = np.arange(longest)[:, None] / 10000 ** (2 * np.arange(dim // 2) / dim)
    table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    table = keras.initializers.Constant(table)
    places = ops.cumsum(ops.ones_like(tokens), axis=1) - 1
    return layers.Embedding(longest, dim, embeddings_initializer=table, trainable=False)(places)


def embedded(tokens, dim):
    return layers.Embedding(VOCABULARY, dim)(tokens) * dim**0.5 + waves(tokens, dim)


def added(x, change):
    return layers.LayerNormalization()(x + change)


def transformer(dim=48, heads=4, dense_units=96):
    def attend(queries, values, **masks):
        return layers.MultiHeadAttention(heads, dim // heads)(queries, values, **masks)

    def think(x):
        return layers.Dense(dim)(layers.Dense(dense_units, activation="relu")(x))

    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    real = ops.not_equal(source, 0)[:, None, :]  # no attention to padding
    x = embedded(source, dim)
    x = added(x, attend(x, x, attention_mask=real))
    x = added(x, think(x))
    y = embedded(target, dim)
    y = added(y, attend(y, y, use_causal_mask=True))
    y = added(y, attend(y, x, attention_mask=real))
    y = added(y, think(y))
    y = layers.Dense(VOCABULARY, activation="softmax")(y)
    model = keras.Model({"source": source, "target": target}, y)
    optimizer = keras.optimizers.Adam(2e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    return model


NETWORKS = {
    "LSTM, 32 units": lambda: lstm(32, attention=False),
    "LSTM, 64 units": lambda: lstm(64, attention=False),
    "LSTM, 128 units": lambda: lstm(128, attention=False),
    "LSTM with attention": lambda: lstm(40, attention=True),
    "Transformer": transformer,
}


def write(path, rows):
    with open(path, "w", newline="") as file:
        machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
        versions = (
            f"TensorFlow {tf.__version__}, Keras {keras.__version__}, LSTM Zoo {lz.__version__}"
        )
        settings = f"{STEPS} steps of {BATCH}, 1 to {LONGEST} digits"
        file.write(f"# {machine}; {versions}; {settings}\n")
        out = csv.DictWriter(file, rows[0], lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


if __name__ == "__main__":
    main()
