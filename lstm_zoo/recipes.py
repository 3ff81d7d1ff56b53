"""Reads the stored files of each preset: recipe, recorded scores, card, example file.

None of this needs TensorFlow, so that the command answers at once.
"""

import fnmatch
import json
import pathlib
from dataclasses import dataclass, field
from typing import Any

from lstm_zoo import checks
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Recipe", "list_presets", "read_recipe"]

HOME = pathlib.Path(__file__).resolve().parent / "presets"
OURS = "LSTM"  # the name of the preset's own model among its scores


@dataclass(frozen=True)
class Recipe:
    """The settings to train a preset.

    Attributes:
        name: the name of the preset and of its folder.
        title: one line for the list and the card.
        task: the name of a task in `lstm_zoo.presets.tasks`, which prepares the data, builds the
            model and scores it.
        data: settings of the data, such as the name of a data set, lengths, seeds.
        model: arguments of the builder.
        training: `epochs`, `batch_size`, `learning_rate` (the maximum, from which it falls to 0 in
            half a cosine), and other arguments of `lstm_zoo.fit`.
        limits: the limits of the model, for the card.
        space: for `lstm_zoo.tune`: a dict from "model.lstm_units", "training.learning_rate" and so
            on to a list of values to try.
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
    """The names of all presets, or of those whose name or task matches a pattern.

    Raises:
        ValueError: if the pattern is not a string.

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
        ValueError: if the preset does not exist; the message suggests the nearest name.

    >>> read_recipe("mnist1d").task
    'classification'
    """
    checks.one_of("name", name, list_presets())
    return _read(HOME / name / "recipe.json")


def recorded(name: str) -> dict[str, Any]:
    """The recorded numbers of the run that trained the preset."""
    return json.loads((HOME / name / "metrics.json").read_text(encoding="utf-8"))


def compared(metrics: dict[str, Any]) -> tuple[float, str, float, bool]:
    """The mean score, the best other model, its mean score, and whether ours is better.

    >>> mean, other, score, won = compared(recorded("mnist1d"))
    >>> won, mean > score
    (True, True)
    """
    sign = 1 if metrics["higher_is_better"] else -1
    others = {label: [score] for label, score in metrics["baselines"].items()}
    others |= {label: found for label, found in metrics["scores"].items() if label != OURS}
    means = {label: sum(scores) / len(scores) for label, scores in others.items()}
    best = max(means, key=lambda label: sign * means[label])
    ours = sum(metrics["scores"][OURS]) / len(metrics["scores"][OURS])
    return ours, best, means[best], sign * ours > sign * means[best]


def stored_card(name: str) -> str:
    """The stored card of a preset, the same as `lz.preset_card(name)`.

    Raises:
        ValueError: if the preset does not exist.

    >>> print(stored_card("mnist1d").splitlines()[0])
    # mnist1d
    """
    return (HOME / read_recipe(name).name / "card.md").read_text(encoding="utf-8")


def example_file(name: str) -> str:
    """A complete example file for `lstm-zoo predict` with a preset.

    Raises:
        ValueError: if the preset does not exist.

    >>> example_file("italy_power").splitlines()[:2]
    ['demand', '0.472973']
    """
    return (HOME / read_recipe(name).name / "example.txt").read_text(encoding="utf-8")


def _read(path):
    return Recipe(name=path.parent.name, **json.loads(path.read_text(encoding="utf-8")))


_suggest(__name__)
