"""Sequence data, small enough to ship: classification, regression, forecasting, anomaly detection
and text.

>>> from lstm_zoo import datasets
>>> datasets.names(task="forecasting")
['electricity', 'sunspots']
>>> datasets.load("japanese_vowels").x_train.shape
(270, 29, 12)

``datasets/README.md`` says for each set what it is, where it comes from and how to cite it;
``datasets/build.py`` makes the files again from the packages that published them.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_zoo import checks, display, precision
from lstm_zoo.files import folders
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Dataset", "load", "names", "windows"]

_FOLDERS = folders("datasets")

_SKTIME = "sktime 1.2.0 (BSD-3-Clause)"
_PMDARIMA = "pmdarima 2.1.1 (MIT)"
_AEON = "aeon 1.6.0 (BSD-3-Clause)"

_CARDS: dict[str, dict[str, Any]] = {
    "japanese_vowels": {
        "task": "classification",
        "class_names": tuple(f"speaker {i}" for i in range(1, 10)),
        "feature_names": tuple(f"LPC cepstrum {i}" for i in range(1, 13)),
        "units": "1",
        "timestep": "6.4 ms",
        "target": "speaker",
        "source": f"UCI Machine Learning Repository, doi:10.24432/C5NS47; read from {_SKTIME}",
        "licence": "CC BY 4.0",
        "citation": "Kudo, Toyama & Shimbo (1999), doi:10.1016/S0167-8655(99)00077-X",
        "sha256": "6d25c4d46d553858645e8840db99f658bb1e1d0559a9a04d81c2e4c10e4a0dae",
    },
    "basic_motions": {
        "task": "classification",
        "class_names": ("standing", "running", "walking", "badminton"),
        "feature_names": tuple(f"{s} {a}" for s in ("accelerometer", "gyroscope") for a in "xyz"),
        "units": "not stated by the source",
        "timestep": "0.1 s",
        "target": "motion",
        "source": f"UEA multivariate time series archive 2018; read from {_SKTIME}",
        "licence": "no licence of its own stated; published in sktime under BSD-3-Clause",
        "citation": "Bagnall et al. (2018), arXiv:1811.00075",
        "sha256": "e5bad130cfb12f852d6638c833d5b43d09863ffa9a6c1222f188ea858586d3c5",
    },
    "digits": {
        "task": "classification",
        "class_names": tuple("0123456789"),
        "feature_names": tuple(f"column {i}" for i in range(1, 9)),
        "units": "ink, 0 to 1",
        "timestep": "1 row of pixels",
        "target": "digit",
        "source": "UCI Machine Learning Repository, doi:10.24432/C50P49; "
        "read from scikit-learn 1.7.2 (BSD-3-Clause)",
        "licence": "CC BY 4.0",
        "citation": "Alpaydin & Kaynak (1998), Cascading classifiers, Kybernetika 34(4), 369-374",
        "sha256": "030e0fcbf7c68d8a2dd0b26cc665aa170e12c6d7b3a3c6c3f2befa14998bda8d",
    },
    "tecator": {
        "task": "regression",
        "class_names": None,
        "feature_names": ("absorbance",),
        "units": "-log10 of the transmittance",
        "timestep": "2 nm of wavelength",
        "target": "fat (% of mass)",
        "source": f"StatLib, recorded on a Tecator Infratec analyzer; read from {_SKTIME}",
        "licence": "The data are available in the public domain with no responsability from the "
        "original data source. The data can be redistributed as long as this permission note is "
        "attached. (Tecator; the whole note stands in datasets/README.md)",
        "citation": "Borggaard & Thodberg (1992), doi:10.1021/ac00029a018",
        "sha256": "192abb8223632c751f51b07ecb9cd185a96e9cad760993387563dba06736a4ba",
    },
    "electricity": {
        "task": "forecasting",
        "class_names": None,
        "feature_names": ("demand",),
        "units": "MW",
        "timestep": "30 min",
        "target": "demand (MW)",
        "source": f"Given by James W. Taylor, England and Wales 2000; read from {_PMDARIMA}",
        "licence": "no licence of its own stated; published in pmdarima under MIT",
        "citation": "Taylor (2003), doi:10.1057/palgrave.jors.2601589",
        "sha256": "620bc0ed8fdb92e2caa39faf3688e5ae23becbc8b493a75dd29518e47f11d020",
    },
    "sunspots": {
        "task": "forecasting",
        "class_names": None,
        "feature_names": ("sunspot number",),
        "units": "1",
        "timestep": "1 month",
        "target": "monthly mean relative sunspot number",
        "source": "Swiss Federal Observatory, Zurich, then Tokyo Astronomical Observatory, "
        f"1749 to 1983; read from {_PMDARIMA}",
        "licence": "no licence of its own stated; published in pmdarima under MIT",
        "citation": "Andrews & Herzberg (1985), doi:10.1007/978-1-4612-5098-2",
        "sha256": "aeb25377034ebdee82edfc83f2d5f3db0c66bf3ebda7776557c5f1fb8430e190",
    },
    "italy_power_demand": {
        "task": "classification",
        "class_names": ("October to March", "April to September"),
        "feature_names": ("demand",),
        "units": "standard deviations of the day",
        "timestep": "1 hour",
        "target": "half of the year",
        "source": f"UCR time series archive; read from {_AEON}",
        "licence": "no licence of its own stated; published in aeon under BSD-3-Clause",
        "citation": "Keogh et al. (2006), Intelligent icons, doi:10.1109/ICDM.2006.90",
        "sha256": "9375f34fc27fbc20181e2b2912ed733d4d9ef7407d58a671d6aa8b4f513103e1",
    },
    "mnist1d": {
        "task": "classification",
        "class_names": tuple("0123456789"),
        "feature_names": ("height",),
        "units": "standard deviations of all samples",
        "timestep": "1 sample",
        "target": "digit",
        "source": "generated by mnist1d 0.0.2.post1, its defaults and seed 42",
        "licence": "Apache-2.0",
        "citation": "Greydanus & Kobak (2024), arXiv:2011.14439",
        "sha256": "9f5fb0a328ecc7b4cfffac527cbe58739b8e2b243e2f4492f7e9f4dd80b7ecbc",
    },
    "surnames": {
        "task": "classification",
        "class_names": (
            "Croatian",
            "Dutch",
            "English",
            "Finnish",
            "French",
            "German",
            "Irish",
            "Italian",
            "Slovak",
            "Spanish",
        ),
        "feature_names": ("letter",),
        "vocabulary": tuple(" '-abcdefghijklmnopqrstuvwxyz"),
        "units": "number of a letter in the vocabulary, from 1; 0 after the end",
        "timestep": "1 letter",
        "target": "language",
        "source": "the lists of surnames of Faker 40.63.0",
        "licence": "MIT",
        "citation": "Faraglia and contributors, Faker, https://pypi.org/project/Faker",
        "sha256": "a9fa3d6886f6ad41526939b174f34a6151837dc9755fdf0cf96770f2574c5dd0",
    },
    "internal_bleeding": {
        "task": "anomaly detection",
        "class_names": ("normal", "anomaly"),
        "feature_names": ("arterial pressure",),
        "units": "not stated by the source",
        "timestep": "not stated by the source",
        "target": "whether a step is part of the anomaly",
        "source": f"UCR anomaly archive, series 135 (InternalBleeding16); read from {_AEON}",
        "licence": "no licence of its own stated; published in aeon under BSD-3-Clause",
        "citation": "Wu & Keogh (2021), doi:10.1109/TKDE.2021.3112126",
        "sha256": "b51f78286e8f2396ae3d00da3077ea9678be7fa235e07cfdf77d356890320e69",
    },
    "python_docs": {
        "task": "text",
        "class_names": None,
        "feature_names": ("character",),
        "vocabulary": tuple(map(chr, (10, *range(32, 127)))),
        "units": "number of a character in the vocabulary, from 1",
        "timestep": "1 character",
        "target": "the next character",
        "source": "CPython 3.11.7, pydoc_data/topics.py: chapters of the language reference",
        "licence": "PSF-2.0, copyright 2001-2023 Python Software Foundation",
        "citation": "Python Software Foundation, The Python Language Reference",
        "sha256": "63abf35d9aec76c48287b9d1554078a777204e5c5582a6b1091b15ec0cb1e69d",
    },
}


@dataclass(frozen=True, repr=False, eq=False)
class Dataset:
    """One data set, split into a training and a test part.

    ==============  ==========================================  =================================
    task            x_train, x_test                             y_train, y_test
    ==============  ==========================================  =================================
    classification  (samples, timesteps, features) float32      (samples,) int32, 0 to classes - 1
    regression      (samples, timesteps, features) float32      (samples, 1) float32
    forecasting     (timesteps, features) float32: one series,  None; cut them with `windows`
                    x_test goes on where x_train ends
    anomaly         (timesteps, features) float32: one series,  None, and (timesteps,) int32 of
    detection       x_train without an anomaly                  the test part: 0 or 1
    text            (characters,) int32: the number of each     None
                    in ``vocabulary``, from 1
    ==============  ==========================================  =================================

    Where x is words (``vocabulary`` is not None), a sample of a classification is a row of letter
    numbers, (samples, timesteps) int32: ``vocabulary[n - 1]`` is letter n, and 0 pads on the right.
    ``lengths_train`` and ``lengths_test``, (samples,) int32, count the steps of each sample where
    samples differ in length (zeros follow, on the right); they are None where all are equal.
    ``units`` are those of x, ``timestep`` is how far apart two steps are, ``target`` is what y is.
    """

    name: str
    task: str
    x_train: np.ndarray
    y_train: np.ndarray | Any  # or None, where there is nothing to index
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
            rows.append((f"it begins, {name}", display.curve(first[:steps, liveliest], name)))
        else:
            first = self.x_train.reshape(-1)[:60] if self.x_train.ndim == 1 else self.x_train[0]
            rows.append(("it begins", "".join(self.vocabulary[n - 1] for n in first if n)))
        rows += [
            (name, text)
            for name in ("units", "timestep", "target", "source", "licence", "citation")
            if (text := getattr(self, name))
        ]
        return display.table(f"{self.name}, {self.task}", ("", ""), rows)


def names(task: str | None = None) -> list[str]:
    """List the data sets, all of them or those of one task.

    >>> names("regression")
    ['tecator']
    """
    tasks = sorted({card["task"] for card in _CARDS.values()})
    if task is not None:
        checks.one_of("task", task, tasks)
    return [name for name, card in _CARDS.items() if task in (None, card["task"])]


def load(name: str) -> Dataset:
    """Read one data set from its file; the arrays are the caller's own, to change at will.

    Args:
        name: one of `names()`.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: the name is unknown, or the file is not the one that was published.
        FileNotFoundError: the file is not there.

    >>> vowels = load("japanese_vowels")
    >>> vowels.class_names[vowels.y_train[0]], int(vowels.lengths_train[0])
    ('speaker 1', 20)
    """
    checks.one_of("name", name, names())
    card = dict(_CARDS[name])
    content = _read(name, card.pop("sha256"))
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    if "vocabulary" in card:
        for key in ("x_train", "x_test"):
            arrays[key] = arrays[key].astype("int32")  # kept as bytes
    optional: dict[str, Any] = dict.fromkeys(("y_train", "y_test", "lengths_train", "lengths_test"))
    return Dataset(name=name, **(optional | arrays), **card)


def windows(
    series, input_steps: int, horizon: int, stride: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a series into what a forecaster sees and what it must foresee.

    Args:
        series: (timesteps, features), or (timesteps,) for a single feature.
        input_steps: steps that the model reads.
        horizon: steps that follow them, which the model forecasts.
        stride: steps from the start of one window to the start of the next.

    Returns:
        x: (n, input_steps, features) float32.
        y: (n, horizon) float32, the first feature over the steps right after x.
        n is ``(timesteps - input_steps - horizon) // stride + 1``.

    Raises:
        ValueError: a count below 1, a series that is too short, of another rank, or not finite, or
            whose changes float32 rounds away.

    >>> x, y = windows([0, 1, 2, 3, 4, 5], input_steps=3, horizon=2)
    >>> x[..., 0].tolist(), y.tolist()
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[3.0, 4.0], [4.0, 5.0]])

    The first forecast of a test part may read the end of the training part:

    >>> data = load("electricity")
    >>> x, y = windows(np.concatenate([data.x_train[-336:], data.x_test]), 336, 48, stride=48)
    >>> x.shape, y.shape
    ((21, 336, 1), (21, 48))
    """
    checks.unmasked("series", series)
    try:
        series = np.asarray(series)
        series = series if series.dtype.kind in "biuf" else series.astype("float64")
    except (TypeError, ValueError):
        raise ValueError(
            f"series must hold numbers in rows of one length, got {series!r}"
        ) from None
    if series.ndim == 1:
        series = series[:, None]
    if series.ndim != 2 or series.shape[1] == 0:
        raise ValueError(
            f"series must have shape (timesteps, features) or (timesteps,), got {series.shape}"
        )
    if not np.isfinite(series).all():
        raise ValueError("series must be finite, got NaN or infinity")
    series = precision.single("series", series)
    input_steps, horizon = (
        checks.count("input_steps", input_steps),
        checks.count("horizon", horizon),
    )
    stride = checks.count("stride", stride)
    if len(series) < input_steps + horizon:
        raise ValueError(
            f"series must have at least input_steps + horizon = {input_steps + horizon} "
            f"timesteps, got {len(series)}"
        )
    steps = np.lib.stride_tricks.sliding_window_view(series, input_steps + horizon, axis=0)
    steps = steps[::stride].swapaxes(1, 2)
    return steps[:, :input_steps].copy(), steps[:, input_steps:, 0].copy()


def _read(name, sha256):
    path = _path(name)
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ValueError(
            f"{path} is damaged or was changed: its SHA-256 is {actual}, expected {sha256}. "
            f"Fetch it again: `git checkout -- datasets/{name}.npz` in a checkout, "
            "`pip install --force-reinstall lstm-zoo` elsewhere."
        )
    return content


def _path(name):
    paths = [folder / f"{name}.npz" for folder in _FOLDERS]
    for path in paths:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"the file of the data set {name!r} is missing, neither {paths[0]} nor {paths[1]} exists; "
        "`pip install --force-reinstall lstm-zoo` brings it back"
    )


_suggest(__name__)
