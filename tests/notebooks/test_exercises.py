"""The form of an exercise: its text, a cell for the answer that runs as it is, folded solution."""

import json
import pathlib
import re

import pytest

from lstm_zoo.course import exercises

NOTEBOOKS = sorted(pathlib.Path(__file__).parents[2].glob("notebooks/*.ipynb"))
HEADING = re.compile(r"### Exercise (\d\d-\d): \w")


def exercises_of(path):
    """(number, text, cell for the answer, solution) of the exercises below "## Exercises"."""
    cells = json.loads(path.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    [start] = [k for k, text in enumerate(sources) if text.startswith("## Exercises")]
    [end] = [k for k, text in enumerate(sources) if text.startswith("## Summary")]
    below = cells[start + 1 : end]
    assert len(below) % 3 == 0, "below '## Exercises' stand triples: text, answer, solution"
    for k in range(0, len(below), 3):
        text = "".join(below[k]["source"])
        yield HEADING.match(text)[1], text, below[k + 1], below[k + 2]


def each_notebook(test):
    return pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)(test)


@each_notebook
def test_exercises_are_those_that_can_be_checked(path):
    numbers = [number for number, *_ in exercises_of(path)]
    assert numbers == [f"{path.name[:2]}-{k + 1}" for k in range(len(numbers))]
    assert numbers == sorted(n for n in exercises._CHECKS if n[:2] == path.name[:2])


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
def test_solution_is_folded_away_and_its_first_line_tells_nothing(path):
    for number, _, _, solution in exercises_of(path):
        source = "".join(solution["source"])
        assert source.splitlines()[0] == f"# @title Solution to exercise {number}"
        assert solution["metadata"] == {
            "cellView": "form",  # Colab shows the title alone
            "jupyter": {"source_hidden": True, "outputs_hidden": True},  # JupyterLab, Notebook 7
            "tags": ["solution"],
        }
        assert f'assert lz.course.check("{number}", ' in source
        printed = "".join("".join(output["text"]) for output in solution["outputs"])
        assert printed == "Right.\n"  # Colab shows outputs


@each_notebook
def test_the_text_does_not_contain_the_answer(path):
    cells = json.loads(path.read_text())["cells"]
    for text in ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"):
        assert "<details>" not in text
