"""No public path runs what it reads: no pickle, no eval, no Lambda, no unsafe loading."""

import ast
import pathlib

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


def test_model_file_with_code_in_it_is_refused_and_runs_nothing(tmp_path):
    marker = tmp_path / "ran"
    name, inputs = str(marker), keras.Input((2,))
    layer = keras.layers.Lambda(lambda x: (open(name, "w").close(), x)[1])  # noqa: SIM115
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "evil.keras")
    marker.unlink()
    with pytest.raises(ValueError, match="unsafe|Lambda"):
        keras.models.load_model(tmp_path / "evil.keras")
    assert not marker.exists()


def test_arrays_of_objects_are_refused_and_run_nothing(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return marker.touch, ()

    np.save(tmp_path / "evil.npy", np.array([Evil()], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        np.load(tmp_path / "evil.npy")
    assert not marker.exists()
