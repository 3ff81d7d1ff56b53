"""The guide to your own data: every block runs as written, and finds what the text says."""

import io
import pathlib
import re
import warnings

import keras
import matplotlib
import numpy as np
import pandas
import pytest
from typer.testing import CliRunner

from lstm_zoo.cli import app

GUIDE = pathlib.Path(__file__).parent.parent / "docs" / "own_data.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCKS = {
    f"{section.splitlines()[0]} {number}": code
    for section in TEXT.split("\n## ")[1:]
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", section, re.DOTALL), start=1)
}


def has_a_picture(names, printed, folder):
    assert matplotlib.image.imread(folder / "demand.png").std() > 0.01
    errors = {name: error["mae"] for name, error in names["tested"].errors().items()}
    assert errors["lstm"] < errors["naive"]
    assert len(names["found"].frame()) == 12


def forecasts_both_shops(names, printed, folder):
    frame = names["found"].frame()
    assert frame.groupby("shop").size().tolist() == [14, 14]
    assert frame.groupby("shop")["forecast"].mean()["south"] > 50


def names_the_kinds(names, printed, folder):
    import lstm_zoo as lz

    said = lz.predict(names["model"], names["x"][30:])
    assert np.mean(np.array(said) == names["kinds"][30:]) > 0.8


def tells_good_from_bad(names, printed, folder):
    assert "['good', 'bad']" in printed


def tags_the_words(names, printed, folder):
    assert "[['DET', 'NOUN', 'VERB', 'ADV']]" in printed
    assert (folder / "tagger.keras").exists()


FOUND = {
    "Forecast a column 1": has_a_picture,
    "Many series 1": forecasts_both_shops,
    "Classify series in a table 1": names_the_kinds,
    "Classify texts 1": tells_good_from_bad,
    "Tag words 1": tags_the_words,
}


@pytest.mark.slow
@pytest.mark.parametrize("heading", BLOCKS)
def test_a_block_runs_as_written(heading, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)  # the same weights each time
    names = {"__name__": "guide"}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # such as a false alarm of lz.fit
        exec(compile(BLOCKS[heading], heading, "exec"), names)
    FOUND.get(heading, lambda *_: None)(names, capsys.readouterr().out, tmp_path)


@pytest.mark.slow
def test_the_commands_run_as_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    days = pandas.date_range("2024-01-01", periods=150)
    sales = 100 + 10 * np.sin(np.arange(150) * 2 * np.pi / 7)
    pandas.DataFrame({"day": days, "sales": sales}).to_csv("sales.csv", index=False)
    walk, step = np.divmod(np.arange(240), 8)
    kind = np.where(walk % 2, "up", "down")
    height = np.where(walk % 2, 1, -1) * step + np.random.default_rng(0).normal(size=240)
    frame = pandas.DataFrame({"walk": walk, "height": height, "kind": kind})
    frame.to_csv("walks.csv", index=False)
    frame.drop(columns="kind").to_csv("new_walks.csv", index=False)
    [commands] = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in commands.splitlines():
        _, *arguments = line.split(" > ")[0].split()
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    answers = pandas.read_csv(io.StringIO(result.stdout))
    assert np.mean(answers["kind"] == np.where(np.arange(30) % 2, "up", "down")) > 0.8


def test_a_frame_becomes_a_backtested_forecast_in_twelve_lines():
    lines = [line for line in BLOCKS["Forecast a column 1"].splitlines() if line]
    assert len(lines) <= 12


def test_every_link_leads_to_a_heading():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 10
    for link in links:
        page, _, heading = link.partition("#")
        page = GUIDE if not page else GUIDE.parent / page
        lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
        headings = {re.sub(r"[^a-z0-9_ -]", "", line.lstrip("# ").lower()) for line in lines}
        assert not heading or heading in {one.replace(" ", "-") for one in headings}, link
