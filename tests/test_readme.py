import pathlib
import re
import subprocess
import sys

import pytest

import lstm_zoo as lz

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "docs" / "inspection.md"]


@pytest.mark.slow
def test_python_example_runs_as_written_and_is_right_about_the_motions(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    seeded = (
        "import keras; keras.utils.set_random_seed(0)\n" + example
    )  # the same weights each time
    result = subprocess.run(
        [sys.executable, "-c", seeded], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    accuracy = int(re.search(r"(\d+)% of the test motions are right", result.stdout)[1])
    assert accuracy >= 80  # 25 by chance
    assert (tmp_path / "out" / "motions.keras").exists()


def checked(code, tmp_path):
    """What a type checker says of a program: a list of its errors, each with the line."""
    path = tmp_path / "program.py"
    path.write_text(code)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--show-error-codes", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not result.stderr, result.stderr
    return [
        f"{code.splitlines()[int(number) - 1].strip()}: {error}"
        for number, error in re.findall(r"program\.py:(\d+): error: (.*)", result.stdout)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_type_checker_passes_the_code_of_the_pages(page, tmp_path):
    code = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    assert checked("\n".join(code), tmp_path) == []


@pytest.mark.slow
def test_a_type_checker_finds_a_misspelt_name(tmp_path):
    program = """
import numpy as np

import lstm_zoo as lz

x = np.zeros((2, 5, 3))
inside = lz.trace(lz.LSTM(4), x)
print(inside.forgett)
lz.plots.plot_trce(inside)
lz.buld_classifier((5, 3), 2)
print(inside.forget_gate.mean(), inside.forward.hidden_state)
lz.plots.plot_trace(inside)
"""
    errors = checked(program, tmp_path)
    found = [error.split(":")[0] for error in errors]
    assert sorted(set(found)) == [
        "lz.buld_classifier((5, 3), 2)",
        "lz.plots.plot_trce(inside)",
        "print(inside.forgett)",
    ], errors


@pytest.mark.slow
def test_a_type_checker_finds_a_misspelt_or_wrong_argument_of_a_builder(tmp_path):
    program = """
import lstm_zoo as lz

lz.build_classifier((5, 3), 2, dropout=0.1, loss="mse", name="right", output="sigmoid")
lz.build_classifier((5, 3), 2, dropot=0.1)
lz.build_tagger((5, 3), 2, dropout="much")
lz.build_seq2seq(5, 5, mask_value=0.0)
lz.build_forecaster((5, 3), 2, cell=lz.LSTMCell, learning_rate=0.1, mask_value=None)
"""
    errors = checked(program, tmp_path)
    assert [error.split(":")[0] for error in errors] == [
        "lz.build_classifier((5, 3), 2, dropot=0.1)",
        'lz.build_tagger((5, 3), 2, dropout="much")',
        "lz.build_seq2seq(5, 5, mask_value=0.0)",
    ], errors


def test_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"`?make (\w+)`?", README)
    assert {"demo", "test", "lab"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_every_link_to_a_file_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) > 10
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in README.splitlines()}
    for link in links:
        there = link[1:] in headings if link.startswith("#") else (ROOT / link).exists()
        assert there, link


def test_the_map_has_every_folder_and_every_module_of_the_package():
    map_of_folders = README[README.index("## The repository") : README.index("## The course")]
    linked = {link.rstrip("/") for link in re.findall(r"\]\(([^)]+)\)", map_of_folders)}
    folders = {link.split("/")[0] for link in linked}
    written = {
        path.parent.name for end in ("py", "md", "sh") for path in ROOT.glob(f"[!.]*/*.{end}")
    }
    assert written <= folders
    ours = {f"lstm_zoo/{path.name}" for path in (ROOT / "lstm_zoo").glob("[!_.]*")}
    in_package = {link for link in linked if re.fullmatch("lstm_zoo/[^/]+", link)}
    assert ours - {"lstm_zoo/py.typed"} == in_package


def test_every_name_it_mentions_is_there():
    for name in re.findall(r"\blz\.([a-z_]+)", README):
        assert hasattr(lz, name), name


def test_citations_name_the_version_of_the_package():
    assert f"version = {{{lz.__version__}}}" in README
    assert f"\nversion: {lz.__version__}\n" in (ROOT / "CITATION.cff").read_text()
