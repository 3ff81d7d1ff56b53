"""Imports run one way: from the rooms below to those above, and nothing heavy at the door."""

import ast
import inspect
import os
import pathlib
import re
import subprocess
import sys
from types import ModuleType

import pytest

import lstm_zoo

PACKAGE = pathlib.Path(lstm_zoo.__file__).parent


def rooms_and_imports():
    """Which folders and modules each may import, as CONTRIBUTING.md lists them."""
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"^```\n(ground .*?)```", text, re.DOTALL | re.MULTILINE)[1]
    first, *lines = block.splitlines()
    ground = re.fullmatch(r"ground \((.*)\): checks", first)[1].split()
    rooms = {name: {"checks"} for name in ground}
    for line in lines:
        name, others = line.split(": ")
        expanded = others.replace("ground", " ".join(ground)).split()
        assert set(expanded) <= set(rooms), f"{name} may import only what stands above it"
        rooms[name] = set(expanded)
    return rooms


MAY_IMPORT = rooms_and_imports()


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def imported(path):
    """The dotted names that a module imports, anywhere in its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_room_imports_one_above_it(path):
    if room(path) in ("__init__", "__main__"):
        return
    for name in imported(path):
        first, *rest = name.split(".")
        if first == "lstm_zoo" and rest and rest[0] != room(path):
            assert rest[0] in MAY_IMPORT[room(path)], name


def test_every_room_has_its_place_here():
    rooms = {room(path) for path in modules()} - {"__init__", "__main__"}
    assert rooms == set(MAY_IMPORT)


def printed(script, **environment):
    """What a fresh process prints that runs a script."""
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_alone_loads_no_keras_and_no_backend():
    script = """
import sys
import lstm_zoo as lz
lz.load_predictor, lz.predictor, lz.stream
print([name for name in ("keras", "tensorflow", "jax", "torch", "h5py") if name in sys.modules])
"""
    assert printed(script) == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import lstm_zoo, keras",
        "import keras, lstm_zoo",
        "import lstm_zoo, tensorflow as tf; keras = tf.keras",
        "from lstm_zoo.cells import LSTMCell; import keras",
        "from lstm_zoo.layers import LSTM; import keras",
        "import lstm_zoo as lz; lz.LSTM; import keras",
    ],
)
def test_keras_knows_the_classes_of_saved_files_whichever_is_imported_first(imports):
    script = f"""
{imports}
names = ("LSTM", "TargetScaling", "RunningNormalization", "LSTMCell", "QuantileLoss")
print([name for name in names if keras.utils.get_registered_object("lstm_zoo>" + name) is None])
"""
    assert printed(script) == "[]"


@pytest.mark.slow
def test_import_loads_neither_pictures_nor_widgets_nor_data():
    script = """
import sys, keras
before = set(sys.modules)
import lstm_zoo
late = ("matplotlib", "ipywidgets", "sklearn", "typer", "lstm_zoo.datasets", "lstm_zoo.plots")
print([name for name in late if name in set(sys.modules) - before])
"""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert result.stdout.strip() == "[]"


def written_on_import(level, path=""):
    """What a fresh process writes to standard error before and after it imports the package."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": level or "", "PYTHONPATH": str(path)}
    if level is None:
        del environment["TF_CPP_MIN_LOG_LEVEL"]
    script = f"""
import sys
sys.path.append({str(PACKAGE.parent)!r})
import lstm_zoo.layers
print("after", file=sys.stderr)
"""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, env=environment).stderr


@pytest.mark.long
def test_tensorflow_loads_without_a_word_unless_the_user_asks_for_some():
    assert written_on_import(None) == "after\n"
    assert written_on_import("3") == "after\n"
    assert len(written_on_import("0").splitlines()) > 1


def test_what_was_kept_back_is_shown_if_tensorflow_fails_to_load(tmp_path):
    broken = """
import os
os.write(2, b"from C\\n")
raise ImportError("no such library")
"""
    (tmp_path / "tensorflow.py").write_text(broken)
    written = written_on_import("3", tmp_path).splitlines()
    assert written[0] == "from C"
    assert written[-1] == "ImportError: no such library"


PUBLIC = [lstm_zoo, *(getattr(lstm_zoo, name) for name in lstm_zoo.__all__)]
PATHS = [
    (module, name) for module in PUBLIC if isinstance(module, ModuleType) for name in module.__all__
]


@pytest.mark.parametrize(
    ("module", "name"), PATHS, ids=lambda one: one if isinstance(one, str) else one.__name__
)
def test_every_public_name_is_there_and_says_what_it_is(module, name):
    thing = getattr(module, name)
    if callable(thing) or isinstance(thing, ModuleType):
        assert inspect.getdoc(thing)


def test_the_stub_lists_the_names_that_it_imports():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name for node in imported for alias in node.names} == set(lstm_zoo.__all__)
