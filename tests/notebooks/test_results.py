"""The scripts behind stored results still build the models that were measured.

Their builders have options whose defaults may change; the scripts state what they need.
"""

import csv
import importlib.util
import pathlib
import sys

import numpy as np
import pytest

import lstm_zoo as lz

RESULTS = pathlib.Path(__file__).parents[2] / "notebooks" / "results"


@pytest.fixture
def script(monkeypatch):
    """Imports a script by its name; `dense.py` imports `ablation.py` beside it."""
    monkeypatch.syspath_prepend(str(RESULTS))

    def imported(name):
        spec = importlib.util.spec_from_file_location(name, RESULTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return imported


def stored(name):
    with open(RESULTS / name, newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def test_ablation_builds_models_with_the_stored_numbers_of_weights(script):
    columns = ("lstm_layers", "dense_units", "dropout", "parameters")
    settings = {tuple(float(row[name]) for name in columns) for row in stored("08_ablation.csv")}
    assert len(settings) == 12
    build = script("ablation").build
    for depth, dense, dropout, parameters in settings:
        assert build(int(depth), int(dense), dropout).count_params() == parameters


def test_dense_builds_models_with_the_stored_numbers_of_weights(script):
    dense = script("dense")
    rows = {(row["data"], row["kind"]): int(row["parameters"]) for row in stored("08_dense.csv")}
    parts = {name: dense.split(lz.datasets.load(name))[0] for name, _ in rows}
    assert len(rows) == 12
    for (name, kind), parameters in rows.items():
        assert dense.build(name, *parts[name], kind, 0.01).count_params() == parameters


def test_seq2seq_builds_networks_with_the_stored_numbers_of_weights(script):
    networks = script("seq2seq").NETWORKS
    weights = {row["network"]: int(row["weights"]) for row in stored("12_reverse.csv")}
    assert set(weights) == set(networks)
    for name, build in networks.items():
        assert sum(w.shape.num_elements() for w in build().trainable_weights) == weights[name]


def test_seq2seq_asks_for_the_reverse_of_the_digits(script):
    seq2seq = script("seq2seq")
    x, y = seq2seq.pairs(np.array([3, 1, 5]), np.random.default_rng(0))
    for source, reads, says in zip(x["source"], x["target"], y):
        digits = source[source > 0]
        assert says.tolist() == [*digits[::-1], 2, *[0] * (5 - len(digits))]
        assert reads.tolist() == [1, *says[:-1]]


def numbers_of_weights(name, column):
    return {row[column]: int(row["parameters"]) for row in stored(name)}


def test_gates_builds_models_with_the_stored_numbers_of_weights(script):
    build, measured = script("gates").build, numbers_of_weights("13_gates.csv", "cell")
    assert len(measured) == 10
    for cell, parameters in measured.items():
        assert build(cell).count_params() == parameters


def test_regularise_builds_models_with_the_stored_numbers_of_weights(script):
    module = script("regularise")
    measured = numbers_of_weights("14_regularisation.csv", "setting")
    assert list(measured) == list(module.SETTINGS)
    for name, parameters in measured.items():
        assert module.build(name).count_params() == parameters


def test_longest_lags_of_the_zoo_are_those_of_the_benchmark(script, tmp_path, monkeypatch):
    zoo, table = script("zoo"), tmp_path / "13_zoo.csv"
    monkeypatch.setattr(zoo, "TABLE", table)
    zoo.main()
    assert table.read_text() == (RESULTS / "13_zoo.csv").read_text()


@pytest.mark.parametrize("name", ["07_long_range.csv", "08_ablation.csv", "08_dense.csv"])
def test_first_line_says_what_made_the_rows(name):
    first = (RESULTS / name).read_text().splitlines()[0]
    for part in ("# ", "TensorFlow ", "Keras ", "lstm_zoo ", "32 units"):
        assert part in first


def test_rows_are_written_below_versions_and_settings(script, tmp_path):
    script("ablation").write(tmp_path / "a.csv", [{"units": 3}], "3 units")
    first, *rows = (tmp_path / "a.csv").read_text().splitlines()
    assert first.endswith(f"; lstm_zoo {lz.__version__}; 3 units")
    assert rows == ["units", "3"]
