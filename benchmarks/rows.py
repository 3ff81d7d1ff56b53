"""Rows of the leaderboards in a dated CSV file, each with its commit and machine."""

import csv
import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from lstm_zoo.files import replacing

HERE = Path(__file__).parent
RESULTS = HERE / "results"
MARKS = "<!-- table -->", "<!-- /table -->"


def cpu():
    """The name of the processor."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((li.split(": ")[1] for li in lines if li.startswith("model name")), name)
    return name


def machine():
    versions = (importlib.metadata.version(name) for name in ("tensorflow", "keras"))
    return "{} of {} cores; TensorFlow {}; Keras {}".format(cpu(), os.cpu_count(), *versions)


def commit():
    try:
        command = ["git", "-C", HERE, "rev-parse", "--short", "HEAD"]
        return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def newest(name, new=False):
    """The newest `results/DATE-name.csv`; today's if there is none, or with `new`."""
    found = sorted(RESULTS.glob(f"*-{name}.csv"))
    return found[-1] if found and not new else RESULTS / f"{datetime.date.today()}-{name}.csv"


class Table:
    """Rows in a CSV file, which is written after each row and read again after an interruption."""

    def __init__(self, path):
        self.path, self.rows = path, []
        if path.exists():
            with open(path, newline="") as file:
                self.rows = list(csv.DictReader(file))

    def find(self, **wanted):
        wanted = {name: str(value) for name, value in wanted.items()}
        return [r for r in self.rows if all(r[name] == value for name, value in wanted.items())]

    def add(self, row):
        """Append a row, with the commit and the machine behind it."""
        row = row | {"commit": commit(), "machine": machine()}
        self.rows.append({name: str(value) for name, value in row.items()})
        print(*list(row.values())[:-2], flush=True)
        with replacing(self.path) as path, open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, row)
            writer.writeheader()
            writer.writerows(self.rows)


def write_tables(page, tables):
    """Write the tables between their marks in a page of docs/."""
    page = HERE.parent / "docs" / page
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    with replacing(page) as temporary:
        temporary.write_text(f"{before}{MARKS[0]}\n\n{tables}\n{MARKS[1]}{after}", encoding="utf-8")
