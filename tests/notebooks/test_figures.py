"""Every stored figure has an alternative text, and it is that of the paragraph behind it."""

import json
import pathlib
import runpy

import nbformat
import pytest
from nbconvert import HTMLExporter

NOTEBOOKS = sorted(pathlib.Path(__file__).parents[2].glob("notebooks/*.ipynb"))
SCRIPT = runpy.run_path(str(NOTEBOOKS[0].parent / "describe_figures.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_figure_is_described_by_the_paragraph_behind_it(path):
    cells = json.loads(path.read_text())["cells"]
    figures = [k for k, cell in enumerate(cells) if SCRIPT["has_figure"](cell)]
    assert figures
    for k in figures:
        alt = cells[k]["metadata"].get("alt", "")
        assert len(alt) > 25, f"{cells[k]['id']}: run notebooks/describe_figures.py"
        assert alt == SCRIPT["alt_of"](cells, k), f"{cells[k]['id']}: run it again"
        assert not set("$*`\\\n") & set(alt)


def test_description_is_plain_text_of_the_first_sentences():
    markdown = (
        "Text.\n\n**What to see.** Two *lines* fall, as $e^{-t}$ does:\nfast. See [02](02.ipynb). "
        "A third sentence makes it more than a hundred characters. A fourth is not taken.\n\nNext."
    )
    assert SCRIPT["described"](markdown) == (
        "Two lines fall, as e^-t does: fast. See 02. "
        "A third sentence makes it more than a hundred characters."
    )


def test_script_writes_it_and_keeps_figures_without_a_paragraph(tmp_path):
    figure = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    cells = [nbformat.v4.new_code_cell(outputs=[figure]) for _ in range(2)]
    cells[0].metadata["alt"] = "A slider."
    cells.append(nbformat.v4.new_markdown_cell("**What to see.** A line."))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    SCRIPT["main"](tmp_path)
    written = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    assert [cell.metadata.get("alt") for cell in written.cells] == ["A slider.", "A line.", None]
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(written)
    assert 'alt="A slider."' in page
    assert 'alt="A line."' in page
