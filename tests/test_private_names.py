"""The private names of other packages that this package uses; comments in the code say why.

A private name may change in any release of Keras or TensorFlow: this is the list to look through.
"""

import ast
import importlib
import inspect
import pathlib

import pytest

import lstm_zoo

PACKAGE = pathlib.Path(lstm_zoo.__file__).parent
PRIVATE = {
    "after_keras.py": {"_initializing"},  # of a module that is half loaded
    "backend.py": {"keras.src"},
    "cells/base.py": {"keras.src"},
    "exporting/litert_lstm.py": {"keras.src"},
    "exporting/onnx.py": {"keras.src"},
    "exporting/signature.py": {"_keras_history"},
    "layer_tree.py": {"_flatten_layers", "_run_through_graph"},
    "recurrence/portable.py": {"_getframe", "keras.src", "tensorflow.python"},
    "recurrence/custom_gradient.py": {"tensorflow.python"},
    "saving.py": {"_compile_config", "_fn_kwargs"},
    "training/loop.py": {"_initial_epoch"},
    "training/replicas.py": {"keras.src"},
    "training/tracing.py": {"_registry", "tensorflow.python"},
}
# Private methods of classes of other packages that a class here overrides.
OVERRIDDEN = {"layers.scaling.BatchNormalization._moments"}
# Functions set as attributes, and attributes set by a name made at run time.
REPLACED = {
    "exporting/litert.py": ["converter.representative_dataset"],  # as TensorFlow documents it
    "presets/tuning.py": ["tried.training_part"],  # of a copy of our own task
    "saving.py": ["one.get_config"],  # so that `get_config` names all arguments
    "spelling.py": ["setattr(call, _MARK, True)"],  # on our own functions
    "training/progress.py": ["setattr(callback, name, callback_state.unpacked(value, arrays))"],
    "training/replicas.py": ["setattr(of, name, value)"] * 2,
}
# Public in spite of the underscore: those of named tuples, and what Jupyter looks for.
PUBLIC = {"_asdict", "_fields", "_make", "_replace", "_repr_html_", "_repr_mimebundle_"}
FOREIGN = ("keras.src", "tensorflow.python")


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def is_own(node):
    """Whether an expression is `self`, `cls` or `super()`."""
    return ast.unparse(node) in ("self", "cls", "super()")


def defined_in(tree):
    """The names that a module defines: functions, classes, variables and attributes it sets."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def foreign(name):
    """The private package that a dotted name is of: `keras.src` of `keras.src.backend`."""
    return next(start for start in FOREIGN if name.startswith(start))


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def private_names(tree, of_package):
    """The private names of other packages: imported, accessed, or named in a string."""
    of_module = set(defined_in(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in imported(node):
                if name.startswith(FOREIGN):
                    yield foreign(name)
                elif not name.startswith("lstm_zoo") and any(map(is_private, name.split("."))):
                    yield name
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            own = of_package if is_own(node.value) else of_module
            if node.attr not in own:
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant) and is_private(name.value):
                yield from {name.value} - of_module
        elif isinstance(node, ast.Constant) and str(node.value).startswith(FOREIGN):
            yield foreign(node.value)


def replaced(tree):
    """Attributes set on other objects, by assignment of functions or by `setattr`."""
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            is_function = isinstance(node.value, ast.Lambda) or (
                isinstance(node.value, ast.Name) and node.value.id in functions
            )
            if is_function and isinstance(target, ast.Attribute) and not is_own(target.value):
                yield ast.unparse(target)
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "setattr"
            and not is_own(node.args[0])
        ):
            yield ast.unparse(node)


TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}


def test_private_names_of_other_packages_are_those_of_this_list():
    of_package = {name for tree in TREES.values() for name in defined_in(tree)}
    found = {path: set(private_names(tree, of_package)) for path, tree in TREES.items()}
    assert {path: names for path, names in found.items() if names} == PRIVATE


def test_attributes_of_other_objects_are_replaced_where_this_list_says():
    found = {path: sorted(replaced(tree)) for path, tree in TREES.items()}
    assert {path: names for path, names in found.items() if names} == REPLACED


def test_private_methods_of_other_classes_are_overridden_where_this_list_says():
    found = set()
    for path, tree in TREES.items():
        if path == "__main__.py":
            continue
        name = path.removesuffix(".py").replace("/", ".").removesuffix("__init__").rstrip(".")
        module = importlib.import_module(f"lstm_zoo.{name}".rstrip("."))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and inspect.isclass(vars(module).get(node.name)):
                of_others = [
                    base
                    for base in vars(module)[node.name].__mro__
                    if not base.__module__.startswith("lstm_zoo")
                ]
                found |= {
                    f"{name}.{node.name}.{part.name}"
                    for part in node.body
                    if isinstance(part, ast.FunctionDef) and is_private(part.name)
                    if any(part.name in vars(base) for base in of_others)
                }
    assert found == OVERRIDDEN


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from keras.src.backend import get_keras_mask", "keras.src"),
        ("import tensorflow.python.ops", "tensorflow.python"),
        ("from numpy import _core", "numpy._core"),
        ("model._flatten_layers()", "_flatten_layers"),
        ("sys._getframe()", "_getframe"),
        ("getattr(model, '_compile_config', None)", "_compile_config"),
        ("self._functional", "_functional"),
        ("who = 'keras.src.export.onnx'", "keras.src"),
    ],
)
def test_the_search_finds_each_way_to_a_private_name(code, name):
    assert list(private_names(ast.parse(code), set())) == [name]


def test_the_search_leaves_names_of_our_own_alone():
    code = "class A:\n def _own(self): return self._own, A()._own, traces._asdict()"
    tree = ast.parse(code)
    assert list(private_names(tree, set(defined_in(tree)))) == []


@pytest.mark.parametrize(
    "code", ["layer.call = lambda x: x", "def f(): ...\nmodel.fit = f", "setattr(a, name, 1)"]
)
def test_the_search_finds_what_is_replaced(code):
    assert len(list(replaced(ast.parse(code)))) == 1
