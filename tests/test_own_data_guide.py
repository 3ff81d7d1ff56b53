"""The guide to your own data: every block runs as written, and finds what the text says."""

import pathlib
import re

import keras
import matplotlib
import numpy as np
import pytest

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
    assert len(names["found"].frame()) == 48


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


def finds_the_odd_one(names, printed, folder):
    import lstm_zoo as lz

    first, second = lz.anomaly_scores(names["model"], names["odd"]).max(axis=1)
    assert first > second


FOUND = {
    "Forecast a column 1": has_a_picture,
    "Many series 1": forecasts_both_shops,
    "Classify series in a table 1": names_the_kinds,
    "Classify texts 1": tells_good_from_bad,
    "Tag words 1": tags_the_words,
    "Find anomalies 1": finds_the_odd_one,
}


@pytest.mark.slow
@pytest.mark.parametrize("heading", BLOCKS)
def test_a_block_runs_as_written(heading, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)  # the same weights each time
    names = {"__name__": "guide"}
    exec(compile(BLOCKS[heading], heading, "exec"), names)
    FOUND.get(heading, lambda *_: None)(names, capsys.readouterr().out, tmp_path)


def test_each_builder_has_a_block():
    import lstm_zoo as lz

    code = "\n".join(BLOCKS.values())
    for name in lz.__all__:
        if name.startswith("build_") and name != "build_forecaster":  # behind lz.forecast
            assert f"lz.{name}" in code, name
    assert "lz.forecast(" in code


def test_a_frame_becomes_a_backtested_forecast_in_twelve_lines():
    lines = [line for line in BLOCKS["Forecast a column 1"].splitlines() if line]
    assert len(lines) <= 12


def test_every_link_leads_somewhere():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in TEXT.splitlines()
        if line.startswith("#")
    }
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 10
    for link in links:
        there = link[1:] in headings if link.startswith("#") else None
        assert there if there is not None else (GUIDE.parent / link.split("#")[0]).exists(), link
