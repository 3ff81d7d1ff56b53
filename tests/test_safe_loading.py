"""No public path runs what it reads: no pickle, no eval, no Lambda, no unsafe loading."""

import ast
import io
import json
import os
import pathlib
import pickle
import re
import resource
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

import lstm_zoo as lz

MODULES = sorted(pathlib.Path(lz.__file__).parent.rglob("*.py"))
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
UNSAFE_NAMES = {"Lambda", "enable_unsafe_deserialization", "load_pickle"}


def unsafe(tree):
    """What in a module could run what it reads, as lines of text."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found = {name.split(".")[0] for name in names} & UNSAFE_MODULES
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found = {node.func.id} & UNSAFE_CALLS
        elif isinstance(node, ast.Attribute):
            found = {node.attr} & UNSAFE_NAMES
        elif isinstance(node, ast.keyword):
            value = getattr(node.value, "value", None)
            found = {(node.arg, value)} & {("allow_pickle", True), ("safe_mode", False)}
        else:
            found = set()
        yield from (f"{node.lineno if hasattr(node, 'lineno') else '?'}: {one}" for one in found)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.parts[-2:]))
def test_module_neither_unpickles_nor_evaluates(path):
    assert list(unsafe(ast.parse(path.read_text()))) == []


def test_the_search_finds_what_it_looks_for():
    for text in (
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "keras.layers.Lambda(f)",
        "np.load(p, allow_pickle=True)",
        "keras.models.load_model(p, safe_mode=False)",
    ):
        assert list(unsafe(ast.parse(text))), text


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The parts of a good file, by name."""
    path = tmp_path_factory.mktemp("good") / "model.keras"
    layers = [keras.Input((3, 2)), lz.LSTM(2), keras.layers.Dense(1, name="head")]
    model = keras.Sequential(layers)
    lz.save(model, path)
    assert lz.load(path).count_params() == model.count_params()
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_head(parts, **changes):
    """The same file, but that the configuration of the last layer is changed."""
    config = json.loads(parts["config.json"])
    config["config"]["layers"][-1].update(changes)
    return parts | {"config.json": json.dumps(config).encode()}


def with_arrays(parts, change):
    """The same file, but that its arrays are changed by a function of the HDF5 file."""
    content = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        group = file["layers/dense/vars"]
        change(group)
    return parts | {"model.weights.h5": content.getvalue()}


def oversized(group):
    del group["0"]
    group.create_dataset("0", (50_000, 50_000), "float32", chunks=(1000, 1000))


def linked(group):
    del group["0"]
    group["0"] = h5py.ExternalLink("/etc/hostname", "/")


def outside(group):
    del group["0"]
    group.create_dataset("0", (2, 1), "float32", external=[("/etc/hostname", 0, 8)])


FUNCTION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "f"}
LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None}
CODE = {"class_name": "__lambda__", "config": {"code": "4wAA", "defaults": None, "closure": None}}
HOSTILE = {
    "a class of another module": lambda p, _: with_head(
        p, module="evil_module", class_name="Evil", registered_name="Evil"
    ),
    "code in a Lambda": lambda p, _: with_head(p, **LAMBDA, config={"function": CODE}),
    "a function of the system": lambda p, _: with_head(
        p, config={"units": 1, "activation": FUNCTION}
    ),
    "a parent path": lambda p, marker: p | {"../" + marker.name: b"x"},
    "an absolute path": lambda p, marker: p | {str(marker): b"x"},
    "a path out of its assets": lambda p, marker: p | {"assets/../../" + marker.name: b"x"},
    "a pickle beside": lambda p, marker: p | {"model.pkl": pickled(marker)},
    "a pickle for arrays": lambda p, marker: p | {"model.weights.h5": pickled(marker)},
    "a pickle for the configuration": lambda p, marker: p | {"config.json": pickled(marker)},
    "an oversized array": lambda p, _: with_arrays(p, oversized),
    "arrays of another file": lambda p, _: with_arrays(p, linked),
    "bytes of another file": lambda p, _: with_arrays(p, outside),
    "a bomb": lambda p, _: p | {"assets/zeros": bytes(2**28 + 1)},
    "no configuration": lambda p, _: {"metadata.json": p["metadata.json"]},
    "deep nesting": lambda p, _: p | {"config.json": b"[" * 100_000},
}


def pickled(marker):
    class Evil:
        def __reduce__(self):
            return marker.touch, ()

    return pickle.dumps(Evil())


@pytest.mark.parametrize("what", HOSTILE)
def test_model_file_with_more_than_a_model_is_refused_and_runs_nothing(
    tmp_path, monkeypatch, parts, what
):
    marker, folder = tmp_path / "ran", tmp_path / "deep"
    folder.mkdir()
    (tmp_path / "evil_module.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: pass")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = folder / "evil.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in HOSTILE[what](parts, marker).items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="evil.keras can't be loaded: "):
        lz.load(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["deep", "evil_module.py"]
    assert list(folder.iterdir()) == [path]


def written(path, parts):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


HUGE = {
    "a cell": lambda units: [keras.Input((3, 2)), lz.LSTM(units)],
    "a cell of Keras": lambda units: [keras.Input((3, 2)), keras.layers.GRU(units)],
    "both directions": lambda units: [
        keras.Input((3, 2)),
        keras.layers.Bidirectional(lz.PeepholeLSTM(units)),
    ],
    "a dense layer": lambda units: [keras.Input((3,)), keras.layers.Dense(units)],
    "an embedding": lambda units: [keras.Input((3,)), keras.layers.Embedding(units, 2)],
    "a model in the model": lambda units: [
        keras.Input((3,)),
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)]),
    ],
    "kept states": lambda units: [
        keras.Input(batch_shape=(units, 3, 2)),
        lz.LSTM(7, stateful=True),
    ],
}
SMALL = 5  # the size that the file is written with


@pytest.mark.parametrize("size", [10**9, 10**8])
@pytest.mark.parametrize("what", HUGE)
def test_sizes_that_the_weights_do_not_have_are_refused_before_any_is_made(tmp_path, what, size):
    model = keras.Sequential(HUGE[what](SMALL))
    good = lz.save(model, tmp_path / "good.keras")
    assert lz.load(good).count_params() == model.count_params()
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = re.sub(rb"\b5\b", str(size).encode(), parts["config.json"])
    path, before = written(tmp_path / "huge.keras", parts), peak()
    with pytest.raises(ValueError, match="huge.keras can't be loaded: its configuration asks for"):
        lz.load(path)
    assert peak() - before < 300  # MB; the smallest of them would be 800


def peak():
    """Megabytes that this process has had in memory at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def test_a_metric_larger_than_the_stored_one_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[keras.metrics.MeanIoU(5)])
    good = lz.save(model, tmp_path / "good.keras")
    assert lz.load(good).compiled
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(
        b'"num_classes": 5', b'"num_classes": 50000'
    )
    with pytest.raises(ValueError, match="asks for 2.5e[+]09 numbers"):
        lz.load(written(tmp_path / "huge.keras", parts))


@pytest.mark.parametrize(
    ("old", "new", "asked"),
    [
        (b'"num_thresholds": 7', b'"num_thresholds": 1000000000', "1e[+]09 thresholds"),
        (b"[null, 6, 3]", b"[null, 1000000000, 3]", "an unrolled loop of 1e[+]09 steps"),
    ],
)
def test_configurations_that_need_much_memory_are_refused(tmp_path, old, new, asked):
    model = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(2, unroll=True)])
    model.compile("sgd", "mse", metrics=[keras.metrics.AUC(num_thresholds=7)])
    good = lz.save(model, tmp_path / "good.keras")
    assert lz.load(good).compiled
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old in parts["config.json"]
    parts["config.json"] = parts["config.json"].replace(old, new)
    path, before = written(tmp_path / "huge.keras", parts), peak()
    with pytest.raises(ValueError, match=f"huge.keras can't be loaded: .* asks for {asked}"):
        lz.load(path)
    assert peak() - before < 300  # MB


def test_models_with_classes_of_a_scope_and_variables_from_arrays_load(tmp_path):
    class Counting(keras.layers.Layer):
        def build(self, shape):
            self.scale = keras.Variable(np.ones(2, "float32"))

        def call(self, x):
            return x * self.scale

    class Twice(keras.layers.Dense):
        pass

    for layer in (Counting(), Twice(2)):
        model = keras.Sequential([keras.Input((2,)), layer])
        path = lz.save(model, tmp_path / "model.keras")
        with keras.saving.CustomObjectScope({type(layer).__name__: type(layer)}):
            assert lz.load(path).count_params() == model.count_params()


def test_other_files_than_models_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="path must be an existing file, got .*model.keras"):
        lz.load(tmp_path / "model.keras")
    (tmp_path / "model.keras").write_text("no archive")
    with pytest.raises(ValueError, match="model.keras is not a .keras file"):
        lz.load(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("model.h5", r"lz.weights.from_keras2\(model, path\)"),
        ("model.weights.h5", r"lz.weights.from_keras2\(model, path\)"),
        ("model.onnx", r"lz.open_onnx\(path\)"),
        ("model.pt", r"lz.weights.from_torch\(layers, path\)"),
        ("model.safetensors", r"lz.weights.from_torch\(layers, path\)"),
        ("cell.npz", r"lz.weights.from_arrays\(layers, np.load\(path\), source\)"),
        ("model.txt", "lz.save writes such files"),
        ("folder/", "it is a folder"),
        ("saved/saved_model.pb", "it is a SavedModel; keras.layers.TFSMLayer"),
    ],
)
def test_load_names_the_call_for_a_file_of_another_kind(name, call, tmp_path):
    path = tmp_path / name
    (path if name.endswith("/") else path.parent).mkdir(exist_ok=True)
    if not name.endswith("/"):
        path.write_bytes(b"some bytes")
    path = path.parent if path.name == "saved_model.pb" else path
    with pytest.raises(ValueError, match=f"is not a .keras file; .*{call}"):
        lz.load(path)


def test_load_knows_an_hdf5_file_under_another_name(tmp_path):
    import h5py

    h5py.File(tmp_path / "model.keras", "w").close()
    with pytest.raises(ValueError, match="it is an HDF5 file; .*from_keras2"):
        lz.load(tmp_path / "model.keras")


def test_arrays_of_objects_are_refused_and_run_nothing(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return marker.touch, ()

    np.save(tmp_path / "evil.npy", np.array([Evil()], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        np.load(tmp_path / "evil.npy")
    assert not marker.exists()


LOADING = """
import pathlib, sys
import safetensors.numpy
import lstm_zoo as lz

folder, found = pathlib.Path(sys.argv[1]), set()
x, y = lz.tasks.adding(8, timesteps=5, seed=0)
model = lz.build_regressor((5, 2), lstm_units=(4,), dense_units=())
lz.fit(model, x, y, epochs=1, checkpoint_dir=folder / "checkpoints", seed=0, verbose=0)
lz.save(model, folder / "model.keras")
model.save_weights(folder / "a.weights.h5")
layer = lz.LSTM(4)
layer.build((None, None, 2))
lz.weights.to_torch(layer, folder / "torch.safetensors")
(folder / "day.csv").write_text("demand\\n" + "1.0\\n" * 24)

OF_NO_FILE = ("importlib._bootstrap", "autograph", "dataclasses", "collections/__init__", "inspect")

def listen(event, arguments):
    if event in ("pickle.find_class", "exec", "marshal.loads", "os.system"):
        frame, stack = sys._getframe(1), []
        while frame:
            stack.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
            frame = frame.f_back
        if event.startswith("pickle") or not any(n in line for n in OF_NO_FILE for line in stack):
            found.add((event, *stack[:3]))

sys.addaudithook(listen)
lz.load(folder / "model.keras")
model.load_weights(folder / "a.weights.h5")
lz.fit(model, x, y, epochs=2, checkpoint_dir=folder / "checkpoints", seed=0, verbose=0)
preset = lz.load_preset("italy_power")
task = lz.presets.task_of(lz.presets.read_recipe("italy_power"))
list(task.answer(preset, folder / "day.csv"))
for name in lz.datasets.names():
    lz.datasets.load(name)
lz.weights.from_torch(layer, folder / "torch.safetensors")
print("found:", sorted(found))
"""


@pytest.mark.long
def test_loading_models_checkpoints_weights_data_and_files_evaluates_nothing(tmp_path):
    """Python itself tells of every unpickled class and every text or code that is executed."""
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(lz.__file__).parents[1])}
    command = [sys.executable, "-c", LOADING, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "found: []"
