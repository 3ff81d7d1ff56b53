"""The table in docs/export.md is that of docs/make_exports.py, and its rows hold."""

import pathlib
import re
import runpy

import pytest

DOCS = pathlib.Path(__file__).parents[2] / "docs"
MAKE = runpy.run_path(str(DOCS / "make_exports.py"))
PAGE = (DOCS / "export.md").read_text(encoding="utf-8")
TABLE = PAGE.split(MAKE["START"])[1].split(MAKE["END"])[0]
LINES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if line.startswith("|")
]
WHY = dict(re.findall(r"^(\d+)\. (.*)$", TABLE, flags=re.MULTILINE))
CELLS = {row: dict(zip(MAKE["COLUMNS"], cells, strict=True)) for row, *cells in LINES[2:]}


def shown(row, column):
    """What the page says: "yes", or why not."""
    cell = CELLS[row][column]
    return cell if cell == "yes" else WHY[re.fullmatch(r"no \((\d+)\)", cell)[1]]


def test_page_has_the_models_and_formats_of_the_script_and_a_reason_for_each_no():
    assert LINES[0][1:] == list(MAKE["COLUMNS"])
    assert list(CELLS) == list(MAKE["ROWS"])
    assert {shown(row, column) for row in CELLS for column in CELLS[row]} == {"yes", *WHY.values()}


def test_every_builder_is_in_the_table():
    import lstm_zoo as lz

    builders = {name for name in lz.builders.__all__ if name.startswith("build_")}
    assert {name for row in CELLS for name in re.findall(r"`(build_\w+)`", row)} == builders


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("`Sequential`", "ONNX"),
        ("a dict of outputs", "ONNX"),
        ("`stateful`", "SavedModel"),
        ("`stateful`", "ONNX, a step"),
        ("`build_tagger` with `crf=True`, masked", "C"),
        ("`build_seq2seq`, two lengths", "LiteRT, a step"),
    ],
)
def test_a_cell_of_the_table_holds(row, column):
    assert MAKE["cell_of"](row, column) == shown(row, column)


@pytest.mark.long
@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("`build_classifier`, attention pooling, masked", "C"),
        ("`return_state`, sLSTM, masked", "LiteRT"),
        ("`initial_state` as inputs, masked", "SavedModel"),
        ("`learned_initial_state`, masked", "LiteRT, a step"),
    ],
)
def test_a_slow_cell_of_the_table_holds(row, column):
    assert MAKE["cell_of"](row, column) == shown(row, column)
