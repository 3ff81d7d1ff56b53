"""A data set as an object, with its arrays and their description."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_zoo import display


@dataclass(frozen=True, repr=False, eq=False)
class Dataset:
    """A data set, split into a training part and a test part.

    ==============  ==========================================  =================================
    task            x_train, x_test                             y_train, y_test
    ==============  ==========================================  =================================
    classification  (samples, timesteps, features) float32      (samples,) int32, 0 to classes - 1
    regression      (samples, timesteps, features) float32      (samples, 1) float32
    forecasting     (timesteps, features) float32: one series,  None; cut them with `windows`
                    x_test continues x_train
    anomaly         (timesteps, features) float32: one series,  None, and (timesteps,) int32 of
    detection       x_train without an anomaly                  the test part: 0 or 1
    text            (characters,) int32: the number of each     None
                    in ``vocabulary``, starting at 1
    ==============  ==========================================  =================================

    If x holds words (``vocabulary`` is not None), a sample of a classification is a row of letter
    numbers, (samples, timesteps) int32. ``vocabulary[n - 1]`` is letter n, and 0 is padding.
    ``lengths_train`` and ``lengths_test``, (samples,) int32, are the lengths of the samples, which
    are padded with zeros at the end; they are None if all lengths are equal. ``units`` are the
    units of x, ``timestep`` is the time between two steps, and ``target`` describes y.
    """

    name: str
    task: str
    x_train: np.ndarray
    y_train: np.ndarray | Any  # or None
    x_test: np.ndarray
    y_test: np.ndarray | Any
    lengths_train: np.ndarray | None
    lengths_test: np.ndarray | None
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...]
    units: str
    timestep: str
    target: str
    source: str
    licence: str
    citation: str
    vocabulary: tuple[str, ...] | None = None

    def __repr__(self):
        shapes = f"x_train {self.x_train.shape}, x_test {self.x_test.shape}"
        return f"Dataset({self.name!r}, {self.task}, {shapes})"

    def _repr_html_(self) -> str:
        shapes = [
            (part, " x ".join(map(str, array.shape)), str(array.dtype))
            for part in ("x_train", "y_train", "x_test", "y_test")
            if (array := getattr(self, part)) is not None
        ]
        rows = [(part, f"{shape} {kind}") for part, shape, kind in shapes]
        if self.vocabulary is None:
            first = self.x_train[0] if self.x_train.ndim == 3 else self.x_train
            steps = None if self.lengths_train is None else int(self.lengths_train[0])
            liveliest = int(np.argmax(np.ptp(first[:steps], axis=0)))
            name = self.feature_names[liveliest]
            rows.append((f"first steps, {name}", display.curve(first[:steps, liveliest], name)))
        else:
            first = self.x_train.reshape(-1)[:60] if self.x_train.ndim == 1 else self.x_train[0]
            rows.append(("first steps", "".join(self.vocabulary[n - 1] for n in first if n)))
        rows += [
            (name, text)
            for name in ("units", "timestep", "target", "source", "licence", "citation")
            if (text := getattr(self, name))
        ]
        return display.table(f"{self.name}, {self.task}", ("", ""), rows)
