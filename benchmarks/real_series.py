"""Real series that Python packages carry, for `forecasts.py`. Nothing is downloaded.

The first half was looked at while the forecaster was made. The second half was chosen by name
before any result, and the defaults were not changed after its first results.
"""

import csv
import gzip
import importlib
import importlib.util
import io
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

LONGEST = 4500  # steps of a series, its last; some peers train for hours on more
LICENCES = {  # of the packages
    "pmdarima": "MIT",
    "statsmodels": "BSD-3-Clause; most data in the public domain",
    "sktime": "BSD-3-Clause",
    "vega_datasets": "MIT",
    "pydataset": "MIT; data of R's datasets package, GPL-2 or later",
    "river": "BSD-3-Clause",
}


class Series(NamedTuple):
    """A series: its package, its season and its horizon in steps."""

    name: str
    package: str
    read: object
    season: int
    horizon: int
    seen: bool


def _folder(package):
    """Where a package is, found without an import."""
    found = importlib.util.find_spec(package)
    if found is None:
        raise ModuleNotFoundError(package)
    return Path(found.submodule_search_locations[0])


def _column(lines, column):
    rows = list(csv.DictReader(lines))
    values = [row[column] for row in rows]
    return np.array([float(value) for value in values if value not in ("", "NA")])


def _csv(package, path, column):
    def read():
        with open(_folder(package) / path, newline="", encoding="utf-8") as file:
            return _column(file, column)

    return read


def _r(name, column):
    """A series of R's datasets package, from pydataset."""

    def read():
        with tarfile.open(_folder("pydataset") / "resources.tar.gz") as archive:
            file = archive.extractfile(f"resources/rdata/csv/datasets/{name}.csv")
            return _column(io.TextIOWrapper(file, "utf-8"), column)

    return read


def _pmdarima(name):
    def read():
        module = importlib.import_module(f"pmdarima.datasets.{name}")
        values = np.asarray(getattr(module, f"load_{name}")(as_series=False), float)
        return values[: np.flatnonzero(np.isfinite(values))[-1] + 1]

    return read


def _sunspots():
    path = _folder("pmdarima") / "datasets" / "data" / "sunspots.txt.gz"
    return np.loadtxt(io.StringIO(gzip.decompress(path.read_bytes()).decode("ascii"))).ravel()


def _co2():
    """The means of months; a month without one is interpolated."""
    path = _folder("statsmodels") / "datasets" / "co2" / "co2.csv"
    with open(path, newline="", encoding="utf-8") as file:
        rows = [(row["date"][:6], row["co2"]) for row in csv.DictReader(file)]
    months = sorted({month for month, _ in rows})
    found = [[float(v) for m, v in rows if m == month and v not in ("", "NA")] for month in months]
    means = np.array([np.mean(some) if some else np.nan for some in found])
    there = np.isfinite(means)
    return np.interp(np.arange(len(means)), np.flatnonzero(there), means[there])


def _elnino():
    path = _folder("statsmodels") / "datasets" / "elnino" / "elnino.csv"
    return np.loadtxt(path, delimiter=",", skiprows=1)[:, 1:].ravel()


_MACRO = "datasets/macrodata/macrodata.csv"
_JOBS = "_data/us-employment.csv"
SERIES = [
    Series("airpassengers", "pmdarima", _pmdarima("airpassengers"), 12, 12, True),
    Series("ausbeer", "pmdarima", _pmdarima("ausbeer"), 4, 8, True),
    Series("austres", "pmdarima", _pmdarima("austres"), 4, 8, True),
    Series("lynx", "pmdarima", _pmdarima("lynx"), 10, 10, True),
    Series("taylor", "pmdarima", _pmdarima("taylor"), 48, 48, True),
    Series("wineind", "pmdarima", _pmdarima("wineind"), 12, 12, True),
    Series("woolyrnq", "pmdarima", _pmdarima("woolyrnq"), 4, 8, True),
    Series("co2", "statsmodels", _co2, 12, 12, True),
    Series(
        "elec_equip",
        "statsmodels",
        _csv("statsmodels", "datasets/elec_equip/elec_equip.csv", "STS.M.I7.W.TOVT.NS0016.4.000"),
        12,
        12,
        True,
    ),
    Series("elnino", "statsmodels", _elnino, 12, 12, True),
    Series("realgdp", "statsmodels", _csv("statsmodels", _MACRO, "realgdp"), 4, 8, True),
    Series(
        "sunspots, years",
        "statsmodels",
        _csv("statsmodels", "datasets/sunspots/sunspots.csv", "SUNACTIVITY"),
        11,
        11,
        True,
    ),
    Series(
        "seatbelts",
        "sktime",
        _csv("sktime", "datasets/data/seatbelts/seatbelts.csv", "KSI"),
        12,
        12,
        True,
    ),
    Series(
        "sf_temps",
        "vega_datasets",
        _csv("vega_datasets", "_data/sf-temps.csv", "temp"),
        24,
        24,
        True,
    ),
    Series("nottem", "pydataset", _r("nottem", "nottem"), 12, 12, False),
    Series("UKgas", "pydataset", _r("UKgas", "UKgas"), 4, 8, False),
    Series("USAccDeaths", "pydataset", _r("USAccDeaths", "USAccDeaths"), 12, 12, False),
    Series("JohnsonJohnson", "pydataset", _r("JohnsonJohnson", "JohnsonJohnson"), 4, 8, False),
    Series("LakeHuron", "pydataset", _r("LakeHuron", "LakeHuron"), 1, 5, False),
    Series("unemployment", "statsmodels", _csv("statsmodels", _MACRO, "unemp"), 4, 8, False),
    Series(
        "inflation, Germany",
        "statsmodels",
        _csv("statsmodels", "datasets/interest_inflation/E6.csv", "Dp"),
        4,
        8,
        False,
    ),
    Series("sunspots, months", "pmdarima", _sunspots, 12, 12, False),
    Series(
        "jobs in leisure",
        "vega_datasets",
        _csv("vega_datasets", _JOBS, "leisure_and_hospitality"),
        12,
        12,
        False,
    ),
    Series(
        "jobs in construction",
        "vega_datasets",
        _csv("vega_datasets", _JOBS, "construction"),
        12,
        12,
        False,
    ),
    Series(
        "seattle, lowest of days",
        "vega_datasets",
        _csv("vega_datasets", "_data/seattle-weather.csv", "temp_min"),
        7,
        14,
        False,
    ),
    Series(
        "water flow, hours",
        "river",
        _csv("river", "datasets/water-flow.csv", "Water flow [l/s]"),
        24,
        24,
        False,
    ),
]


def load(series):
    """The values `(timesteps,)` of a series.

    Raises:
        ModuleNotFoundError: if the package that carries it is not installed.
    """
    values = np.asarray(series.read(), float)[-LONGEST:]
    if not np.isfinite(values).all():
        raise ValueError(f"{series.name} has values that are not finite")
    return values
