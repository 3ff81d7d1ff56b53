"""Total time of whole programs with `keras.layers.LSTM` and with `lz.LSTM`, including start-up.

    python benchmarks/programs.py                       # all of them, three rounds
    python benchmarks/programs.py --only tagging --rounds 1

The script runs a dozen small programs like those of tutorials. Each runs in its own new process,
once with keras.layers.LSTM and once with lstm_zoo.LSTM, in turn. The data are random and of typical
size. Trainings are short, so start-up counts as much as in a first experiment. The script measures
processor time, which other work on the machine disturbs least, and elapsed time. Both include
building, fitting, predicting and importing lstm_zoo, but not importing Keras, which both programs
do. The losses of both must agree. Writes results/DATE-programs.csv.
"""

import argparse
import collections
import csv
import datetime
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
RESULTS = Path(__file__).parent / "results"
LAYERS = ("keras", "zoo")
PROGRAMS = {}


def program(function):
    """A program: takes keras, numpy's generator and the LSTM class; gives a model and its data.

    It returns keyword arguments for `work` below.
    """
    PROGRAMS[function.__name__] = function
    return function


@program
def sentiment(keras, rng, LSTM):
    """Words to one label, two bidirectional layers."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(20000, 128),
            layers.Bidirectional(LSTM(64, return_sequences=True)),
            layers.Bidirectional(LSTM(64)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": rng.integers(0, 20000, (640, 200)), "y": rng.integers(0, 2, 640)}


@program
def padded_sentiment(keras, rng, LSTM):
    """Texts of many lengths, padded with zeros that are masked."""
    layers, words = keras.layers, rng.integers(1, 20000, (320, 400))
    for text, length in zip(words, rng.integers(20, 400, 320)):
        text[length:] = 0
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(20000, 64, mask_zero=True),
            layers.Bidirectional(LSTM(32)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("rmsprop", "binary_crossentropy")
    return {"model": model, "x": words, "y": rng.integers(0, 2, 320)}


@program
def sentiment_with_dropout(keras, rng, LSTM):
    """Dropout of the input and of the hidden state."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((80,), dtype="int32"),
            layers.Embedding(20000, 128),
            LSTM(128, dropout=0.2, recurrent_dropout=0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return {"model": model, "x": rng.integers(0, 20000, (640, 80)), "y": rng.integers(0, 2, 640)}


@program
def characters(keras, rng, LSTM):
    """The next character of a text, then text written one character at a time."""
    model = keras.Sequential(
        [keras.Input((40, 56)), LSTM(128), keras.layers.Dense(56, activation="softmax")]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    x = one_hot(rng, 56, (2560, 40))
    y = rng.integers(0, 56, 2560)
    return {"model": model, "x": x, "y": y, "batch_size": 128, "one_at_a_time": 60}


@program
def sums(keras, rng, LSTM):
    """One sequence of digits into another: an encoder, its code repeated, a decoder."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((7, 12)),
            LSTM(128),
            layers.RepeatVector(4),
            LSTM(128, return_sequences=True),
            layers.Dense(12, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    y = rng.integers(0, 12, (1600, 4))
    return {"model": model, "x": one_hot(rng, 12, (1600, 7)), "y": y, "one_at_a_time": 10}


@program
def translation(keras, rng, LSTM):
    """The encoder's last states are the decoder's first."""
    source, target = keras.Input((None, 71)), keras.Input((None, 93))
    _, *states = LSTM(256, return_state=True)(source)
    y = LSTM(256, return_sequences=True)(target, initial_state=states)
    model = keras.Model([source, target], keras.layers.Dense(93, activation="softmax")(y))
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    x = [one_hot(rng, 71, (512, 16)), one_hot(rng, 93, (512, 59))]
    return {"model": model, "x": x, "y": rng.integers(0, 93, (512, 59)), "batch_size": 64}


@program
def captions(keras, rng, LSTM):
    """A picture's features and the words so far, padded in front and masked, to the next word."""
    layers, words = keras.layers, rng.integers(1, 4000, (640, 34))
    for text, length in zip(words, rng.integers(1, 34, 640)):
        text[:-length] = 0
    picture, text = keras.Input((2048,)), keras.Input((34,), dtype="int32")
    seen = layers.Dense(256, activation="relu")(picture)
    said = LSTM(256)(layers.Embedding(4000, 256, mask_zero=True)(text))
    y = layers.Dense(4000, activation="softmax")(layers.add([seen, said]))
    model = keras.Model([picture, text], y)
    model.compile("adam", "sparse_categorical_crossentropy")
    x = [rng.normal(size=(640, 2048)).astype("float32"), words]
    return {"model": model, "x": x, "y": rng.integers(0, 4000, 640), "batch_size": 64}


@program
def weather(keras, rng, LSTM):
    """A number from five days of measurements, one every hour."""
    model = keras.Sequential([keras.Input((120, 14)), LSTM(16), keras.layers.Dense(1)])
    model.compile("rmsprop", "mse", metrics=["mae"])
    return regression(model, rng, (2560, 120, 14), batch_size=256)


@program
def weather_with_recurrent_dropout(keras, rng, LSTM):
    """The same with dropout of the hidden state."""
    model = keras.Sequential(
        [keras.Input((120, 14)), LSTM(32, recurrent_dropout=0.25), keras.layers.Dense(1)]
    )
    model.compile("rmsprop", "mse", metrics=["mae"])
    return regression(model, rng, (2560, 120, 14), batch_size=256)


@program
def sales(keras, rng, LSTM):
    """A short window of one number, with relu: what many a tutorial on forecasting has."""
    model = keras.Sequential(
        [
            keras.Input((12, 1)),
            LSTM(50, activation="relu", return_sequences=True),
            LSTM(50, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    return regression(model, rng, (960, 12, 1))


@program
def meter(keras, rng, LSTM):
    """One sample at a time, whose states go over to the next."""
    model = keras.Sequential(
        [keras.Input(batch_shape=(1, 1, 1)), LSTM(20, stateful=True), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return regression(model, rng, (400, 1, 1), batch_size=1, shuffle=False)


@program
def anomalies(keras, rng, LSTM):
    """A sequence into a code and back."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((100, 1)),
            LSTM(64),
            layers.RepeatVector(100),
            LSTM(64, return_sequences=True),
            layers.TimeDistributed(layers.Dense(1)),
        ]
    )
    model.compile("adam", "mae")
    x = rng.normal(size=(640, 100, 1)).astype("float32")
    return {"model": model, "x": x, "y": x}


@program
def tagging(keras, rng, LSTM):
    """A label for every word of a sentence."""
    layers, words = keras.layers, rng.integers(1, 9000, (640, 75))
    for text, length in zip(words, rng.integers(5, 75, 640)):
        text[length:] = 0
    model = keras.Sequential(
        [
            keras.Input((75,), dtype="int32"),
            layers.Embedding(9000, 50, mask_zero=True),
            layers.Bidirectional(LSTM(100, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(17, activation="softmax")),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return {"model": model, "x": words, "y": rng.integers(0, 17, (640, 75))}


def one_hot(rng, count, shape):
    import numpy as np

    return np.eye(count, dtype="float32")[rng.integers(0, count, shape)]


def regression(model, rng, shape, **options):
    x = rng.normal(size=shape).astype("float32")
    return {"model": model, "x": x, "y": rng.normal(size=shape[0]).astype("float32"), **options}


def run(name, layer):
    """One program with one layer, in this process: its losses, and seconds by what they went to."""
    import keras
    import numpy as np

    marks = [mark("start")]
    if layer == "zoo":
        import lstm_zoo

        LSTM = lstm_zoo.LSTM
    else:
        LSTM = keras.layers.LSTM
    keras.utils.set_random_seed(0)
    given = PROGRAMS[name](keras, np.random.default_rng(0), LSTM)
    marks.append(mark("build"))
    losses = list(work(marks, **given))
    seconds = collections.defaultdict(lambda: [0.0, 0.0])
    for (_, *before), (what, *after) in zip(marks, marks[1:]):
        seconds[what] = [s + b - a for s, a, b in zip(seconds[what], before, after)]
    return {"losses": losses, "seconds": seconds}


def work(marks, model, x, y, batch_size=32, shuffle=True, one_at_a_time=0):
    """Two epochs with validation, a prediction of all, and some of one sample."""

    def part(of, stop):
        return [a[:stop] for a in of] if isinstance(of, list) else of[:stop]

    few = 4 * batch_size
    for what in ("first epoch", "second epoch"):
        history = model.fit(
            x,
            y,
            batch_size=batch_size,
            shuffle=shuffle,
            validation_data=(part(x, few), part(y, few)),
            verbose=0,
        )
        yield from (float(values[-1]) for values in history.history.values())
        marks.append(mark(what))
    model.predict(part(x, few), batch_size=batch_size, verbose=0)
    for _ in range(one_at_a_time):
        model.predict(part(x, 1), verbose=0)
    marks.append(mark("predict"))


def mark(what):
    return what, time.perf_counter(), time.process_time()


def cold(name, layer):
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", name, layer]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} with {layer} ended:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(name, rounds):
    """Rows for the table: the least seconds of each layer, and how far their losses are apart."""
    runs = {layer: [] for layer in LAYERS}
    for _ in range(rounds):
        for layer in LAYERS:
            runs[layer].append(cold(name, layer))
    ours, theirs = (runs[layer][0]["losses"] for layer in ("zoo", "keras"))
    apart = max(abs(a - b) / max(abs(b), 1e-6) for a, b in zip(ours, theirs, strict=True))
    for layer in LAYERS:
        for what in runs[layer][0]["seconds"]:
            waited, worked = (min(r["seconds"][what][k] for r in runs[layer]) for k in (0, 1))
            yield name, layer, what, round(waited, 3), round(worked, 3), f"{apart:.1e}"


def total(rows, layer, column):
    return sum(row[column] for row in rows if row[1] == layer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=PROGRAMS, choices=PROGRAMS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(*options.one)))
        return
    path = RESULTS / f"{datetime.date.today().isoformat()}-programs.csv"
    table, ratios = [], []
    print(f"{'program':32}{'keras':>9}{'zoo':>9}{'ratio':>7}  waited {'losses apart':>13}")
    for name in options.only:
        rows = list(compare(name, options.rounds))
        theirs, ours = total(rows, "keras", 4), total(rows, "zoo", 4)
        waited = total(rows, "zoo", 3) / total(rows, "keras", 3)
        ratios.append(ours / theirs)
        seconds = f"{theirs:7.2f} s{ours:7.2f} s{ours / theirs:7.2f}"
        print(f"{name:32}{seconds}{waited:8.2f}{rows[0][5]:>14}", flush=True)
        table += rows
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"geometric mean of the ratios of processor time {mean:.2f}, largest {max(ratios):.2f}")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["program", "layer", "part", "seconds", "cpu_seconds", "losses_apart"])
        writer.writerows(table)
    print(path)


if __name__ == "__main__":
    main()
