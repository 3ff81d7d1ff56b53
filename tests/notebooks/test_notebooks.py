"""What every notebook of the course has; that each runs to its stored outputs, nbval tests."""

import importlib.util
import itertools
import json
import pathlib
import re

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted(pathlib.Path(__file__).parents[2].glob("notebooks/*.ipynb"))
SCRIPT = NOTEBOOKS[0].parent / "stamp_address.py"


def stamp_address():
    spec = importlib.util.spec_from_file_location("stamp_address", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells_of(path, kind):
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def each_notebook(test):
    return pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)(test)


def test_course_is_numbered_in_reading_order():
    numbers = [path.name.split("_")[0] for path in NOTEBOOKS]
    assert numbers == sorted(set(numbers))
    assert all(re.fullmatch(r"\d\d[a-z]?", number) for number in numbers)
    assert numbers[0] == "00"


@each_notebook
def test_notebook_opens_in_colab_at_its_own_address(path):
    address = stamp_address().address()
    badge = f"https://colab.research.google.com/github/{address}/blob/main/notebooks/{path.name}"
    assert badge in cells_of(path, "markdown")[0]


@each_notebook
def test_notebook_installs_the_package_only_where_it_is_missing(path):
    setup = cells_of(path, "code")[0]
    address = stamp_address().address()
    assert 'if importlib.util.find_spec("lstm_zoo") is None:' in setup
    assert f'os.environ.get("LSTM_ZOO_SOURCE", "git+https://github.com/{address}")' in setup


def written_to_stderr(setup, monkeypatch):
    """What JupyterLab would show in red below the set-up cell, opened with `make lab`."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)  # kernels hide C code's lines in tests
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(setup)])
    [cell] = NotebookClient(notebook, kernel_name="python3").execute().cells
    return "".join(output.text for output in cell.outputs if output.get("name") == "stderr")


@pytest.mark.long
def test_the_setup_cell_says_nothing_and_would_without_its_care(monkeypatch):
    setup = cells_of(NOTEBOOKS[0], "code")[0]
    assert written_to_stderr(setup, monkeypatch) == ""
    careless = setup.replace('os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"', "")
    assert written_to_stderr(careless, monkeypatch) != ""


@each_notebook
def test_notebook_loads_tensorflow_as_the_first_does(path):
    first, this = (cells_of(path, "code")[0].splitlines() for path in (NOTEBOOKS[0], path))
    until = first.index("import keras")
    assert this[: until + 1] == first[: until + 1]
    assert first[until - 1].startswith("import lstm_zoo")


@each_notebook
def test_the_setup_cell_is_folded(path):
    """So that a notebook opens with its question and a picture."""
    cells = json.loads(path.read_text())["cells"]
    setup = next(cell for cell in cells if cell["cell_type"] == "code")
    assert setup["metadata"] == {"cellView": "form", "jupyter": {"source_hidden": True}}
    assert "".join(setup["source"]).startswith("# @title Set-up: ")


@each_notebook
def test_notebook_names_no_other_address_than_pyproject(path):
    places = stamp_address().PLACES
    found = {match[1] for place in places for match in re.findall(place, path.read_text())}
    assert found == {stamp_address().address()}


@each_notebook
def test_notebook_has_goals_exercises_a_summary_and_sources(path):
    text = "\n".join(cells_of(path, "markdown"))
    assert re.search(r"you will", text[:2000], flags=re.IGNORECASE)
    for heading in ("Exercises", "Summary", "Sources"):
        assert re.search(rf"^## .*{heading}", text, flags=re.MULTILINE), heading
    assert "https://" in text.split("Sources")[-1]


@pytest.mark.parametrize(("path", "following"), list(itertools.pairwise(NOTEBOOKS)))
def test_the_summary_leads_to_the_next_notebook(path, following):
    summary = re.split("^## Sources", "\n".join(cells_of(path, "markdown")), flags=re.MULTILINE)[0]
    assert re.search(rf"Next: \[.+\]\({following.name}\)\.$", summary.strip())


def test_each_statement_of_the_source_notes_is_taught_in_a_section_that_is_there():
    readme = (NOTEBOOKS[0].parent / "README.md").read_text(encoding="utf-8")
    table = readme.split("| statement in the notes | notebook and section |")[1]
    rows = [row.split("|")[1:3] for row in table.splitlines() if row.startswith("| ")]
    sections = {
        path.name.split("_")[0]: re.findall(
            r"^##+ (.+)$", "\n".join(cells_of(path, "markdown")), re.M
        )
        for path in NOTEBOOKS
    }
    statements = 0
    for statement, places in rows:
        named = re.findall(r"(\d\d[a-z]?) \*(.+?)\*", places)
        assert named or statement.strip().startswith("**"), statement
        statements += bool(named)
        for notebook, section in named:
            assert section in sections[notebook], f"{notebook}: {section}"
    assert statements == 26


@each_notebook
def test_notebook_is_stored_as_it_ran(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code if "".join(cell["source"]).strip()]
    assert counts == list(range(1, len(counts) + 1))
    for cell in code:
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", output["text"]


@pytest.mark.parametrize("name", ["electricity", "fat"])
def test_spread_that_the_prose_gives_of_a_preset_is_that_of_its_card(name):
    """So that a preset that is trained anew does not leave a wrong sentence behind."""
    package = NOTEBOOKS[0].parents[1] / "lstm_zoo"
    metrics = json.loads((package / "presets" / name / "metrics.json").read_text())
    scores = metrics["scores"]["LSTM"]
    texts = [text for path in NOTEBOOKS for text in cells_of(path, "markdown")]
    [text] = [text for text in texts if f"preset `{name}`" in text]
    least, most = f"{min(scores):.3f}", f"{max(scores):.3f}"
    assert (least if least == most else f"{least} to {most}") in text


def test_stamping_a_new_address_reaches_every_place(tmp_path, monkeypatch):
    module = stamp_address()
    old = module.address()
    for path in NOTEBOOKS:
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "address", lambda: "someone/else")
    module.main()
    for path in tmp_path.glob("*.ipynb"):
        text = path.read_text()
        assert "github.com/someone/else" in text
        assert f"github.com/{old}" not in text
        json.loads(text)
