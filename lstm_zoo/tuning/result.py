"""The result of a search."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class Tuning:
    """The result of `lz.tune`; `print` shows it as a table.

    Attributes:
        best: the winning settings, as arguments of the builder; {} if the default won.
        found: the settings with the lowest loss in the search, even if they did not win.
        trials: the settings and the validation loss of each trial.
        default: the validation loss of the default.
        scores: for "default" and "found", a list with one dict per seed: the loss and the metrics
            on the part that the search never saw. Empty if Ctrl-C ended the search.
        epochs: the number of epochs until the winner's validation loss was lowest, averaged over
            the seeds.
        said: a description of how the data were divided.
        build: a function that builds a new model with the settings in `best`.
    """

    best: dict[str, Any]
    found: dict[str, Any]
    trials: list[tuple[dict[str, Any], float]]
    default: float
    scores: dict[str, list[dict[str, float]]]
    epochs: int
    said: str
    build: Callable[[], keras.Model]

    def __repr__(self) -> str:
        losses = {
            "default": self.default,
            "found": min((loss for _, loss in self.trials), default=np.nan),
        }
        compared = bool(self.scores)
        names = sorted(self.scores["default"][0], key="loss".__ne__) if compared else []
        head = ["", "validation loss", *(f"unseen {name.replace('_', ' ')}" for name in names)]
        rows = [head]
        for row, loss in losses.items():
            cells = [_spread([score[name] for score in self.scores[row]]) for name in names]
            rows.append([row, f"{loss:.4g}", *cells])
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        seeds = f"; unseen: mean over {len(self.scores['default'])} seeds" if compared else ""
        return "\n".join(
            [f"{len(self.trials)} trials, validated on {self.said}{seeds}", *lines, self._verdict()]
        )

    def _verdict(self):
        if not self.scores:
            return f"Interrupted before the comparison on unseen data; found {_call(self.found)}."
        if not self.best:
            return f"Keep the default: {_call(self.found)} is no better on unseen data."
        return f"Take {_call(self.best)}, and train for {self.epochs} epochs."


def _spread(values):
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return f"{np.mean(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def _call(settings):
    return ", ".join(f"{name}={value!r}" for name, value in settings.items()) or "nothing"
