"""The command: demonstrations at full length, presets by name, and no word of TensorFlow's."""

import csv
import io
import subprocess
import sys

import keras
import matplotlib
import numpy as np
import pytest
from typer.testing import CliRunner

import lstm_zoo as lz
from lstm_zoo import datasets, presets
from lstm_zoo.cli import app, demonstrating
from lstm_zoo.cli import demo as demos
from lstm_zoo.datasets import loading


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.long
def test_only_the_lstm_adds_two_numbers_far_apart(tmp_path):
    watched = []

    def watch(label, epochs):
        watched.append((label, epochs))
        return keras.callbacks.Callback()

    report = demos.memory(out=tmp_path, watch=watch)
    scores = {label: score for label, [score] in report.scores.items()}
    assert scores["always 1, the mean"] == pytest.approx(1 / 6, abs=0.01)  # the variance of the sum
    assert scores["linear model (ridge)"] > 0.15
    assert scores["SimpleRNN"] > 0.1
    assert scores[report.ours] < 0.01
    assert not report.beaten_by()
    assert report.picture == tmp_path / "adding_memory.png"
    assert watched == [("SimpleRNN", 25), ("LSTM", 25)]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "adding.keras",
        "adding_gates.png",
        "adding_learning_curve.png",
        "adding_memory.png",
    ]
    for picture in tmp_path.glob("*.png"):
        assert matplotlib.image.imread(picture).std() > 0.01  # something is drawn


@pytest.mark.slow
def test_a_preset_is_trained_and_compared_with_simpler_models(tmp_path):
    result = run("demo", "motions", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    output = " ".join(result.output.split())
    data = datasets.load("basic_motions")
    majority = np.mean(data.y_test == np.bincount(data.y_train).argmax())
    assert f"majority class {majority:.3f}" in output
    assert "motions_test.png" in output
    assert output.endswith("Next: lstm-zoo card motions")
    assert ("Better than the LSTM here: " in output) != ("The LSTM is the best" in output)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "motions.keras",
        "motions_learning_curve.png",
        "motions_test.png",
    ]
    model = keras.models.load_model(tmp_path / "motions.keras")
    assert model.predict(data.x_test[:3], verbose=0).shape == (3, 4)


def test_the_names_of_earlier_demonstrations_still_work():
    for old, name in demonstrating.ALIASES.items():
        assert old not in presets.list_presets()
        assert name in presets.list_presets()


def test_list_shows_every_preset_with_its_score():
    result = run("list")
    assert result.exit_code == 0, result.output
    for name in presets.list_presets():
        assert name in result.output
    assert "electricity" not in run("list", "classification").output
    assert "No preset has a name or task like 'digit'" in run("list", "digit").output


def test_list_fits_a_screen():
    lines = run("list").output.splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines[: len(presets.list_presets()) + 1])) <= 80


def test_scores_are_shown_by_three_digits_that_say_something():
    shown = [demonstrating.digits(value) for value in (0.00035321, 0.1667, 12.894, 1.0, 250.0)]
    assert shown == ["0.000353", "0.167", "12.9", "1.00", "250"]


def test_the_report_has_a_spread_only_where_there_are_several_trainings():
    report = demos.Report("title", "data", "error", scores={"LSTM": [0.1], "mean": [0.2]})
    one = demonstrating._scores(report)
    assert [column.header for column in one.columns] == ["error (lower is better)", ""]
    report.scores["LSTM"] = [0.1, 0.5]
    several = demonstrating._scores(report)
    assert [column.header for column in several.columns][1:] == ["mean", "lowest to highest"]
    assert [*several.columns[0].cells] == ["mean", "LSTM"]  # the best first


def test_an_example_file_is_written_and_predicted_from(tmp_path):
    (tmp_path / "day.csv").write_text(run("card", "italy_power", "--example").output)
    result = run("predict", "italy_power", tmp_path / "day.csv")
    assert result.exit_code == 0, result.output
    assert "April to September" in result.output


def test_card_and_evaluate_say_the_same():
    assert "Italy" in run("card", "italy_power").output
    score = float(run("evaluate", "italy_power").output.split()[1])
    assert score == pytest.approx(
        presets.card.recorded("italy_power")["scores"]["LSTM"][0], abs=2e-3
    )


def test_predict_writes_csv(tmp_path):
    data = datasets.load("italy_power_demand")
    path = tmp_path / "day.csv"
    path.write_text("demand\n" + "\n".join(str(value) for value in data.x_test[0, :, 0]))
    result = run("predict", "italy_power", path)
    assert result.exit_code == 0, result.output
    [row] = csv.DictReader(io.StringIO(result.output[result.output.index("sample,") :]))
    assert row["half of the year"] in data.class_names
    assert 0.5 <= float(row["probability"]) <= 1


@pytest.mark.parametrize("command", ["card", "evaluate", "train", "demo"])
def test_an_unknown_preset_is_refused_with_the_nearest(command, tmp_path):
    options = ["--out", tmp_path / "out"] if command in ("train", "demo") else []
    result = run(command, "electricty", *options)
    assert result.exit_code == 2
    assert "electricity" in result.output
    assert not any(tmp_path.iterdir())  # no folder is made for it


def test_a_folder_that_cannot_be_written_to_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for wrong in ("file", "file/below/it", "link", "n" * 300):
        result = run("demo", "--out", tmp_path / wrong)
        assert result.exit_code == 2
        assert "cannot be written to" in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--workers", "localhost", "--index", "0"), "addresses must be host:port"),
        (("--workers", "a:1,b:1"), "index must be a whole number from 0 to 1, got None"),
        (("--index", "1"), "--index needs --workers"),
        (("--cell", "gruu"), "did you mean 'gru'"),
    ],
)
def test_wrong_options_of_train_are_named_before_any_waiting(tmp_path, options, message):
    result = run("train", "italy_power", "--out", tmp_path / "new" / "out", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not any(tmp_path.iterdir())  # no folder is made for it


def test_bad_seeds_are_named(tmp_path):
    with pytest.raises(ValueError, match="seeds must be a whole number of at least 1, got 0"):
        demos.preset("fat", seeds=0, out=tmp_path)
    assert run("demo", "--seeds", "0").exit_code == 2


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "lstm_zoo", *arguments], capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["list"], ["card", "fat"]], ids=" ".join
)
def test_a_command_that_only_tells_imports_nothing_heavy(arguments):
    program = f"""
import sys
sys.orig_argv = ['python', '-m', 'lstm_zoo']
from lstm_zoo.cli import app
try:
    app({arguments!r})
except SystemExit as end:
    assert not end.code
heavy = {{'tensorflow', 'keras', 'matplotlib', 'sklearn', 'pandas', 'lstm_zoo.presets'}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_help_and_version_are_printed_and_nothing_else():
    done = command("--version")
    assert (done.stdout, done.stderr) == (f"lstm-zoo {lz.__version__}\n", "")
    done = command("--help")
    assert done.returncode == 0
    assert "demo" in done.stdout
    assert done.stderr == ""


def test_all_that_a_command_prints_is_ours():
    done = command("evaluate", "italy_power")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("accuracy: ")


def test_doctor_finds_nothing_wrong_here():
    result = run("doctor")
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
    assert "No problems found." in result.output


def test_doctor_names_a_damaged_file(tmp_path, monkeypatch):
    for name in datasets.names():
        content = bytearray(loading.path_of(name).read_bytes())
        content[100] ^= name == "digits"
        (tmp_path / f"{name}.npz").write_bytes(content)
    monkeypatch.setattr(loading, "FOLDERS", (tmp_path,))
    result = run("doctor")
    assert result.exit_code == 1
    assert "digits.npz is damaged" in " ".join(result.output.split())
    assert result.output.count("Problem:") == 1
