"""Public functions with arguments that hypothesis makes up, and loaders with damaged files.

python tests/fuzz_public.py [--cases 100000] [--seed 0] [--only TEXT]

A call may give a result or end in a `ValueError` (of a loader also in a `FileNotFoundError`); all
else is a fault, and so is a file that is opened to be written outside the folder of the run.
"""

import argparse
import collections
import contextlib
import inspect
import io
import operator
import os
import pathlib
import sys
import tempfile
import time
import traceback
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis.configuration
import keras
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lstm_zoo as lz
from lstm_zoo import checks
from lstm_zoo.training import checkpoint, distribute

matplotlib.use("Agg")  # not by MPLBACKEND: a test imports this beside the notebooks

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
    st.sampled_from([dict, print, np, range(3), {1, 2}, float("nan"), -0.0, pathlib.Path("a")]),
    st.sampled_from([keras.layers.Dense(2), keras.Sequential(), lz.LSTMCell(2)]),
)
RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(30, 2)).astype("float32")
X, Y = RNG.normal(size=(6, 5, 2)).astype("float32"), RNG.normal(size=(6, 1)).astype("float32")
PANEL = {"unique_id": list("aabb"), "ds": [0, 1, 0, 1], "y": [1.0, 2, 3, 4], "p": [0, 1, 2, 3]}

# What is not called here, and why. A test holds that every other public name is.
RECORD = "a record of numbers that a function returns"
TRAINS = "trains; the recipe that it reads and `fit`, which checks all it is given, are called here"
LEFT_OUT = {
    "forecasting.Backtest": RECORD,
    "forecasting.Forecast": RECORD,
    "presets.Recipe": RECORD,
    "inspection.BidirectionalTrace": RECORD,
    "inspection.Checkup": RECORD,
    "inspection.Finding": RECORD,
    "inspection.GateSummary": RECORD,
    "inspection.GradientFlow": RECORD,
    "inspection.JacobianNorms": RECORD,
    "inspection.Trace": RECORD,
    "datasets.Dataset": RECORD,
    "sequences.Panel": RECORD,
    "sequences.Windows": "what `windows` returns, which is called here",
    "labels.Labels": RECORD,
    "texts.Texts": RECORD,
    "presets.train_preset": TRAINS,
    "tuning.tune": TRAINS,
    "tuning.Tuning": RECORD,
    "widgets.Explorer": "what the functions of the widgets return",
    "widgets.explore_gradients": "has no arguments",
    "cells.Cell": "what cells are made from; it has no equations of its own",
    "cells.keras2_hard_sigmoid": "an activation: takes the tensors that cells give it",
    "serving.Predictor": "what `predictor` returns, whose calls tests/serving makes",
    "recurrence.run": "takes the tensors that layers give it, which tests/native/fuzz.py makes up",
}
# Arguments that other packages look at, and have their own ways to refuse.
PASSED_ON = {"ax", "name", "trainable", "implementation", "use_cudnn", "strategy"}


def calls():
    """By the path of its name, a function, arguments that are right, and what a call costs.

    Given are those without a default, and those that want to be another.
    """
    numbers = {"samples": 3, "timesteps": 9, "seed": 0}
    shape = {"input_shape": (5, 2), "lstm_units": (2,), "dense_units": (2,)}
    regressor = lz.build_regressor((5, 2), lstm_units=(2,), dense_units=())
    coder = lz.build_autoencoder((5, 2), lstm_units=(2,))
    speller = lz.build_language_model(5, lstm_units=(2,), embedding_dim=2)
    translator = lz.build_seq2seq(5, 5, lstm_units=2, embedding_dim=2)
    reader = lz.build_classifier((None,), ["c", "d"], vocabulary=["a b"], lstm_units=2)
    layer = lz.LSTM(2)
    layer.build((None, None, 2))
    traced = lz.trace(regressor, X)
    flow = lz.gradient_flow(regressor, X, Y)
    tested = lz.backtest(SERIES[:, 0], 2, start=20)
    found = lz.panel(PANEL)
    weights = {"kernel": np.ones((4, 8)), "bias": np.zeros(8), "forget_bias": 1.0}
    source = "equinox.nn.LSTMCell"
    cell = lz.weights.to_arrays(layer, source)
    units = {"units": 2}
    with_x = {"model": regressor, "x": X}
    known = {
        # tasks, sequences, labels, datasets
        "tasks.adding": (1, numbers),
        "tasks.adding_1997": (1, numbers | {"timesteps": 22}),
        "tasks.copying": (1, {"samples": 3, "timesteps": 30, "symbols": 4, "length": 3, "seed": 0}),
        "tasks.temporal_order": (1, numbers | {"timesteps": 20}),
        "tasks.delayed_echo": (1, numbers | {"delay": 2}),
        "tasks.parity": (1, numbers),
        "sequences.windows": (1, {"series": SERIES, "input_steps": 5, "horizon": 2}),
        "sequences.panel": (1, {"table": PANEL, "ds": "ds", "past": ["p"], "static": ()}),
        "sequences.pad": (1, {"sequences": [SERIES[:3], SERIES[:5]]}),
        "sequences.batches_by_length": (1, {"sequences": [SERIES[:3], SERIES[:5]], "y": [0, 1]}),
        "labels.encode_labels": (1, {"labels": ["a", "b", "a"]}),
        "labels.encode_tags": (1, {"tags": [["a", "b"], ["a"]]}),
        "texts.Vocabulary": (1, {"texts": ["a b", "a"]}),
        "texts.encode_texts": (1, {"texts": ["a b", "a"]}),
        "naming.class_names": (1, {"model": reader}),
        "naming.vocabulary": (1, {"model": reader}),
        "naming.predict": (3, {"model": reader, "data": ["a b", "a"]}),
        "datasets.windows": (1, {"series": SERIES, "input_steps": 5, "horizon": 2}),
        "datasets.load": (1, {"name": "italy_power_demand"}),
        "datasets.names": (1, {}),
        # cells and layers
        **{f"cells.{name}": (1, units) for name in CELLS},
        "cells.ZoneoutCell": (1, {"cell": lz.LSTMCell(2)}),
        "cells.Chrono": (1, {"max_lag": 9}),
        "cells.EachGate": (1, {}),
        "cells.derivatives": (1, {"cell": lz.LSTMCell(2)}),
        "cells.get": (1, {"name": "lstm"}),
        "cells.list": (1, {}),
        "cells.names": (1, {}),
        "cells.lstm_in_numpy": (
            1,
            {"x": X, "kernel": np.ones((2, 8)), "recurrent_kernel": np.ones((2, 8))}
            | {"bias": np.zeros(8), "h": np.zeros((6, 2)), "c": np.zeros((6, 2))},
        ),
        "cells.observations": (1, {"x": X}),
        "cells.register": (1, {"name": "new"}),
        "cells.register_cell": (1, {"name": "new"}),
        "layers.GRU": (1, units),
        "layers.SimpleRNN": (1, units),
        "layers.LSTM": (1, units),
        "layers.PeepholeLSTM": (1, units),
        "layers.CoupledLSTM": (1, units),
        "layers.RNN": (1, {"cell": lz.LSTMCell(2)}),
        "layers.layer_for": (1, {"cell": "lstm", "units": 2, "return_sequences": True}),
        "layers.CRF": (1, {"num_tags": 3}),
        "layers.AttentionOverTime": (1, {}),
        "layers.BatchNormalization": (1, {"dtype": "float32"}),
        "layers.MLSTMBlock": (1, {}),
        "layers.SLSTMBlock": (1, {}),
        "layers.MaxOverTime": (1, {"dtype": "float32"}),
        "layers.MeanOverTime": (1, {"dtype": "float32"}),
        "layers.NamedDense": (1, {"units": 2, "class_names": ["a", "b"]}),
        "layers.WordEmbedding": (1, {"vocabulary": lz.texts.Vocabulary(["a"]), "output_dim": 2}),
        "layers.RunningNormalization": (1, {"dtype": "float32"}),
        "layers.ScaledBack": (1, {"num_targets": 1, "quantiles": (0.1, 0.9)}),
        "layers.SeasonalLinear": (1, {"horizon": 3, "season": 2}),
        "layers.TargetScale": (1, {"dtype": "float32"}),
        "layers.WindowScale": (1, {"dtype": "float32"}),
        "recurrence.explain": (1, {"layer": layer}),
        "recurrence.why_not_fast": (1, {"layer": layer}),
        # builders, and what is done with their models
        "builders.build_autoencoder": (5, {"input_shape": (5, 2), "lstm_units": (2,)}),
        "builders.build_classifier": (5, shape | {"num_classes": 3}),
        "builders.build_regressor": (5, shape),
        "builders.build_forecaster": (5, shape | {"horizon": 2, "quantiles": (0.1, 0.9)}),
        "builders.build_tagger": (5, shape | {"num_classes": 3}),
        "builders.build_language_model": (5, {"vocabulary_size": 5, "lstm_units": (2,)}),
        "builders.build_lstm_fcn": (
            5,
            {"input_shape": (5, 2), "num_classes": 3, "lstm_units": 2}
            | {"filters": (2, 2), "kernel_sizes": (3, 2)},
        ),
        "builders.build_seq2seq": (
            5,
            {"source_vocabulary": 5, "target_vocabulary": 5, "lstm_units": 2},
        ),
        "builders.ObservedLoss": (1, {"loss": "huber"}),
        "builders.ObservedMean": (1, {"of": "huber"}),
        "builders.QuantileLoss": (1, {"quantiles": [0.1, 0.9]}),
        "builders.teacher_forcing": (1, {"target": [[1, 2, 0]], "start": 3}),
        "builders.anomaly_scores": (2, {"model": coder, "x": X}),
        "builders.sample": (2, {"model": speller, "prompt": [1, 2], "length": 2}),
        "builders.translate": (
            2,
            {"model": translator, "source": [[1, 2]], "start": 1, "end": 2, "max_length": 3},
        ),
        "builders.stream": (3, {"model": regressor}),
        "builders.Stream": (3, {"model": regressor}),
        "forecasting.forecasting_with": (2, {"model": regressor, "input_steps": 5}),
        "forecasting.backtest": (1, {"data": SERIES[:, 0], "horizon": 2, "start": 20}),
        "forecasting.forecast": (
            20,
            {
                "data": SERIES[:, 0],
                "horizon": 2,
                "season": 1,
                "steps": 1,
                "members": 1,
                "verbose": 0,
            },
        ),
        "Backtest.intervals": (1, {"name": "naive", "coverage": 0.5}, tested.intervals),
        "Panel.windows": (1, {"input_steps": 1, "horizon": 1}, found.windows),
        # training, presets, course
        "training.check_data": (1, with_x | {"y": Y}),
        "training.fit": (15, with_x | {"y": Y, "epochs": 1, "batch_size": 6, "verbose": 0}),
        "training.replacing": (1, {"path": "new"}),
        "training.save": (3, {"model": regressor, "path": "new.keras"}),
        "presets.list_presets": (1, {}),
        "presets.read_recipe": (1, {"name": "fat"}),
        "presets.preset_card": (1, {"name": "fat"}),
        "presets.load_preset": (8, {"name": "fat"}),
        "presets.evaluate_preset": (100, {"name": "fat"}),
        "presets.task_of": (1, {"recipe": lz.presets.read_recipe("fat")}),
        "course.results": (1, {"name": "02_learning"}),
        "course.check": (1, {"exercise": "00-1", "answer": 1}),
        # inspection, plots, widgets
        "inspection.trace": (2, with_x),
        "inspection.checkup": (3, with_x | {"y": Y}),
        "inspection.gate_summary": (1, {"trace": traced}),
        "inspection.gradient_flow": (3, with_x | {"y": Y}),
        "inspection.jacobian_norms": (2, {"layer": layer, "x": X[:1]}),
        "inspection.saliency": (3, with_x | {"steps": 2}),
        "inspection.GradientMonitor": (1, {"x": X, "y": Y}),
        "GradientFlow.mean": (1, {}, flow.mean),
        "GradientFlow.horizon": (1, {}, flow.horizon),
        "Trace.order": (1, {"sample": 0}, traced.order),
        "Trace.last": (1, {"name": "hidden_state"}, traced.last),
        "Trace.before": (1, {"name": "hidden_state", "sample": 0}, traced.before),
        "plots.animate_trace": (40, {"trace": traced}),
        "plots.plot_backtest": (3, {"backtest": tested}),
        "plots.plot_cell_diagram": (8, {"values": traced, "step": 1}),
        "plots.plot_confusion": (3, {"y_true": [0, 1], "y_pred": [0, 1]}),
        "plots.plot_embedding": (3, {"states": X[:, 0], "labels": [0, 0, 0, 1, 1, 1]}),
        "plots.plot_forecast": (3, {"history": [1.0], "truth": [1.0], "prediction": [1.0]}),
        "plots.plot_gate_saturation": (3, {"trace": traced}),
        "plots.plot_gradient_flow": (3, {"flow": flow}),
        "plots.plot_history": (3, {"history": {"loss": [1.0]}}),
        "plots.plot_saliency": (3, {"saliency": X, "x": X}),
        "plots.plot_trace": (3, {"trace": traced}),
        "plots.plot_weights": (3, {"layer": layer}),
        "widgets.explore_cell": (8, {}),
        "widgets.explore_trace": (8, with_x),
        # files and formats
        "serving.predictor": (3, {"model": regressor}),
        "serving.stream": (3, {"model": regressor}),
        "serving.Stream": (3, {"model": regressor}),
        "exporting.export": (8, {"model": regressor, "path": "new.h"}),
        "exporting.fold_scaling": (3, {"model": regressor}),
        "exporting.step_model": (3, {"model": regressor}),
        "weights.from_arrays": (2, {"layers": layer, "arrays": cell, "source": source}),
        "weights.from_tensorflow1": (1, {"layer": layer} | weights),
        "weights.to_arrays": (2, {"layers": layer, "source": source}),
        "weights.to_torch": (2, {"layers": layer, "path": "new.safetensors"}),
        # what the functions check with
        "cluster": (1, {"addresses": "a:1,b:2", "index": 0}, distribute.cluster),
        "checks.count": (1, {"value": 3}, lambda value: checks.count("n", value)),
        "checks.fraction": (1, {"value": 0.5}, lambda value: checks.fraction("n", value)),
        "checks.number": (1, {"value": 0.5}, lambda value: checks.number("n", value)),
        "checks.finite": (1, {"value": SERIES}, lambda value: checks.finite("n", value)),
        "checks.rising_fractions": (
            1,
            {"values": [0.5]},
            lambda values: checks.rising_fractions("n", values),
        ),
        "checks.one_of": (1, {"value": "a"}, lambda value: checks.one_of("n", value, ["a", "b"])),
    }
    calls = {}
    for path, (cost, given, *of_object) in known.items():
        function = of_object[0] if of_object else operator.attrgetter(path)(lz)
        arguments = inspect.signature(function).parameters.values()
        right = {a.name: a.default for a in arguments if a.default is not a.empty}
        right = {name: value for name, value in right.items() if name not in PASSED_ON}
        calls[path] = function, right | given, cost
    return calls


CELLS = [
    name
    for name, kind in vars(lz.cells).items()
    if inspect.isclass(kind) and issubclass(kind, lz.cells.Cell) and kind is not lz.cells.Cell
]


class Fuzz:
    """Runs cases, counts them, and keeps one of each kind of fault."""

    def __init__(self, folder, seed):
        self.folder, self.seed = folder, seed
        self.cases, self.outcomes = 0, collections.Counter()
        self.faults, self.written = {}, set()

    def listen(self, event, arguments):
        """An audit hook: what is written, made, moved or removed outside the folder."""
        if event == "open":
            path, _, flags = arguments
            paths = [path] if (flags or 0) & (os.O_WRONLY | os.O_RDWR) else []
        elif event in ("os.mkdir", "os.remove", "os.rmdir"):
            paths = arguments[:1]
        elif event in ("os.rename", "os.link", "os.symlink"):
            paths = arguments[:2]
        else:
            return
        for path in paths:
            if isinstance(path, (str, bytes)) and path != os.devnull:
                path = os.path.realpath(os.fsdecode(path))
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
                with contextlib.redirect_stdout(io.StringIO()):
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

        start = time.process_time()
        before, refused = self.cases, self.outcomes["refused"]
        each()
        print(
            f"{label}: {self.cases - before}, {self.outcomes['refused'] - refused} refused, "
            f"{time.process_time() - start:.1f} s",
            flush=True,
        )


def replaced(right):
    """Right arguments of which one to three are anything, or others of their kind."""
    some = st.lists(st.sampled_from(sorted(right)), min_size=1, max_size=3, unique=True)
    each = {name: _anything_or(_like(value)) for name, value in right.items()}
    return some.flatmap(lambda names: st.fixed_dictionaries({n: each[n] for n in names})).map(
        lambda wrong: right | wrong
    )


def _anything_or(others):
    """One half of each; `one_of` would give each of its parts' parts the same share."""
    return st.booleans().flatmap(lambda anything: ANYTHING if anything else others)


def _like(value):
    """What a right value could be instead, and be right too."""
    if value is None:
        return st.one_of(INTS, st.floats(0, 2), TEXTS)
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return INTS
    if isinstance(value, float):
        return st.floats(0, 2)
    if isinstance(value, (tuple, list)):
        return st.lists(st.sampled_from(value), max_size=4) if value else st.lists(INTS, max_size=2)
    if isinstance(value, np.ndarray):
        others = [value[:1], value[:0], value[None], value[..., 0], -value, value * 1e30]
        others += [value * np.nan, value.astype("float64") * 1e39, value.astype("int8")]
        return st.sampled_from([*others, value.astype("float16"), value.T, value.tolist()])
    return ANYTHING


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
    """A dict from a name to a strategy and a function of its values."""
    model = lz.build_regressor((5, 2), lstm_units=(2,), dense_units=())
    layer = lz.LSTM(2)
    layer.build((None, None, 2))
    saved = lz.save(model, folder / "good.keras").read_bytes()
    lz.weights.to_torch(layer, folder / "good.safetensors")
    lz.predictor(model).save(folder / "good.npz")
    served = (folder / "good.npz").read_bytes()
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

    task = lz.presets.task_of(lz.presets.read_recipe("fat"))
    features = task.data.x_train.shape[1:]
    answer = keras.Sequential([keras.Input((None, features[-1])), keras.layers.Flatten()])
    answer.predict = lambda x, verbose: np.zeros((len(x), 1))  # not to wait for TensorFlow
    header = ",".join(task.data.feature_names)
    cells = st.one_of(st.floats().map(str), INTS.map(str), st.text(max_size=4))
    lines = st.lists(st.lists(cells, min_size=1, max_size=3).map(",".join), max_size=5)
    csv = st.tuples(st.sampled_from(["", header, "sample," + header]), lines).map(
        lambda parts: "\n".join([parts[0], *parts[1]]).encode("utf-8", "surrogatepass")
    )
    yield "training.load", damaged(saved), lambda b: lz.load(written("bad.keras", b)), 20
    open_it = lambda b: lz.load_predictor(written("bad.npz", b))  # noqa: E731
    yield "serving.load_predictor", damaged(served), open_it, 2
    torch = lambda b: lz.weights.from_torch(layer, written("bad.safetensors", b))  # noqa: E731
    yield "weights.from_torch", damaged(stored), torch, 2
    keras2 = (pathlib.Path(__file__).parent / "data/weights/keras2_weights.h5").read_bytes()
    both = keras.layers.Bidirectional(lz.LSTM(4, return_sequences=True))
    like_keras2 = keras.Sequential(
        [keras.Input((None, 3)), both, lz.LSTM(3), keras.layers.Dense(2)]
    )
    read = lambda b: lz.weights.from_keras2(like_keras2, written("bad.h5", b))  # noqa: E731
    yield "weights.from_keras2", damaged(keras2), read, 4
    node = lz.export(keras.Sequential([keras.Input((None, 2)), layer]), folder / "good.onnx")
    read = lambda b: lz.weights.onnx_summary(written("bad.onnx", b))  # noqa: E731
    yield "weights.onnx_summary", damaged(node.read_bytes()), read, 1
    read = lambda b: lz.weights.from_onnx(layer, written("bad.onnx", b))  # noqa: E731
    yield "weights.from_onnx", damaged(node.read_bytes()), read, 1
    read = lambda b: lz.open_onnx(written("bad.onnx", b))  # noqa: E731
    yield "opening.open_onnx", damaged(node.read_bytes()), read, 20
    yield "checkpoint data", damaged(whole[data]), lambda b: resume(b, data), 4
    yield "checkpoint index", damaged(whole[index]), lambda b: resume(b, index), 4
    read = lambda b: list(task.answer(answer, written("bad.csv", b)))  # noqa: E731
    yield "a task's answer", st.one_of(csv, st.binary(max_size=200)), read, 1


def main(cases, seed=0, only=""):
    """Run so many cases in all; True if there was no fault."""
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(os.path.realpath(folder), seed)
        here = pathlib.Path(folder)
        hypothesis.configuration.set_hypothesis_home_dir(here / "hypothesis")
        known, files = calls(), list(loaders(here))
        os.chdir(here)  # where a name that is made up for a file is written
        tempfile.tempdir = folder
        sys.dont_write_bytecode = True  # so that all that is written is written by a call
        sys.addaudithook(fuzz.listen)
        share = cases / (sum(cost == 1 for _, _, cost in known.values()) + len(files))
        for path, (function, right, cost) in known.items():
            if only in path:
                call = lambda options, f=function: _used(f(**options))  # noqa: E731
                call(right)
                fuzz.run(path, max(1, int(share / cost)), replaced(right), call)
        for path, strategy, function, cost in files:
            if only in path:
                allowed = (ValueError, FileNotFoundError)
                fuzz.run(path, max(1, int(share / cost)), strategy, function, allowed)
        print(
            f"{fuzz.cases} cases: {dict(fuzz.outcomes)}, {len(fuzz.faults)} kinds of fault; "
            f"written outside: {sorted(fuzz.written)}"
        )
        return not fuzz.faults and not fuzz.written


def _used(result):
    """Go through what is lazy, and let go of what would fill the memory."""
    if isinstance(result, keras.utils.PyDataset) and len(result):
        result[0]
    if isinstance(result, contextlib.ContextDecorator):  # of `replacing`
        with result as path:
            path.touch()
    if isinstance(result, keras.Model):
        keras.backend.clear_session()
    plt.close("all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="what the names of the functions have in them")
    options = parser.parse_args()
    sys.exit(0 if main(options.cases, options.seed, options.only) else 1)
