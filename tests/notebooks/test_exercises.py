"""The form of an exercise: its text, a cell for the answer that runs as it is, folded solution."""

import json
import pathlib
import re

import pytest

from lstm_zoo import course
from lstm_zoo.course import exercises

NOTEBOOKS = sorted(pathlib.Path(__file__).parents[2].glob("notebooks/*.ipynb"))
HEADING = re.compile(r"### Exercise (\d\d[a-z]?-\d+): \w")


def cells_of(path):
    return json.loads(path.read_text())["cells"]


def exercises_of(path):
    """(number, text, cell for the answer, solution) of the exercises below "## Exercises"."""
    cells = cells_of(path)
    sources = ["".join(cell["source"]) for cell in cells]
    [start] = [k for k, text in enumerate(sources) if text.startswith("## Exercises")]
    [end] = [k for k, text in enumerate(sources) if text.startswith("## Summary")]
    below = cells[start + 1 : end]
    assert len(below) % 3 == 0, "below '## Exercises' stand triples: text, answer, solution"
    for k in range(0, len(below), 3):
        text = "".join(below[k]["source"])
        yield HEADING.match(text)[1], text, below[k + 1], below[k + 2]


def left_to_the_reader(number, solution):
    """The name in the call that takes long and is only a comment, or None."""
    call = rf'^# lz\.course\.check\("{number}", (\w+)\)  # takes \d+ s$'
    found = re.search(call, "".join(solution["source"]), re.M)
    return found and found[1]


def each_notebook(test):
    return pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)(test)


@each_notebook
def test_exercises_are_those_that_can_be_checked(path):
    notebook = path.name.split("_")[0]
    numbers = [number for number, *_ in exercises_of(path)]
    assert numbers == [f"{notebook}-{k + 1}" for k in range(len(numbers))]
    assert sorted(numbers) == sorted(n for n in exercises._CHECKS if n.split("-")[0] == notebook)


@each_notebook
def test_cell_for_the_answer_is_empty_and_asks_for_one(path):
    for number, _, answer, _ in exercises_of(path):
        source = "".join(answer["source"])
        assert answer["cell_type"] == "code"
        assert answer["metadata"]["tags"] == ["exercise"]
        assert "# Your answer: " in source or "  # your code" in source
        assert re.search(rf'^lz\.course\.check\("{number}", \w+\);$', source, re.M)
        assert re.fullmatch("No answer yet: .*\n", "".join(answer["outputs"][0]["text"]))


@each_notebook
def test_solution_is_folded_away_and_prints_nothing(path):
    for number, _, _, solution in exercises_of(path):
        source = "".join(solution["source"])
        assert source.splitlines()[0] == f"# @title Solution to exercise {number}"
        assert solution["metadata"] == {
            "cellView": "form",  # Colab shows the title alone
            "jupyter": {"source_hidden": True, "outputs_hidden": True},  # JupyterLab, Notebook 7
            "tags": ["solution"],
        }
        checked = re.search(
            rf'^assert lz\.course\.check\("{number}", .*, verbose=0\)$', source, re.M
        )
        assert bool(checked) != bool(left_to_the_reader(number, solution)), number
        assert solution["outputs"] == []  # no "Right." below a question that nobody has answered


SLOW = [
    pytest.param(path, number, solution, id=number)
    for path in NOTEBOOKS
    for number, _, _, solution in exercises_of(path)
    if left_to_the_reader(number, solution)
]


@pytest.mark.long
@pytest.mark.parametrize(("path", "number", "solution"), SLOW)
def test_solution_that_takes_long_is_right(path, number, solution):
    """It needs nothing of its notebook but the first code cell, which imports."""
    first = next(cell for cell in cells_of(path) if cell["cell_type"] == "code")
    names: dict = {}
    for cell in (first, solution):
        exec("".join(cell["source"]), names)
    assert course.check(number, names[left_to_the_reader(number, solution)])


@each_notebook
def test_the_text_does_not_contain_the_answer(path):
    for text in ("".join(cell["source"]) for cell in cells_of(path)):
        assert "<details>" not in text
