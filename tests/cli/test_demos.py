"""The three demonstrations at full length: what `make demo` promises, measured."""

import keras
import matplotlib
import numpy as np
import pytest
from typer.testing import CliRunner

import lstm_zoo as lz
from lstm_zoo import datasets
from lstm_zoo.cli import app
from lstm_zoo.cli import demo as demos

matplotlib.use("Agg")


@pytest.mark.slow
def test_speakers_are_told_apart_in_97_of_100_utterances(tmp_path):
    watched = []

    def watch(label, epochs):
        watched.append((label, epochs))
        return keras.callbacks.Callback()

    report = demos.classification(seeds=3, out=tmp_path, watch=watch)
    assert len(report.scores[report.ours]) == 3
    assert np.mean(report.scores[report.ours]) >= 0.97
    assert np.mean(report.scores["SimpleRNN + Dense"]) > 0.9
    assert watched[-1] == ("stacked LSTM + Dense, 3 of 3", 30)

    data = datasets.load("japanese_vowels")
    assert report.scores["majority class"] == [np.mean(data.y_test == 0)]  # 30 utterances each
    assert report.confusion.sum() == 370
    assert np.trace(report.confusion) / 370 == pytest.approx(report.scores[report.ours][-1])
    assert report.confusion.sum(axis=1).tolist() == np.bincount(data.y_test).tolist()

    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "speakers.keras",
        "speakers_confusion.png",
        "speakers_gates.png",
        "speakers_learning_curve.png",
    ]
    model = keras.models.load_model(tmp_path / "speakers.keras")
    assert sum(isinstance(layer, keras.layers.Bidirectional) for layer in model.layers) == 2
    for picture in tmp_path.glob("*.png"):
        assert matplotlib.image.imread(picture).std() > 0.01  # something is drawn


@pytest.mark.slow
def test_fat_is_estimated_far_better_than_by_the_mean(tmp_path):
    report = demos.regression(seeds=1, out=tmp_path)
    data = datasets.load("tecator")
    error = np.sqrt(np.mean((data.y_test - data.y_train.mean()) ** 2))
    assert report.scores["mean of the training data"] == [pytest.approx(error, rel=1e-5)]
    assert report.scores[report.ours][0] < 0.25 * error
    assert report.scores["linear model (ridge)"][0] < 0.25 * error


@pytest.mark.slow
def test_electricity_is_forecast_better_than_by_last_week_and_losses_are_said(tmp_path):
    arguments = ["demo", "forecast", "--seeds", "1", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows = {
        name: float(line.split("│")[2])
        for line in result.output.splitlines()
        for name in ("last day repeated", "last week repeated", "linear model (ridge)", "LSTM")
        if line.startswith(f"│ {name} ")
    }
    data = datasets.load("electricity")
    series = np.concatenate([data.x_train, data.x_test])
    truth, week_before = series[-1008:], series[-1008 - 336 : -336]
    expected = 100 * np.mean(np.abs(truth - week_before) / truth)  # 2.4 % by the data's README
    assert rows["last week repeated"] == pytest.approx(expected, abs=6e-4)
    assert rows["LSTM"] < rows["last week repeated"] < rows["last day repeated"]
    better = [name for name in rows if rows[name] < rows["LSTM"]]
    verdict = f"loses to: {', '.join(better)}." if better else "is the best of these."
    assert verdict in " ".join(result.output.split())
    assert (tmp_path / "electricity.keras").exists()


def test_doctor_finds_nothing_wrong_here():
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    for word in (
        lz.__version__,
        keras.__version__,
        "CPU",
        "XLA",
        "works",
        "compiled recurrence",
        "digits",
    ):
        assert word in result.output
    assert "Nothing is wrong." in result.output


def test_doctor_names_a_damaged_file(tmp_path, monkeypatch):
    for name in datasets.names():
        content = bytearray(datasets._path(name).read_bytes())
        content[100] ^= name == "digits"
        (tmp_path / f"{name}.npz").write_bytes(content)
    monkeypatch.setattr(datasets, "_FOLDERS", (tmp_path,))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "digits.npz is damaged" in " ".join(result.output.split())
    assert result.output.count("Wrong:") == 1


@pytest.mark.slow
def test_bad_seeds_are_named(tmp_path):
    with pytest.raises(ValueError, match="seeds must be a whole number of at least 1, got 0"):
        demos.forecast(seeds=0, out=tmp_path)
    assert CliRunner().invoke(app, ["demo", "--seeds", "0"]).exit_code == 2


def test_unknown_demo_is_refused_with_what_there_is():
    result = CliRunner().invoke(app, ["demo", "forecats"])
    assert result.exit_code == 2
    assert "forecast" in result.output
