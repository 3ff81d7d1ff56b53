"""A model as data: a list of steps over arrays, with the weights; it needs no Keras.

An array of a plan is `(batch, steps, width)`. How many steps it has is a `Size`: a number, or that
of an axis of an input. What the last axes of a result are is known to `Result` alone.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np

from lstm_zoo import files

FORMAT = 1  # of a file; a newer one is refused
MAGIC = "plan.json"


class Size(NamedTuple):
    """A number of steps: `plus`, and what an axis of an input has, if there is one."""

    plus: int
    source: int | None = None
    axis: int = 1


class Input(NamedTuple):
    """An array that a model takes: `shape` is without the batch, None where a size is open."""

    name: str
    shape: tuple
    dtype: str  # "float32" or "int32"
    value: int
    rows: int | None = None  # the size of the first axis if it is not the batch


class Result(NamedTuple):
    """An array that a model gives: `shape` is without the batch, of numbers and of `Size`s."""

    name: str
    shape: tuple
    value: int


@dataclass
class Step:
    """An operation of `lstm_zoo/serving/native`: values by number, and weights by number."""

    operation: str
    inputs: list
    outputs: list
    options: list = field(default_factory=list)
    number: float = 0.0
    weights: list = field(default_factory=list)


@dataclass
class Plan:
    """What is run: `lstm_zoo.serving.compiled` does so.

    `values` are pairs of the number of a size and a width; `alike` pairs of sizes that must be the
    same number in a call. `takes` and `gives` are how inputs and results are nested: numbers of
    these in lists and dicts, or one number.
    """

    name: str
    sizes: list = field(default_factory=list)
    values: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    weights: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    results: list = field(default_factory=list)
    alike: list = field(default_factory=list)
    takes: object = 0
    gives: object = 0
    no_steps: str = "the file holds no model that reads step by step"  # why there is no stream

    def written(self) -> dict:
        """All but the weights, as what JSON can hold."""
        data = asdict(self)
        del data["weights"]
        return {"format": FORMAT, **data}

    @classmethod
    def read(cls, data: dict, weights: list) -> Plan:
        """The inverse of `written`."""
        data = dict(data)
        if data.pop("format") != FORMAT:
            raise ValueError("it was written by a newer version of lstm_zoo")
        weights = [_single(one) for one in weights]
        data["sizes"] = [Size(*one) for one in data["sizes"]]
        data["steps"] = [Step(**one) for one in data["steps"]]
        data["inputs"] = [Input(one[0], tuple(one[1]), *one[2:]) for one in data["inputs"]]
        data["results"] = [
            Result(name, tuple(Size(*s) if isinstance(s, list) else s for s in shape), value)
            for name, shape, value in data["results"]
        ]
        return cls(weights=weights, **data)


def _short(weight):
    """The upper halves of float32 numbers whose lower halves are zeros: they are bfloat16."""
    bits = weight.view("uint32")
    return weight if (bits & 0xFFFF).any() else (bits >> 16).astype("uint16")


def _single(stored):
    """The inverse of `_short`."""
    if stored.dtype == "uint16":
        return (stored.astype("uint32") << 16).view("float32")
    return np.ascontiguousarray(stored, "float32")


def save(plans: dict, path) -> None:
    """Write plans to one file: a zip of a JSON text and `.npy` arrays, no pickle in it."""
    with files.replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        shared: dict = {}
        written = {}
        for name, plan in plans.items():
            numbers = []
            for weight in plan.weights:
                key = (weight.shape, weight.tobytes())
                if key not in shared:
                    shared[key] = len(shared)
                    data = io.BytesIO()
                    np.save(data, _short(weight), allow_pickle=False)
                    archive.writestr(f"{shared[key]}.npy", data.getvalue())
                numbers.append(shared[key])
            written[name] = {"plan": plan.written(), "weights": numbers}
        archive.writestr(MAGIC, json.dumps(written))


def load(path) -> dict:
    """The plans of a file that `save` wrote.

    Raises:
        ValueError: if it is another file, is damaged, or is from a newer version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            written = json.loads(archive.read(MAGIC))
            arrays: dict = {}
            for one in written.values():
                for number in one["weights"]:
                    if number not in arrays:
                        data = io.BytesIO(archive.read(f"{number}.npy"))
                        arrays[number] = np.load(data, allow_pickle=False)
        return {
            name: Plan.read(one["plan"], [arrays[k] for k in one["weights"]])
            for name, one in written.items()
        }
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, KeyError, TypeError, AttributeError, ValueError, OSError) as wrong:
        raise ValueError(
            f"path must be a file of Predictor.save, got {str(path)!r}: {wrong}"
        ) from wrong
