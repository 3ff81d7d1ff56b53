"""A recipe: all that is needed to train a preset, in a page of plain settings."""

import fnmatch
import json
import pathlib
from dataclasses import dataclass, field
from typing import Any

from lstm_zoo import checks

HOME = pathlib.Path(__file__).resolve().parent


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained.

    Attributes:
        name: of the preset, and of its folder.
        title: one line for the list and the card.
        task: the name of the task of `lstm_zoo.presets.tasks` that prepares the data,
            builds the model and scores it.
        data: what the task needs to get its data: the name of a data set, lengths, seeds.
        model: arguments of the builder.
        training: `epochs`, `batch_size`, `learning_rate` (the largest; it falls to 0 along half a
            cosine), and other arguments of `lstm_zoo.fit`.
        limits: what the model cannot do, for the card.
        space: for `lstm_zoo.tune`: lists of values to choose from, by "model.lstm_units",
            "training.learning_rate" and so on.
    """

    name: str
    title: str
    task: str
    data: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]
    limits: str = ""
    space: dict[str, list] = field(default_factory=dict)


def list_presets(pattern: str = "*") -> list[str]:
    """The names of the presets, all or those that a pattern fits: their name or their task.

    Raises:
        ValueError: the pattern is no text.

    >>> list_presets("*forecast*")
    ['electricity', 'sunspots']
    """
    checks.text("pattern", pattern)
    found = []
    for path in sorted(HOME.glob("*/recipe.json")):
        recipe = _read(path)
        if any(fnmatch.fnmatch(text, pattern) for text in (recipe.name, recipe.task)):
            found.append(recipe.name)
    return found


def read_recipe(name: str) -> Recipe:
    """The recipe of a preset.

    Raises:
        ValueError: there is no such preset; the nearest name is offered.

    >>> read_recipe("mnist1d").task
    'classification'
    """
    checks.one_of("name", name, list_presets())
    return _read(HOME / name / "recipe.json")


def _read(path):
    return Recipe(name=path.parent.name, **json.loads(path.read_text(encoding="utf-8")))
