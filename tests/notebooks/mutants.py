"""Which notebooks notice a wrong LSTM: change one equation of the cell, and run the course.

    python tests/notebooks/mutants.py

Each mutant is tried on a copy of the package in a temporary folder. The C library stays as it is:
a notebook may notice by a formula, by Keras or by the C code. Notebooks run until two have failed
(with `--all` to the last); the exit status is 0 if that came with each mutant. It takes ten minutes
and more, so it is no part of `make test`.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = pathlib.Path(__file__).parents[2]
CELL = "lstm_zoo/cells/lstm.py"
NOTEBOOKS = (
    "03_lstm_architecture",
    "05_step_by_step",
    "06_backpropagation_through_time",
    "02_the_gradient_problem",
    "04_the_gates",
    "00_quickstart",
)
# name: (the text in CELL, what it becomes)
MUTANTS = {
    "forget gate scaled by 0.97": ("c = f * c + i * g", "c = 0.97 * f * c + i * g"),
    "input gate added, not multiplied": ("c = f * c + i * g", "c = f * c + i + g"),
    "no tanh at the output": ("h = o * self.activation(c)", "h = o * c"),
    "gates i and f exchanged": ("i, f, g, o = ops.split(z", "f, i, g, o = ops.split(z"),
    "dc not carried back": (
        '("cell_state", "previous_cell_state"): f,',
        '("cell_state", "previous_cell_state"): ops.zeros_like(f),',
    ),
}


def mutate(folder: pathlib.Path, old: str, new: str):
    """Copy what the notebooks need into `folder`, and change the cell there."""
    for name in ("lstm_zoo", "notebooks", "datasets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / CELL).read_text()
    if text.count(old) != 1:
        raise ValueError(f"{CELL} must hold {old!r} once, got {text.count(old)} times")
    (folder / CELL).write_text(text.replace(old, new))


def failure(folder: pathlib.Path, name: str) -> str | None:
    """The id of the first cell of a notebook that fails in `folder`, with the error; else None."""
    notebook = nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4)
    where = {"metadata": {"path": str(folder / "notebooks")}}
    client = NotebookClient(notebook, timeout=600, resources=where)
    try:
        client.execute(env={**os.environ, "PYTHONPATH": str(folder)})
    except CellExecutionError as error:
        [cell] = [c for c in notebook.cells if any(o.output_type == "error" for o in outputs(c))]
        return f"{cell.id}: {error.ename} {error.evalue}".strip()
    return None


def outputs(cell):
    return cell.get("outputs", [])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mutants", nargs="*", help="parts of their names; all if none")
    parser.add_argument("--all", action="store_true", help="go on after the second that fails")
    asked = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    missed = []
    for name, (old, new) in MUTANTS.items():
        if asked.mutants and not any(part in name for part in asked.mutants):
            continue
        print(name, flush=True)
        noticed = 0
        with tempfile.TemporaryDirectory() as folder:
            mutate(pathlib.Path(folder), old, new)
            for notebook in NOTEBOOKS:
                start = time.perf_counter()
                why = failure(pathlib.Path(folder), notebook)
                took = f"{time.perf_counter() - start:.0f} s"
                print(f"  {notebook} ({took}): {why or 'does not notice'}", flush=True)
                noticed += why is not None
                if noticed == 2 and not asked.all:
                    break
        if noticed < 2:
            missed.append(name)
    sys.exit(f"fewer than two notebooks notice: {', '.join(missed)}" if missed else None)


if __name__ == "__main__":
    main()
