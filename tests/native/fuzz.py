"""Random layers, inputs and ways to call them against Keras's layers and Keras's loop.

    python tests/native/fuzz.py --cases 5000
    python tests/native/fuzz.py --cases 5000 --engine xla   # seconds for each ten cases

Compares outputs, states and all gradients. A case is made from its number and the engine alone, so
one that fails is run again with --first NUMBER --cases 1. Exits with 1 if any failed. Of the
XLA engine ten cases share a layer's options and a shape, as XLA compiles each anew; weights,
inputs, masks, states and calls are others.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.recurrence import engines

ALIKE = {"native": 1, "xla": 10}  # cases of one layer and shape
SHAPES = {  # batches, timesteps, features, units
    "native": ((1, 2, 3, 6, 7, 13, 33), (1, 2, 5, 9), (1, 3, 8), (1, 5, 16, 33)),
    "xla": ((1, 7), (1, 5), (3,), (5,)),
}
TOLERANCE = {"float32": 2e-5, "mixed_bfloat16": 2.0**-8, "mixed_float16": 2.0**-11}  # relative
ROUNDINGS = {"native": 4, "xla": 8}  # in half precision; Keras's loop, too, is some 4 off


def case(number, engine):
    """What a case is: the layer's class and options, its inputs, and how it is called."""
    of_layer = np.random.default_rng([number // ALIKE[engine], 0])
    rng = np.random.default_rng([number, 1])
    batches, steps, features, units = SHAPES[engine]

    def pick(*values, p=None, rng=of_layer):
        return values[rng.choice(len(values), p=p)]

    kind = pick(*KINDS, p=(0.3, 0.1, 0.1, 0.35, 0.15))
    options = {name: pick(False, True) for name in FLAGS}
    options |= {
        "units": pick(*units),
        "activation": pick("tanh", "relu"),
        "dropout": pick(0.0, 0.3),
        "recurrent_dropout": pick(0.0, 0.3),
        "dtype": pick(*TOLERANCE, p=(0.8, 0.1, 0.1)),
    }
    if options["dtype"] != "float32":  # whose dropout draws other numbers
        options |= {"dropout": 0.0, "recurrent_dropout": 0.0}
    batch, steps, features = pick(*batches), pick(*steps), pick(*features)
    x = rng.normal(size=(batch, steps, features)).astype("float32")
    given = {"training": pick(False, True), "mask": None, "initial_state": None}
    masks = {
        "right": np.arange(steps) < rng.integers(0, steps + 1, (batch, 1)),
        "left": np.arange(steps) >= rng.integers(0, steps + 1, (batch, 1)),
        "holes": rng.random((batch, steps)) < 0.6,
    }
    if pick(False, True, p=(0.25, 0.75)):
        given["mask"] = tf.constant(masks[pick(*masks, rng=rng)])
    if kind is lz.GRU:
        options["reset_after"] = pick(False, True)
    count = 1 if kind in (lz.GRU, lz.SimpleRNN) else 2
    states = [rng.normal(size=(batch, options["units"])).astype("float32") for _ in range(count)]
    if pick(False, True):
        given["initial_state"] = [tf.constant(s) for s in states]
    call = pick("eager", "graph", "unknown sizes", p=(0.94, 0.03, 0.03), rng=rng)
    return kind, options, x, given, call, rng


KINDS = (lz.LSTM, lz.PeepholeLSTM, lz.CoupledLSTM, lz.GRU, lz.SimpleRNN)
OF_KERAS = {
    lz.LSTM: keras.layers.LSTM,
    lz.GRU: keras.layers.GRU,
    lz.SimpleRNN: keras.layers.SimpleRNN,
}
LAST: list = []
FLAGS = ("return_sequences", "return_state", "go_backwards", "use_bias", "zero_output_for_mask")


def results(layer, x, given, call):
    """Outputs, and the gradients of a number that depends on all of them, by all there is."""

    def everything(x):
        states = given["initial_state"] or []
        sources = [x, *states, *(w.value for w in layer.trainable_weights)]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = keras.tree.flatten(layer(x, **given))
            outputs = [tf.cast(y, "float32") for y in outputs]
            loss = tf.add_n([tf.reduce_sum(y * _factors(y, k)) for k, y in enumerate(outputs)])
        return [*outputs, *tape.gradient(loss, sources)]

    layer.cell.seed_generator.state.assign([1, 2])  # that of the dropout masks
    if call == "eager":
        return everything(tf.constant(x))
    axes = [None, None] if call == "unknown sizes" and given["mask"] is None else list(x.shape[:2])
    return tf.function(everything, input_signature=[tf.TensorSpec([*axes, x.shape[2]])])(x)


def _factors(y, k):
    """From -3 to 3, exact in half precision, so that a rounded output changes no gradient."""
    return tf.reshape(tf.cast((tf.range(tf.size(y)) + k) % 7 - 3, "float32"), tf.shape(y))


def difference(number, engine):
    """The largest between both, of what is allowed; 1 is the limit."""
    kind, options, x, given, call, rng = case(number, engine)
    tolerance = TOLERANCE[options["dtype"]]
    if options["dtype"] != "float32":
        tolerance *= ROUNDINGS[engine]
    ours = kind(**options)
    ours.build(x.shape)
    LAST[:] = [ours]  # what is compiled for it stays for the next like it

    def rounded(a):
        return tf.cast(tf.cast(a, ours.compute_dtype), "float32")

    for weight in ours.trainable_weights:
        values = rng.normal(scale=0.5 * weight.shape[0] ** -0.5, size=weight.shape)
        weight.assign(rounded(values))
    x = rounded(x).numpy()
    if given["initial_state"]:
        given["initial_state"] = [rounded(a) for a in given["initial_state"]]
    masked = given["mask"] is not None
    if engine == "native":
        assert "(C)" in lz.explain(ours, masked).split(". ")[0], lz.explain(ours, masked)
    got = with_engine(engine, ours, x, given, call)
    options["dtype"] = "float32"  # of what both start from, the exact result
    if kind in OF_KERAS:
        theirs = OF_KERAS[kind](**options)
        theirs.build(x.shape)
        theirs.set_weights(ours.get_weights()[: len(theirs.get_weights())])
        expected = results(theirs, x, given, "eager")
    else:
        theirs = kind(**options)
        theirs.build(x.shape)
        theirs.set_weights(ours.get_weights())
        expected = with_engine("keras", theirs, x, given, "eager")
    worst = 0.0
    for a, b in zip(got, expected, strict=True):
        error = np.max(np.abs(a - b), initial=0.0) / (np.max(np.abs(b), initial=0.0) + 0.1)
        worst = max(worst, float(np.nan_to_num(error / tolerance, nan=np.inf)))
    return worst


def with_engine(name, layer, x, given, call):
    usual = engines.engine_for
    engines.engine_for = lambda call: engines.ENGINES[name]()
    try:
        return results(layer, x, given, call)
    finally:
        engines.engine_for = usual


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--engine", choices=("native", "xla"), default="native")
    options = parser.parse_args()
    failed, worst = [], 0.0
    for done, number in enumerate(range(options.first, options.first + options.cases), 1):
        ratio = difference(number, options.engine)
        worst = max(worst, ratio)
        if ratio > 1:
            failed.append(number)
            print(
                f"case {number}: {ratio:.3g} of what is allowed",
                case(number, options.engine)[:2],
                flush=True,
            )
        if done % 20 == 0 or done == options.cases:
            print(f"{done} cases, {len(failed)} failed, worst {worst:.2g} of the limit", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
