"""Public functions with arguments that hypothesis makes up, and loaders with damaged files.

python tests/fuzz_public.py [--cases 100000] [--seed 0] [--only TEXT]

A call may give a result or end in a `ValueError` (of a loader also in a `FileNotFoundError`); all
else is a fault, and so is a file that is opened to be written outside the folder of the run.
"""

import argparse
import collections
import os
import pathlib
import sys
import tempfile
import time
import traceback
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis.configuration
import keras
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lstm_zoo as lz
from lstm_zoo import checks
from lstm_zoo.presets.predict import predict_file
from lstm_zoo.training import checkpoint, distribute

INTS = st.integers(-3, 12)
TEXTS = st.one_of(st.text(max_size=6), st.sampled_from(["lstm", "gru", "mnist1d", "a:1,b:2", "*"]))
ARRAYS = hnp.arrays(
    st.sampled_from(["float32", "float64", "int8", "int64", "bool", "complex64", "U2", "object"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    elements=None,
    fill=None,
).filter(lambda a: a.size < 100)
SCALARS = st.one_of(
    *(st.none(), st.booleans(), INTS, st.floats(), TEXTS, st.binary(max_size=4)),
    *(INTS.map(np.int8), INTS.map(np.float32), st.complex_numbers(), st.builds(object)),
)
ANYTHING = st.one_of(
    SCALARS,
    ARRAYS,
    st.lists(SCALARS, max_size=4),
    st.lists(SCALARS, max_size=3).map(tuple),
    st.dictionaries(TEXTS, SCALARS, max_size=3),
    st.lists(st.lists(st.one_of(INTS, st.floats()), max_size=4), max_size=4),
    st.sampled_from([dict, print, np, range(3), {1, 2}, float("nan"), -0.0]),
)
RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(30, 2)).astype("float32")
X, Y = RNG.normal(size=(6, 5, 2)).astype("float32"), RNG.normal(size=(6, 1)).astype("float32")
PANEL = {"unique_id": list("aabb"), "ds": [0, 1, 0, 1], "y": [1.0, 2, 3, 4], "p": [0, 1, 2, 3]}

# By name: a function and arguments that are right; some of them are replaced.
CHEAP = {
    "tasks.adding": (lz.tasks.adding, {"samples": 3, "timesteps": 9, "seed": 0}),
    "tasks.adding_1997": (lz.tasks.adding_1997, {"samples": 3, "timesteps": 12, "seed": 0}),
    "tasks.copying": (
        lz.tasks.copying,
        {"samples": 3, "timesteps": 30, "symbols": 4, "length": 3, "seed": 0},
    ),
    "tasks.temporal_order": (lz.tasks.temporal_order, {"samples": 3, "timesteps": 20, "seed": 0}),
    "tasks.delayed_echo": (
        lz.tasks.delayed_echo,
        {"samples": 3, "timesteps": 9, "delay": 2, "seed": 0},
    ),
    "tasks.parity": (lz.tasks.parity, {"samples": 3, "timesteps": 9, "seed": 0}),
    "windows": (lz.windows, {"series": SERIES, "input_steps": 5, "horizon": 2, "stride": 1}),
    "panel": (lz.panel, {"table": PANEL, "ds": "ds", "past": ["p"], "static": ()}),
    "pad": (lz.pad, {"sequences": [SERIES[:3], SERIES[:5]]}),
    "batches_by_length": (
        lz.batches_by_length,
        {"sequences": [SERIES[:3], SERIES[:5]], "y": [0, 1], "batch_size": 2},
    ),
    "encode_labels": (lz.encode_labels, {"labels": ["a", "b", "a"]}),
    "datasets.windows": (lz.datasets.windows, {"series": SERIES, "input_steps": 5, "horizon": 2}),
    "datasets.load": (lz.datasets.load, {"name": "nothing"}),
    "datasets.names": (lz.datasets.names, {"task": None}),
    "list_presets": (lz.list_presets, {"pattern": "*"}),
    "read_recipe": (lz.presets.read_recipe, {"name": "fat"}),
    "preset_card": (lz.preset_card, {"name": "fat"}),
    "course.results": (lz.course.results, {"name": "nothing"}),
    "cluster": (distribute.cluster, {"addresses": "a:1,b:2", "index": 0}),
    "checks.count": (checks.count, {"argument": "n", "value": 3}),
    "checks.fraction": (checks.fraction, {"argument": "n", "value": 0.5}),
    "checks.number": (checks.number, {"argument": "n", "value": 0.5}),
    "checks.finite": (checks.finite, {"argument": "n", "value": SERIES}),
    "checks.rising_fractions": (checks.rising_fractions, {"argument": "n", "values": [0.5]}),
    "checks.one_of": (checks.one_of, {"argument": "n", "value": "a"}),
    "QuantileLoss": (lz.builders.QuantileLoss, {"quantiles": [0.1, 0.9]}),
    "LSTMCell": (lz.LSTMCell, {"units": 3, "dropout": 0.1, "recurrent_dropout": 0.1}),
    "teacher_forcing": (lz.builders.teacher_forcing, {"target": [[1, 2, 0]], "start": 3}),
}
BUILDER = {"lstm_units": (2,), "dense_units": (2,), "cell": "lstm", "dropout": 0.0}
BUILDER |= {"bidirectional": False, "mask_value": None, "learning_rate": 1e-3}
DEAR = {
    "build_classifier": (
        lz.build_classifier,
        {"input_shape": (5, 2), "num_classes": 3} | BUILDER,
    ),
    "build_regressor": (lz.build_regressor, {"input_shape": (5, 2), "num_outputs": 1} | BUILDER),
    "build_forecaster": (
        lz.build_forecaster,
        {"input_shape": (5, 2), "horizon": 2, "quantiles": (0.1, 0.9)} | BUILDER,
    ),
    "build_tagger": (lz.build_tagger, {"input_shape": (5, 2), "num_classes": 3, "crf": False}),
    "build_language_model": (
        lz.build_language_model,
        {"vocabulary_size": 5, "timesteps": 4, "embedding_dim": 2, "lstm_units": (2,)},
    ),
    "plot_confusion": (lz.plots.plot_confusion, {"y_true": [0, 1], "y_pred": [0, 1]}),
    "plot_forecast": (
        lz.plots.plot_forecast,
        {"history": [1.0, 2], "truth": [1.0], "prediction": [1.0], "quantiles": None},
    ),
    "plot_history": (lz.plots.plot_history, {"history": {"loss": [1.0]}, "metric": "loss"}),
}
FIT = {"x": X, "y": Y, "epochs": 1, "batch_size": 6, "clipnorm": 1.0, "on_nan": "stop"}
FIT |= {"seed": 0, "callbacks": None, "validation_data": None, "validation_split": 0.0}
FIT |= {"sample_weight": None, "class_weight": None, "shuffle": True, "steps_per_epoch": None}
FIT |= {"validation_steps": None, "validation_freq": 1, "initial_epoch": 0, "jit_compile": False}
FIT |= {"checkpoint_every": None}


class Fuzz:
    """Runs cases, counts them, and keeps one of each kind of fault."""

    def __init__(self, folder, seed):
        self.folder, self.seed = folder, seed
        self.cases, self.outcomes = 0, collections.Counter()
        self.faults, self.written = {}, set()

    def listen(self, event, arguments):
        """An audit hook: what is opened to be written, outside the folder."""
        if event != "open" or not isinstance(arguments[0], (str, bytes)):
            return
        path, flags = os.fsdecode(arguments[0]), arguments[2] or 0
        if flags & (os.O_WRONLY | os.O_RDWR) and path != os.devnull:
            path = os.path.realpath(path)
            if not path.startswith(str(self.folder)):
                self.written.add(path)

    def run(self, label, cases, strategy, function, allowed=(ValueError,)):
        """Call a function with what a strategy gives."""

        @hypothesis.seed(self.seed)
        @hypothesis.settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(strategy)
        def each(value):
            self.cases += 1
            try:
                function(value)
                self.outcomes["result"] += 1
            except allowed:
                self.outcomes["refused"] += 1
            except (Exception, SystemExit) as fault:
                where = traceback.extract_tb(fault.__traceback__)[-1]
                key = (label, type(fault).__name__, f"{where.filename}:{where.lineno}")
                if key not in self.faults:
                    self.faults[key] = f"{str(fault)[:200]!r} of {value!r:.300}"
                    print("FAULT", *key, self.faults[key], flush=True)

        start, before = time.process_time(), self.cases
        each()
        print(f"{label}: {self.cases - before}, {time.process_time() - start:.1f} s", flush=True)


def replaced(right):
    """Right arguments of which one to three are anything."""
    some = st.lists(st.sampled_from(sorted(right)), min_size=1, max_size=3, unique=True)
    return some.flatmap(lambda names: st.fixed_dictionaries(dict.fromkeys(names, ANYTHING))).map(
        lambda wrong: right | wrong
    )


def damaged(content):
    """Bytes of which some are changed, or that end too early."""
    changes = st.lists(
        st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=8
    )

    def damage(what):
        changes, end = what
        new = bytearray(content)
        for place, byte in changes:
            new[place] = byte
        return bytes(new[: end or None])

    ends = st.one_of(st.just(0), st.integers(1, len(content) - 1))
    return st.tuples(changes, ends).map(damage)


def loaders(folder):
    """By name: a strategy and a function of what it gives."""
    model = lz.build_regressor((5, 2), lstm_units=(2,), dense_units=())
    layer = lz.LSTM(2)
    layer.build((None, None, 2))
    saved = lz.save(model, folder / "good.keras").read_bytes()
    lz.weights.to_torch(layer, folder / "good.safetensors")
    stored = (folder / "good.safetensors").read_bytes()
    lz.fit(model, X, Y, epochs=1, checkpoint_dir=folder / "good", seed=0, verbose=0)
    [data] = (folder / "good").glob("*/data.data*")
    [index] = (folder / "good").glob("*/data.index")
    whole = {data: data.read_bytes(), index: index.read_bytes()}

    def written(name, content):
        (folder / name).write_bytes(content)
        return folder / name

    def resume(content, file):
        file.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checkpoint.read_newest(folder / "good", {})
        for path, good in whole.items():
            path.write_bytes(good)

    kind = lz.presets.kind_of(lz.presets.read_recipe("fat"))
    features = kind.data.x_train.shape[1:]
    answer = keras.Sequential([keras.Input((None, features[-1])), keras.layers.Flatten()])
    answer.predict = lambda x, verbose: np.zeros((len(x), 1))  # not to wait for TensorFlow
    header = ",".join(kind.data.feature_names)
    cells = st.one_of(st.floats().map(str), INTS.map(str), st.text(max_size=4))
    lines = st.lists(st.lists(cells, min_size=1, max_size=3).map(",".join), max_size=5)
    csv = st.tuples(st.sampled_from(["", header, "sample," + header]), lines).map(
        lambda parts: "\n".join([parts[0], *parts[1]]).encode("utf-8", "surrogatepass")
    )
    yield "load", damaged(saved), lambda b: lz.load(written("bad.keras", b)), 20
    torch = lambda b: lz.weights.from_torch(layer, written("bad.safetensors", b))  # noqa: E731
    yield "from_torch", damaged(stored), torch, 2
    yield "checkpoint data", damaged(whole[data]), lambda b: resume(b, data), 4
    yield "checkpoint index", damaged(whole[index]), lambda b: resume(b, index), 4
    read = lambda b: list(predict_file(kind, answer, written("bad.csv", b)))  # noqa: E731
    yield "predict_file", st.one_of(csv, st.binary(max_size=200)), read, 1


def main(cases, seed=0, only=""):
    """Run so many cases in all; True if there was no fault."""
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(os.path.realpath(folder), seed)
        here = pathlib.Path(folder)
        hypothesis.configuration.set_hypothesis_home_dir(here / "hypothesis")
        found = list(loaders(here))
        sys.addaudithook(fuzz.listen)
        share = cases / (len(CHEAP) + 5)
        for label, (function, right) in CHEAP.items():
            extra = [["a", "b"]] if label == "checks.one_of" else []
            call = lambda o, f=function, e=extra: _used(f(*o.values(), *e) if e else f(**o))  # noqa: E731
            if only in label:
                fuzz.run(label, max(1, int(share)), replaced(right), call)
        for label, (function, right) in DEAR.items():
            if only in label:
                call = lambda options, f=function: _shut(f(**options))  # noqa: E731
                fuzz.run(label, max(1, int(share / 20)), replaced(right), call)
        for label, strategy, function, cost in found:
            if only in label:
                allowed = (ValueError, FileNotFoundError)
                fuzz.run(label, max(1, int(share / cost)), strategy, function, allowed)
        if only in "fit":
            model = lz.build_regressor((5, 2), lstm_units=(2,), dense_units=())
            call = lambda options: lz.fit(model, verbose=0, **options)  # noqa: E731
            fuzz.run("fit", max(1, int(share / 40)), replaced(FIT), call)
        print(
            f"{fuzz.cases} cases: {dict(fuzz.outcomes)}, {len(fuzz.faults)} kinds of fault; "
            f"written outside: {sorted(fuzz.written)}"
        )
        return not fuzz.faults and not fuzz.written


def _used(result):
    """Go through what is lazy."""
    if isinstance(result, keras.utils.PyDataset) and len(result):
        result[0]


def _shut(result):
    import matplotlib.pyplot as plt

    plt.close("all")
    keras.backend.clear_session()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="what the names of the functions have in them")
    options = parser.parse_args()
    sys.exit(0 if main(options.cases, options.seed, options.only) else 1)
