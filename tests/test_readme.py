import pathlib
import re
import subprocess
import sys

import pytest

import lstm_zoo as lz

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


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


def test_example_is_about_ten_lines():
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(example.strip().splitlines()) <= 11


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


def test_every_name_it_mentions_is_there():
    for name in re.findall(r"\blz\.([a-z_]+)", README):
        assert hasattr(lz, name), name
