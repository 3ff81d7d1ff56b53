"""Loads data sets from their files, after checking the files."""

import hashlib
import io
from typing import Any

import numpy as np

from lstm_zoo import checks
from lstm_zoo.datasets.cards import CARDS
from lstm_zoo.datasets.dataset import Dataset
from lstm_zoo.files import folders

FOLDERS = folders("datasets")


def names(task: str | None = None) -> list[str]:
    """List all data sets, or those of one task.

    >>> names("regression")
    ['tecator']
    """
    tasks = sorted({card["task"] for card in CARDS.values()})
    if task is not None:
        checks.one_of("task", task, tasks)
    return [name for name, card in CARDS.items() if task in (None, card["task"])]


def load(name: str) -> Dataset:
    """Load a data set from its file; each call returns new arrays, which you may change.

    Args:
        name: one of `names()`.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: if the name is unknown, or if the file is not the published one.
        FileNotFoundError: if the file is missing.

    >>> vowels = load("japanese_vowels")
    >>> vowels.class_names[vowels.y_train[0]], int(vowels.lengths_train[0])
    ('speaker 1', 20)
    """
    checks.one_of("name", name, names())
    card = dict(CARDS[name])
    content = _read(name, card.pop("sha256"))
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    if "vocabulary" in card:
        for key in ("x_train", "x_test"):
            arrays[key] = arrays[key].astype("int32")  # stored as bytes
    optional: dict[str, Any] = dict.fromkeys(("y_train", "y_test", "lengths_train", "lengths_test"))
    return Dataset(name=name, **(optional | arrays), **card)


def _read(name, sha256):
    path = path_of(name)
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ValueError(
            f"{path} is damaged or was changed: its SHA-256 is {actual}, expected {sha256}. "
            f"Fetch it again: `git checkout -- datasets/{name}.npz` in a checkout, "
            "`pip install --force-reinstall lstm-zoo` elsewhere."
        )
    return content


def path_of(name):
    """The file of a data set: in a wheel, or in a checkout."""
    paths = [folder / f"{name}.npz" for folder in FOLDERS]
    for path in paths:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"the file of the data set {name!r} is missing, neither {paths[0]} nor {paths[1]} exists; "
        "`pip install --force-reinstall lstm-zoo` restores it"
    )
