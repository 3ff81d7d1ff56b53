"""lstm-zoo train --data and predict: a user's CSV file to a model, and another to its answers."""

import io
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pandas
import pytest
from typer.testing import CliRunner

import lstm_zoo as lz
from lstm_zoo.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said(result):
    return " ".join(result.output.replace("│", " ").split())


def labelled(path, lengths=(8,) * 30):
    """A long table: series that rise or fall, and a column of no use."""
    rng = np.random.default_rng(0)
    rows = []
    for k, length in enumerate(lengths):
        slope = 1 if k % 2 else -1
        for t in range(length):
            rows.append((f"s{k}", slope * t + rng.normal(), 500.0, "up" if k % 2 else "down"))
    pandas.DataFrame(rows, columns=["who", "height", "level", "kind"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    file = labelled(folder / "walks.csv", [6, 8] * 15)
    options = ("--label", "kind", "--id", "who", "--epochs", 15)
    result = run("train", "--data", file, *options, "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return folder, file, result


def test_a_classifier_of_series_of_unequal_length_is_trained_and_answers_a_file(classifier):
    folder, file, result = classifier
    model = folder / "out" / "walks.keras"
    assert str(model) in said(result)
    names = sorted(one.name for one in (folder / "out").iterdir())
    assert names == ["walks.json", "walks.keras", "walks.npz"]
    answer = run("predict", model, file)
    assert answer.exit_code == 0, answer.output
    found = pandas.read_csv(io.StringIO(answer.stdout))
    truth = pandas.read_csv(file).drop_duplicates("who")
    assert found["who"].tolist() == truth["who"].tolist()
    assert np.mean(found["kind"].to_numpy() == truth["kind"].to_numpy()) > 0.9
    assert found["probability"].between(0.5, 1).all()


def test_a_file_without_the_labels_gets_the_same_answers(classifier, tmp_path):
    folder, file, _ = classifier
    model = folder / "out" / "walks.keras"
    frame = pandas.read_csv(file)
    frame[["level", "who", "height"]].to_csv(tmp_path / "new.csv", sep=";", decimal=",")
    assert run("predict", model, tmp_path / "new.csv").stdout == run("predict", model, file).stdout


def test_the_file_of_a_predictor_gives_the_same_answers_without_tensorflow(classifier):
    folder, file, _ = classifier
    expected = run("predict", folder / "out" / "walks.keras", file)
    script = """
import sys
for name in ("keras", "tensorflow", "jax", "torch"):
    sys.modules[name] = None  # as if it were not installed
from lstm_zoo.cli import app
app(["predict", "out/walks.npz", "walks.csv"])
"""
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(lz.__file__).parent.parent)}
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == expected.stdout


def test_a_file_with_other_columns_is_refused(classifier, tmp_path):
    folder, file, _ = classifier
    pandas.read_csv(file).rename(columns={"height": "hight"}).to_csv(tmp_path / "other.csv")
    result = run("predict", folder / "out" / "walks.keras", tmp_path / "other.csv")
    assert result.exit_code == 2
    assert "got 'height'; did you mean 'hight'?" in said(result)


def test_a_row_for_each_series_is_read_too(tmp_path):
    rng = np.random.default_rng(1)
    slopes = np.tile([-1, 1], 12)
    frame = pandas.DataFrame(slopes[:, None] * np.arange(5) + rng.normal(size=(24, 5)))
    frame.columns = [f"t{k}" for k in range(5)]
    frame["kind"] = np.where(slopes > 0, "up", "down")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    result = run(
        "train",
        "--data",
        tmp_path / "rows.csv",
        "--label",
        "kind",
        "--epochs",
        1,
        "--out",
        tmp_path,
    )
    assert result.exit_code == 0, result.output
    assert lz.load(tmp_path / "rows.keras").input_shape == (None, 5, 1)
    frame.drop(columns="kind").to_csv(tmp_path / "new.csv", index=False)
    found = pandas.read_csv(
        io.StringIO(run("predict", tmp_path / "rows.keras", tmp_path / "new.csv").stdout)
    )
    assert found["row"].tolist() == list(range(1, 25))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give a preset's name, or --data FILE"),
        (("--data", "FILE"), "--data needs --target COLUMN --horizon STEPS, or --label COLUMN"),
        (("--data", "FILE", "--target", "a"), "--horizon goes with --target"),
        (("fat", "--target", "a"), "the options of a file need --data FILE"),
        (
            ("--data", "FILE", "--target", "height", "--horizon", "2", "--known-future", "level"),
            "--future FILE goes with --known-future",
        ),
        (("--data", "FILE", "--label", "kin"), "did you mean 'kind'?"),
        (("--data", "FILE", "--label", "kind", "--id", "level"), "column 'who' of"),
        (("--data", "none.csv", "--label", "kind"), "No such file"),
        (("--data", "FILE", "--target", "hight", "--horizon", "2"), "did you mean 'height'?"),
        (("--data", "FILE", "--target", "kind", "--horizon", "2"), "column 'kind' of"),
    ],
)
def test_wrong_options_and_columns_are_named(tmp_path, options, message):
    file = labelled(tmp_path / "walks.csv")
    options = [file if option == "FILE" else option for option in options]
    result = run("train", *options, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in said(result)
    assert not (tmp_path / "out").exists()


def test_a_label_that_changes_within_a_series_is_refused_with_its_line(tmp_path):
    (tmp_path / "two.csv").write_text("who,a,kind\ns,1,x\nt,2,y\ns,2,y\n")
    options = ("--label", "kind", "--id", "who", "--out", tmp_path)
    result = run("train", "--data", tmp_path / "two.csv", *options)
    assert result.exit_code == 2
    assert "got 'y' after 'x' in line 4, of 's'" in said(result)


def test_a_column_of_different_numbers_is_no_label(tmp_path):
    (tmp_path / "each.csv").write_text("a,b,y\n1,2,0.1\n2,3,0.2\n3,4,0.3\n")
    result = run("train", "--data", tmp_path / "each.csv", "--label", "y", "--out", tmp_path)
    assert result.exit_code == 2
    assert "column 'y'" in said(result)
    assert "got 3 different ones in 3 series" in said(result)


def test_a_file_of_one_class_is_refused(tmp_path):
    (tmp_path / "one.csv").write_text("a,b,kind\n1,2,x\n2,3,x\n")
    result = run("train", "--data", tmp_path / "one.csv", "--label", "kind", "--out", tmp_path)
    assert result.exit_code == 2
    assert "column 'kind'" in said(result)
    assert "two classes" in said(result)


def test_an_interrupted_training_says_what_it_kept_and_goes_on_from_there(tmp_path, monkeypatch):
    from lstm_zoo.cli.terminal import Bars

    file = labelled(tmp_path / "walks.csv")
    command = ("train", "--data", file, "--label", "kind", "--id", "who", "--epochs", 3)
    command = (*command, "--out", tmp_path / "out")
    epochs = []

    def interrupting(at):
        def bar(self, label, total):
            import keras

            def end(epoch, logs):
                epochs.append(epoch)
                if epoch == at:
                    raise KeyboardInterrupt

            return keras.callbacks.LambdaCallback(on_epoch_end=end)

        return bar

    monkeypatch.setattr(Bars, "callback", interrupting(1))
    result = run(*command)
    assert result.exit_code == 130
    assert "has all finished epochs; run the same command again to go on" in said(result)
    monkeypatch.setattr(Bars, "callback", interrupting(None))
    assert run(*command).exit_code == 0
    assert epochs == [0, 1, 1, 2]  # the epoch that was interrupted is done again
    assert not (tmp_path / "out" / "walks.checkpoints").exists()


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecaster")
    times = pandas.date_range("2020-01-01", periods=90)
    sales = 100 + np.tile([1.0, 2, 3, 4, 5, 9, 7], 13)[:90]
    frame = pandas.DataFrame({"day": times.strftime("%d.%m.%Y"), "sales": sales, "note": "none"})
    frame.to_csv(folder / "sales.csv", sep=";", decimal=",", index=False)
    options = ("--target", "sales", "--horizon", 7, "--time-format", "%d.%m.%Y")
    file = folder / "sales.csv"
    result = run("train", "--data", file, *options, "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return folder, file, result


@pytest.mark.slow
def test_a_forecaster_is_trained_on_a_column_and_forecasts_the_next_days(forecaster):
    folder, file, result = forecaster
    assert "season 7" in said(result)
    answer = run("predict", folder / "out" / "sales.keras", file)
    assert answer.exit_code == 0, answer.output
    found = pandas.read_csv(io.StringIO(answer.stdout))
    assert found["day"].tolist() == [
        f"{d:%Y-%m-%d}" for d in pandas.date_range("2020-03-31", periods=7)
    ]
    truth = 100 + np.tile([1.0, 2, 3, 4, 5, 9, 7], 14)[90:97]
    assert np.abs(found["forecast"] - truth).max() < 1


@pytest.mark.slow
def test_the_file_beside_a_model_names_the_columns_that_it_reads(forecaster):
    folder, _, _ = forecaster
    kind = json.loads((folder / "out" / "sales.json").read_text())
    assert kind["columns"]["target"] == "sales"
    assert kind["columns"]["time"] == "day"
    (folder / "alone.keras").write_bytes((folder / "out" / "sales.keras").read_bytes())
    result = run("predict", folder / "alone.keras", folder / "sales.csv")
    assert result.exit_code == 2
    assert "alone.json must stand beside" in said(result)


@pytest.mark.slow
def test_an_interrupted_forecaster_goes_on_from_its_checkpoint(forecaster, tmp_path, monkeypatch):
    import keras

    _, file, _ = forecaster
    command = ("train", "--data", file, "--target", "sales", "--horizon", 7)
    command = (*command, "--time-format", "%d.%m.%Y", "--out", tmp_path)
    epochs, stop = [], keras.callbacks.EarlyStopping.on_epoch_end

    def end(self, epoch, logs=None):
        epochs.append(epoch)
        if epochs == [0, 1, 2]:
            raise KeyboardInterrupt
        stop(self, epoch, logs)

    monkeypatch.setattr(keras.callbacks.EarlyStopping, "on_epoch_end", end)
    result = run(*command)
    assert result.exit_code == 130
    assert "run the same command again to go on" in said(result)
    assert run(*command).exit_code == 0
    assert epochs[:5] == [0, 1, 2, 2, 3]
    assert not (tmp_path / "sales.checkpoints").exists()


@pytest.mark.long
def test_columns_known_ahead_and_of_a_whole_series_are_used(tmp_path):
    rng, days = np.random.default_rng(0), pandas.date_range("2024-01-01", periods=127)
    parts = []
    for shop, size in (("a", 1.0), ("b", 2.0)):
        offer = rng.integers(0, 2, len(days))
        frame = {"shop": shop, "day": days, "offer": offer, "size": size}
        parts.append(pandas.DataFrame({**frame, "sales": size * (10 + 5 * offer)}))
    past = pandas.concat([part[:120] for part in parts])
    ahead = pandas.concat([part[120:] for part in parts])
    past.to_csv(tmp_path / "shops.csv", index=False)
    ahead[["shop", "day", "offer"]].to_csv(tmp_path / "offers.csv", index=False)
    options = ("--target", "sales", "--horizon", 7, "--known-future", "offer", "--id", "shop")
    options = (*options, "--static", "size", "--future", tmp_path / "offers.csv")
    result = run("train", "--data", tmp_path / "shops.csv", *options, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    files = (tmp_path / "shops.csv", "--future", tmp_path / "offers.csv")
    answer = run("predict", tmp_path / "shops.keras", *files)
    assert answer.exit_code == 0, answer.output
    found = pandas.read_csv(io.StringIO(answer.stdout))
    error = np.abs(found["forecast"].to_numpy() - ahead["sales"].to_numpy())
    naive = np.abs(np.mean(past["sales"]) - ahead["sales"].to_numpy())
    assert error.mean() < naive.mean() / 2
