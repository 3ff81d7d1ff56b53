"""Trainings on two logical devices beside the same on one; python two_devices.py prints a JSON.

Devices have to be asked for before TensorFlow starts: this is a process of its own.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import lstm_zoo as lz

RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 3, 2)).astype("float32")  # batches of 4, 4 and 1
Y = 3 * RNG.normal(size=(9, 1)).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2.0, 9).astype("float32")
SGD = keras.optimizers.SGD


class Own(keras.Model):
    """Its own loss and metrics."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.sum((y - y_pred) ** 2) + ops.max(y_pred) + ops.mean(x)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {"median": ops.median(y_pred - y)}


class OwnSteps(keras.Model):
    """Its own steps, which count the samples that they get."""

    def train_step(self, data):
        return {**super().train_step(data), "samples": tf.cast(tf.shape(data[0])[0], "float32")}

    def test_step(self, data):
        return {"loss": tf.constant(7.0)}


def network(kind=keras.Model, outputs=1, optimizer=None, loss="mse", **options):
    inputs = keras.Input((3, 2))
    h = lz.LSTM(3, kernel_regularizer="l2")(inputs)
    each = [keras.layers.Dense(1, name=f"out{n}")(h) for n in range(outputs)]
    model = kind(inputs, each if outputs > 1 else each[0])
    model.compile(optimizer or SGD(0.1), loss, **options)
    return model


def frozen():
    model = network()
    model.layers[1].trainable = False
    model.compile(SGD(0.1), "mse")
    return model


def lstm_fcn():
    """With an optimizer whose step size does not depend on the size of the gradient."""
    small = {"filters": (4, 4), "kernel_sizes": (3, 3), "lstm_units": 3, "dropout": 0.0}
    core = lz.build_lstm_fcn((3, 2), 2, **small)
    model = keras.Model(core.inputs, keras.layers.Dense(1)(core.output))
    model.compile("adam", "mse", metrics=["mae"])
    return model


WEIGHED = {"sample_weight": WEIGHTS}
CASES = {
    "plain": (network, {}),
    "clips": (lambda: network(), {"clipnorm": 0.1}),
    "frozen": (frozen, {}),
    "optimizer clips": (lambda: network(optimizer=SGD(0.1, global_clipnorm=0.1)), {}),
    "optimizer clips each": (lambda: network(optimizer=SGD(0.1, clipnorm=0.1)), {}),
    "optimizer clips values": (lambda: network(optimizer=SGD(0.1, clipvalue=0.1)), {}),
    "averages": (lambda: network(optimizer=SGD(0.1, use_ema=True, ema_momentum=0.5)), {}),
    "scales": (
        lambda: network(optimizer=keras.optimizers.LossScaleOptimizer(SGD(0.1, clipnorm=0.1))),
        {"clipnorm": 0.5},
    ),
    "adam": (lambda: network(optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.1)), {}),
    "sum": (lambda: network(loss=keras.losses.MeanSquaredError(reduction="sum")), {}),
    "weights": (lambda: network(weighted_metrics=["mae"], metrics=["mse"]), WEIGHED),
    "mean of weights": (
        lambda: network(loss=keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")),
        WEIGHED,
    ),
    "two outputs": (lambda: network(outputs=2, loss=["mse", "mae"], loss_weights=[1, 0.3]), {}),
    "own loss": (lambda: network(Own), {}),
    "eager": (lambda: network(run_eagerly=True, metrics=["mae"]), {}),
    "counts": (lambda: network(metrics=[keras.metrics.FalseNegatives(name="missed")]), {}),
    "lstm-fcn": (lstm_fcn, {}),
    "own steps": (lambda: network(OwnSteps), {}),
}


def train(make, options, strategy=None):
    keras.utils.set_random_seed(0)
    with (strategy or tf.distribute.get_strategy()).scope():
        model = make()
    outputs = len(model.outputs)
    y = [Y] * outputs if outputs > 1 else Y
    first = [Y[:5]] * outputs if outputs > 1 else Y[:5]
    options = {"clipnorm": None} | options
    history = lz.fit(
        *(model, X, y),
        validation_data=(X[:5], first),
        batch_size=4,
        epochs=2,
        seed=0,
        **{"verbose": 0, **options},
    ).history
    return model, {k: v for k, v in history.items() if k != "seconds"}


def crf_in_keras_s_loop(strategy):
    """The weights of a CRF tagger after a step of `model.fit`."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = lz.build_tagger(
            (3, 2), 3, crf=True, lstm_units=2, kernel_regularizer="l2", optimizer=SGD(0.1)
        )
    tags = np.arange(24).reshape(8, 3) % 3
    loss = model.fit(X[:8], tags, batch_size=8, sample_weight=WEIGHTS[:8], verbose=0).history
    return [w.tolist() for w in model.get_weights()], loss["loss"]


def refusals(strategy):
    """The errors of fit for layers and optimizers that several replicas do not support."""

    def with_layer(make):
        model = keras.Sequential([keras.Input(batch_shape=(4, 3, 2)), make(), lz.LSTM(2)])
        model.compile("sgd", "mse")
        return model

    made = {
        "stateful": lambda: with_layer(lambda: lz.LSTM(2, stateful=True, return_sequences=True)),
        "normalises": lambda: with_layer(keras.layers.BatchNormalization),
        "activity": lambda: with_layer(lambda: keras.layers.Dense(2, activity_regularizer="l1")),
    }
    for name, make in made.items():
        with strategy.scope():
            model = make()
        yield name, _said(model, RNG.normal(size=(8, 2)))
    for option in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
        with strategy.scope():
            model = network(optimizer=SGD(0.1, use_ema=True, **{option: 2}))
        yield option, _said(model, RNG.normal(size=(8, 1)))
    yield "elsewhere", _said(network(), RNG.normal(size=(8, 1)), strategy=strategy)


def _said(model, y, **options):
    try:
        lz.fit(model, X[:8], y, batch_size=4, epochs=1, verbose=0, **options)
    except ValueError as problem:
        return str(problem)
    return "nothing"


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {}
    for name in sys.argv[1:] or CASES:
        make, options = CASES[name]
        results = [train(make, options), train(make, options, strategy)]
        (one, history), (both, history_of_both) = results
        weights = zip(one.get_weights(), both.get_weights())
        found[name] = {
            "apart": max(float(np.abs(a - b).max()) for a, b in weights),
            "one": history,
            "two": history_of_both,
        }
        print(name, found[name]["apart"], file=sys.stderr, flush=True)
    crf = [crf_in_keras_s_loop(one) for one in (tf.distribute.get_strategy(), strategy)]
    print(json.dumps({"trained": found, "refused": dict(refusals(strategy)), "crf": crf}))


if __name__ == "__main__":
    main()
