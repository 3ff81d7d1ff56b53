"""The time of `trace`, compared with the forward pass of the same model.

    python benchmarks/inspection.py

Both run in turn in one process on 64 sequences of 500 steps, through a layer of 128 units. The
forward pass is `model.predict`, and the model compiled into one `tf.function`, its quickest form.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.inspection import trace

BATCH, TIMESTEPS, FEATURES, UNITS, ROUNDS = 64, 500, 16, 128, 9
LAYERS = [
    lz.LSTM,
    lz.PeepholeLSTM,
    keras.layers.LSTM,
    keras.layers.GRU,
    keras.layers.SimpleRNN,
]


def medians(functions):
    """The median seconds of each function, called in turn after one warm-up call each."""
    seconds = [[] for _ in functions]
    for turn in range(ROUNDS + 1):
        for function, taken in zip(functions, seconds):
            start = time.perf_counter()
            function()
            if turn:
                taken.append(time.perf_counter() - start)
    return [np.median(taken) for taken in seconds]


def main():
    x = np.random.default_rng(0).normal(size=(BATCH, TIMESTEPS, FEATURES)).astype("float32")
    print("layer                            trace  predict  ratio  function  ratio   (seconds)")
    for kind in LAYERS:
        layer = kind(UNITS, return_sequences=True)
        model = keras.Sequential([keras.Input((TIMESTEPS, FEATURES)), layer])
        compiled = tf.function(lambda x, model=model: model(x, training=False))
        traced, predicted, forward = medians(
            [
                lambda model=model: trace(model, x),
                lambda model=model: model.predict(x, batch_size=BATCH, verbose=0),
                lambda compiled=compiled: compiled(x),
            ]
        )
        print(
            f"{kind.__module__.split('.')[0] + '.' + kind.__name__:30}{traced:8.3f}{predicted:9.3f}"
            f"{traced / predicted:7.2f}{forward:10.3f}{traced / forward:7.2f}"
        )


if __name__ == "__main__":
    main()
