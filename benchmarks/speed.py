"""How fast the recurrent layers of several libraries train and predict on this machine.

    python benchmarks/speed.py                          # all of it
    python benchmarks/speed.py --quick                  # two shapes, few rounds
    python benchmarks/speed.py --layer GRU              # GRU or SimpleRNN in place of the LSTM
    python benchmarks/speed.py --torch /path/to/python  # an interpreter that has PyTorch
    python benchmarks/speed.py --jax /path/to/python    # one that has JAX
    KERAS_BACKEND=jax python benchmarks/speed.py        # the layers on JAX, on a GPU if it has one

Every round times each library once, in turn, so that load spikes affect all of them equally. Each
turn has two calls, and the second counts, because the first still finds the caches and threads of
the library before it. Compilation happens before and is reported separately. A training step
computes the loss on the last hidden state and its gradients with respect to all weights. PyTorch
and JAX run in their own processes (other_libraries.py), in the same rounds. Writes
results/DATE-speed.csv and .png, for another layer DATE-speed-gru.csv and so on.
"""

import argparse
import csv
import datetime
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from rows import cpu

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
RESULTS = Path(__file__).parent / "results"
GRID = [  # batch, timesteps, features, units
    (64, 100, 32, 128),
    (32, 200, 8, 64),
    (64, 28, 28, 128),
    (16, 400, 1, 256),
    (1, 100, 8, 64),
    (256, 50, 16, 32),
    (32, 784, 1, 128),
    (50, 400, 2, 128),
    (64, 1000, 16, 64),
]
CURVES = {
    "timesteps": [(32, steps, 8, 64) for steps in (25, 50, 100, 200, 400, 800)],
    "batch": [(batch, 100, 8, 64) for batch in (1, 4, 16, 64, 256)],
    "units": [(32, 100, 8, units) for units in (16, 32, 64, 128, 256)],
}
COLOURS = (
    *("#D55E00", "#E69F00", "#F0C9A0", "#8B3E00", "#0072B2"),
    *("#56B4E9", "#999999", "#CC79A7", "#009E73", "#332288"),
)
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}  # by layer
PARTS = ("grid", "curves", "memory", "fit")
LONG = [(16, 2500, 8, 64), (16, 10000, 8, 64)]
LABELS = {
    "zoo": "lstm_zoo.LSTM",
    "zoo-recompute": "lstm_zoo.LSTM, recompute",
    "zoo-compiled": "lstm_zoo.LSTM without the native operation",
    "zoo-fit": "lstm_zoo.LSTM in lstm_zoo.fit",
    "keras": "keras.layers.LSTM",
    "keras-xla": "keras.layers.LSTM, jit_compile",
    "rnn": "keras.layers.RNN(lstm_zoo.LSTMCell)",
    "torch": "torch.nn.LSTM",
    "block": "tf.raw_ops.BlockLSTMV2",
    "jax": "jax.lax.scan",
}


def label(name, layer):
    """The label of a peer in figures, for any layer."""
    in_torch = f"torch.nn.{layer.removeprefix('Simple')}"
    return in_torch if name == "torch" else LABELS[name].replace("LSTM", layer)


def peer(name, shape, layer="LSTM"):
    """Functions without arguments: a training step and a prediction."""
    import keras

    import lstm_zoo as lz

    batch, steps, features, units = shape
    if name == "block":
        return block_peer(shape)
    ours, theirs = getattr(lz, layer), getattr(keras.layers, layer)
    layer = {
        "zoo": lambda: ours(units),
        "zoo-recompute": lambda: ours(units, recompute=True),
        "zoo-compiled": lambda: compiled_layer(units),
        "keras": lambda: theirs(units),
        "keras-xla": lambda: theirs(units),
        "rnn": lambda: keras.layers.RNN(lz.LSTMCell(units)),
    }[name]()
    layer.build((batch, steps, features))
    x = keras.random.normal((batch, steps, features), seed=1)
    if keras.backend.backend() == "jax":
        return jax_peer(layer, x)
    import tensorflow as tf

    compiled = {"autograph": False, "jit_compile": True if name == "keras-xla" else None}

    @tf.function(**compiled)
    def train(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(layer(x, training=True) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    predict = tf.function(lambda x: layer(x, training=False), **compiled)
    return {"train": lambda: train(x)[0].numpy(), "predict": lambda: predict(x).numpy()}


def compiled_layer(units):
    """A layer that computes the same without the native operation."""
    import lstm_zoo as lz

    class Same(lz.LSTMCell):
        pass

    cells = lz.cells.registry
    cells.derivatives_of(Same)(cells.derivatives(lz.LSTMCell(1)))
    return lz.RNN(Same(units))


def jax_peer(layer, x):
    import jax

    weights = [w.value for w in layer.trainable_variables]
    others = [w.value for w in layer.non_trainable_variables]

    def run(weights, x, training):
        return layer.stateless_call(weights, others, x, training=training)[0]

    train = jax.jit(jax.grad(lambda weights, x: (run(weights, x, True) ** 2).mean()))
    predict = jax.jit(lambda weights, x: run(weights, x, False))
    return {
        "train": lambda: jax.block_until_ready(train(weights, x)),
        "predict": lambda: jax.block_until_ready(predict(weights, x)),
    }


def block_peer(shape):
    import tensorflow as tf

    batch, steps, features, units = shape
    x = tf.random.stateless_normal((batch, steps, features), [1, 2])
    weights = tf.Variable(tf.random.stateless_normal((features + units, 4 * units), [3, 4]) * 0.1)
    bias = tf.Variable(tf.zeros(4 * units))
    zeros, none = tf.zeros((batch, units)), tf.zeros(units)

    def last_hidden_state(x):
        return tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.constant(steps, tf.int64),
            x=tf.transpose(x, (1, 0, 2)),
            cs_prev=zeros,
            h_prev=zeros,
            w=weights,
            wci=none,
            wcf=none,
            wco=none,
            b=bias,
            cell_clip=0.0,
            use_peephole=False,
        ).h[-1]

    @tf.function(autograph=False)
    def train(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(last_hidden_state(x) ** 2)
        return tape.gradient(loss, [weights, bias])

    predict = tf.function(last_hidden_state, autograph=False)
    return {"train": lambda: train(x)[0].numpy(), "predict": lambda: predict(x).numpy()}


class OtherProcess:
    """A library in another environment."""

    def __init__(self, library, python, layer):
        command = [python, Path(__file__).with_name("other_libraries.py"), library, layer]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = self.process.stdout.readline().strip()

    def time(self, kind, shape):
        print(kind, *shape, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(shape, peers, rounds, others, layer, kinds=("train", "predict")):
    """Rows of times in milliseconds for one shape, the peers interleaved."""
    timers, first = {}, {}
    for name in peers:
        made = peer(name, shape, layer)
        for kind in kinds:
            first[name, kind] = seconds(made[kind])
            timers[name, kind] = lambda call=made[kind]: seconds(call)
    for name, other in others.items():
        for kind in kinds:
            first[name, kind] = other.time(kind, shape)
            timers[name, kind] = lambda kind=kind, other=other: other.time(kind, shape)
    times = {key: [] for key in timers}
    for _ in range(rounds):
        for key, timer in timers.items():
            timer()
            times[key].append(1000 * timer())
    for (name, kind), found in times.items():
        low, high = statistics.quantiles(found, n=4)[::2]
        yield {
            "peer": name,
            "measure": kind,
            "min_ms": min(found),
            "median_ms": statistics.median(found),
            "quartile1_ms": low,
            "quartile3_ms": high,
            "first_ms": 1000 * first[name, kind],
            "rounds": rounds,
        }


def matmul_limit():
    """Floating-point operations a second of large float32 matrix products, the best of 20."""
    from keras import ops, random

    a = random.normal((2048, 2048), seed=1)

    def product():
        ops.convert_to_numpy(ops.matmul(a, a)[0, 0])

    return 2 * 2048**3 / min(seconds(product) for _ in range(20))


def operations(shape, kind, gates):
    """Floating-point operations of the matrix products that the equations need."""
    batch, steps, features, units = shape
    forward = 2 * batch * steps * (features + units) * gates * units
    back_through_time = 2 * batch * steps * units * gates * units
    return forward if kind == "predict" else 2 * forward + back_through_time


def peak_memory(name, shape, layer):
    """Peak memory of training in MiB, above that of a process that has trained on two steps."""
    peer(name, (shape[0], 2, *shape[2:]), layer)["train"]()
    train = peer(name, shape, layer)["train"]
    before = _status("VmHWM")
    for _ in range(3):
        train()
    return (_status("VmHWM") - before) / 1024


def _status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


def fit_seconds(name, layer):
    """Total time on the Japanese Vowels including start-up: 1, 5 and 30 epochs, a prediction.

    The model has a mask, two bidirectional layers of 64 units and a Dense layer.
    """
    import keras

    import lstm_zoo as lz

    data = lz.datasets.load("japanese_vowels")
    layer = getattr(keras.layers if name.startswith("keras") else lz, layer)
    model = keras.Sequential(
        [
            keras.Input((None, data.x_train.shape[2])),
            keras.layers.Masking(),
            keras.layers.Bidirectional(layer(64, return_sequences=True)),
            keras.layers.Bidirectional(layer(64)),
            keras.layers.Dense(9, activation="softmax"),
        ]
    )
    jit = True if name == "keras-xla" else "auto"
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
    start, ends = time.perf_counter(), []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter() - start)
    )
    arguments = {"epochs": 30, "batch_size": 32, "verbose": 0, "callbacks": [note]}
    if name == "zoo-fit":
        lz.fit(model, data.x_train, data.y_train, **arguments)
    else:
        model.fit(data.x_train, data.y_train, **arguments)
    trained = time.perf_counter()
    model.predict(data.x_test, verbose=0)
    return ends[0], ends[4], ends[29], time.perf_counter() - trained


def in_new_process(layer, *arguments):
    command = [sys.executable, __file__, "--layer", layer, "--one", *map(str, arguments)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in found.splitlines()[-1].split()]


def machine(others):
    import keras

    backend = keras.backend.backend()
    versions = f"{backend} {importlib.metadata.version(backend)}, keras {keras.__version__}"
    for name, other in others.items():
        versions += f", {name} {other.version}"
    load = f"load {os.getloadavg()[0]:.1f} at the start"
    return f"{cpu()}, {os.cpu_count()} cores, {load}, {platform.system()}, {versions}"


def geometric_mean(numbers):
    return statistics.geometric_mean(numbers)


def summary(rows, layer):
    """Lines that say how many times faster than each other library the layer of LSTM Zoo is."""
    best = {(r["part"], r["shape"], r["peer"], r["measure"]): r.get("min_ms") for r in rows}
    for kind in ("train", "predict"):
        for peer in LABELS:
            ratios = [
                time / best["grid", shape, "zoo", kind]
                for (part, shape, name, measure), time in best.items()
                if part == "grid" and name == peer and measure == kind and peer != "zoo"
            ]
            if ratios:
                yield (
                    f"{kind:8s} {geometric_mean(ratios):5.2f} times as fast as {label(peer, layer)}"
                    f" (from {min(ratios):.2f} to {max(ratios):.2f})"
                )


def draw(rows, path, title, layer):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = dict(zip(LABELS, COLOURS))
    curves = [name for name in CURVES if any(r["part"] == name for r in rows)]
    wide = 2 + len(curves)
    figure, axes = plt.subplots(1, wide, figsize=(4 * wide, 4.6), constrained_layout=True)
    for axis, kind in zip(axes, ("train", "predict")):
        grid = [r for r in rows if r["part"] == "grid" and r["measure"] == kind]
        shapes = list(dict.fromkeys(r["shape"] for r in grid))
        for peer in dict.fromkeys(r["peer"] for r in grid):
            found = {r["shape"]: r["min_ms"] for r in grid if r["peer"] == peer}
            places = [k for k, shape in enumerate(shapes) if shape in found]
            times = [found[shapes[k]] for k in places]
            axis.plot(times, places, "o", color=colours[peer], label=label(peer, layer))
        axis.set_yticks(range(len(shapes)), shapes)
        axis.invert_yaxis()
        axis.set(xscale="log", xlabel="fastest run (ms)")
        axis.set_title("training step" if kind == "train" else "prediction")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("batch x timesteps x features x units")
    for axis, name in zip(axes[2:], curves):
        shapes, found = CURVES[name], [r for r in rows if r["part"] == name]
        for peer in dict.fromkeys(r["peer"] for r in found):
            times = [r["min_ms"] for r in found if r["peer"] == peer]
            sizes = [
                shape[("batch", "timesteps", "features", "units").index(name)] for shape in shapes
            ]
            axis.plot(
                sizes[: len(times)], times, "o-", color=colours[peer], label=label(peer, layer)
            )
        axis.set(xscale="log", yscale="log", xlabel=name, ylabel="training step (ms)")
        axis.set_xticks(sizes, sizes)
        axis.set_xticks([], minor=True)
        axis.set_title(f"cost against {name}")
        axis.grid(alpha=0.3)
    peers = dict.fromkeys(r["peer"] for r in rows if r["part"] == "grid")
    names = [label(peer, layer) for peer in peers]
    handles = {line.get_label(): line for line in axes[0].lines}
    figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=wide)
    figure.suptitle(textwrap.fill(title, 45 * wide), fontsize=9)
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two shapes, few rounds")
    parser.add_argument(
        "--parts", nargs="+", default=PARTS, choices=PARTS, help="parts to run (default: all)"
    )
    parser.add_argument("--layer", default="LSTM", choices=GATES)
    parser.add_argument("--rounds", type=int, default=40, help="at most, for the short shapes")
    parser.add_argument("--torch", help="a Python interpreter that has PyTorch")
    parser.add_argument("--jax", help="a Python interpreter that has JAX")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        what, name, *shape = options.one
        if what == "fit":
            return print(*fit_seconds(name, options.layer))
        return print(peak_memory(name, tuple(map(int, shape)), options.layer))
    here = sys.executable if importlib.util.find_spec("torch") else None
    layer, is_lstm = options.layer, options.layer == "LSTM"
    pythons = {"torch": options.torch or here, "jax": options.jax if is_lstm else None}
    others = {n: OtherProcess(n, python, layer) for n, python in pythons.items() if python}
    about, today = machine(others), datetime.date.today().isoformat()
    limit = matmul_limit()
    about += f", matrix products up to {limit / 1e9:.0f} GFLOP/s"
    print(about, flush=True)
    rows = []

    def add(part, shape, row):
        rows.append({"part": part, "shape": "x".join(map(str, shape)), **row})
        print(part, rows[-1]["shape"], *row.values(), flush=True)

    on_jax = os.environ.get("KERAS_BACKEND") == "jax"
    peers = ["zoo", "keras", *(["rnn"] if is_lstm else [])]
    if not on_jax and not is_lstm:
        peers.append("keras-xla")
    if not on_jax and is_lstm:
        peers = ["zoo", "zoo-compiled", "keras", "keras-xla", "rnn", "block"]
    parts = ("grid",) if options.quick else options.parts
    for shape in (GRID[1:3] if options.quick else GRID) if "grid" in parts else ():
        rounds = 5 if options.quick else min(options.rounds, max(7, 4000 // shape[1]))
        for row in compare(shape, peers, rounds, others, layer):
            used = operations(shape, row["measure"], GATES[layer]) / (row["min_ms"] / 1000)
            add("grid", shape, {**row, "share_of_matmul_limit": used / limit})
    print(*summary(rows, layer), sep="\n", flush=True)
    short = [name for name in peers if name in ("zoo", "keras", "keras-xla")]
    if "memory" in parts:
        for shape in [(64, 1000, 16, 64), (32, 784, 1, 128), *LONG]:
            for name in [*short, "zoo-recompute"] if shape in LONG else short:
                (peak,) = in_new_process(layer, "memory", name, *shape)
                add("memory", shape, {"peer": name, "measure": "peak", "peak_mib": peak})
    if "fit" in parts:
        for name in [*short, "zoo-fit"]:
            took = zip(*(in_new_process(layer, "fit", name) for _ in range(3)))
            measures = [f"fit of {epochs} epochs from cold" for epochs in (1, 5, 30)]
            for measure, found in zip([*measures, "first prediction after it"], took):
                row = {"peer": name, "measure": measure}
                row |= {"min_ms": 1000 * min(found), "median_ms": 1000 * statistics.median(found)}
                add("japanese_vowels", (), row)
    if "curves" in parts:
        for part, shapes in CURVES.items():
            for shape in shapes:
                for row in compare(shape, short, 7, others, layer, ("train",)):
                    add(part, shape, row)
    RESULTS.mkdir(exist_ok=True)
    of_layer = "" if is_lstm else f"-{layer.lower()}"
    of_run = f"{'-jax' if on_jax else ''}{'-quick' if options.quick else ''}"
    stem = RESULTS / f"{today}-speed{of_layer}{of_run}"
    fields = list(dict.fromkeys(field for row in rows for field in row))
    with open(stem.with_suffix(".csv"), "w", newline="") as file:
        file.write(f"# {about}\n")
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
        )
    draw(rows, stem.with_suffix(".png"), about, layer)
    print(*summary(rows, layer), sep="\n")
    return None


if __name__ == "__main__":
    main()
