"""Notebooks where nothing is but TensorFlow and Matplotlib, as in Colab: they fetch the rest.

The repository stands at a local address here, made from the files as they are now.
"""

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

ROOT = pathlib.Path(__file__).parents[2]
THERE = ("tensorflow", "matplotlib", "ipykernel")

pytestmark = pytest.mark.slow  # trains or installs first


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a fresh environment with what Colab has and not the package."""
    place = tmp_path_factory.mktemp("colab")
    pins = (ROOT / "requirements.txt").read_text().splitlines()
    pins = [line for line in pins if line.startswith(tuple(f"{name}==" for name in THERE))]
    (place / "requirements.txt").write_text("\n".join(pins))
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    python = place / "venv" / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "-r", place / "requirements.txt"]
    subprocess.run([python, *install], check=True)
    return python


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


def test_notebooks_run_through_in_a_folder_of_their_own(python, address, tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_ZOO_SOURCE", address)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    before = packages(python)
    assert "lstm-zoo" not in before
    execute("00_quickstart", python, tmp_path)
    after = packages(python)
    assert after["lstm-zoo"].startswith(address)
    assert after["tensorflow"] == before["tensorflow"]
    assert after["keras"] == before["keras"]
    execute("07_long_range_memory", python, tmp_path)  # results that the package brings along


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
