"""Loads stored results of trainings that take too long for a notebook."""

import csv

from lstm_zoo import checks
from lstm_zoo.files import folders


def results(name: str) -> tuple[str, list[dict]]:
    """Stored results of trainings that take too long for a notebook.

    Args:
        name: the name of a CSV file in `notebooks/results`, without its suffix.

    Returns:
        A line about the machine that made the results, and a list of rows, each a dict with floats
        for numbers.

    Raises:
        ValueError: if the file does not exist.

    Example:
        >>> machine, rows = results("08_ablation")
        >>> len(rows), rows[0]["lstm_layers"]
        (80, 1.0)
    """
    stored = {
        path.stem: path for folder in folders("results") for path in sorted(folder.glob("*.csv"))
    }
    made_on, *lines = stored[checks.one_of("name", name, stored)].read_text().splitlines()
    rows = [{key: _number(text) for key, text in row.items()} for row in csv.DictReader(lines)]
    return made_on.removeprefix("# "), rows


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text
