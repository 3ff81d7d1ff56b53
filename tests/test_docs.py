"""The examples in docstrings run and print the shown output."""

import doctest
import importlib
import pkgutil

import pytest

import lstm_zoo

# __main__ starts the command instead of defining something.
MODULES = [
    module.name
    for module in pkgutil.walk_packages(lstm_zoo.__path__, "lstm_zoo.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("name", sorted(lstm_zoo.__all__))
def test_every_public_function_and_class_shows_an_example(name):
    thing = getattr(lstm_zoo, name)
    if callable(thing):
        assert ">>> " in thing.__doc__
    else:
        assert thing.__name__ == f"lstm_zoo.{name}"
