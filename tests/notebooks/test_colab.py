"""A notebook where nothing is but TensorFlow and Matplotlib, as in Colab: it fetches the rest.

The repository stands at a local address here, made from the files as they are now.
"""

import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from packaging.requirements import Requirement

ROOT = pathlib.Path(__file__).parents[2]
THERE = ("tensorflow", "matplotlib", "ipykernel")

pytestmark = pytest.mark.long  # installs first


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a fresh environment with what Colab has and not the package."""
    place = tmp_path_factory.mktemp("colab") / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    [packages] = place.glob("lib/python*/site-packages")
    for distribution in with_what_they_need(THERE):
        for file in distribution.files:
            if ".." not in file.parts:  # a command, elsewhere
                give(file.locate(), packages / file)
    return place / "bin" / "python"


def with_what_they_need(names):
    """The installed distributions of these names, and of all that they require."""
    found, wanted = {}, list(names)
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in found:
            continue
        found[name] = importlib.metadata.distribution(name)
        needed = map(Requirement, found[name].requires or [])
        wanted += [one.name for one in needed if not one.marker or one.marker.evaluate()]
    return found.values()


def give(file, to):
    """A second name for a file, or a copy where the place is on another disk."""
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, to)
    except OSError:
        shutil.copy2(file, to)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a git repository with the files of this one."""
    repository = tmp_path_factory.mktemp("repository") / "lstm-zoo"
    hidden = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "out")
    shutil.copytree(ROOT, repository, ignore=hidden)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "--all"], [*who, "commit", "-q", "-m", "all of it"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    return f"git+file://{repository}"


def packages(python):
    listed = subprocess.check_output([python, "-m", "pip", "freeze"], text=True)
    return dict(re.findall(r"^([\w.-]+)(?:==| @ )(.+)$", listed, re.M))


def test_a_notebook_runs_through_in_a_folder_of_its_own(python, address, tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_ZOO_SOURCE", address)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    before = packages(python)
    assert "lstm-zoo" not in before
    execute("00_quickstart", python, tmp_path)
    after = packages(python)
    assert after["lstm-zoo"].startswith(address)
    assert after["tensorflow"] == before["tensorflow"]
    assert after["keras"] == before["keras"]
    stored = "import lstm_zoo as lz; assert lz.course.results('07_long_range')[1]"
    subprocess.run([python, "-c", stored], cwd=tmp_path, check=True)


def execute(name, python, folder):
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    kernel = AsyncKernelManager()
    kernel._kernel_spec = KernelSpec(
        argv=[str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    )
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=600,
        startup_timeout=600,  # a busy machine takes more than the usual minute
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()  # raises what a cell raises
    ran = [cell for cell in client.nb.cells if cell.cell_type == "code" and cell.source]
    assert all(cell.execution_count for cell in ran)
