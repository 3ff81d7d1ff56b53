"""Every file in datasets/ is complete, finite, described, and has the documented shapes."""

import pathlib

import numpy as np
import pytest

from lstm_zoo import datasets

TASKS = ("classification", "regression", "forecasting", "anomaly detection", "text")
FOLDER = pathlib.Path(__file__).parents[2] / "datasets"
every_file = pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*.npz")), ids=lambda path: path.stem
)


@every_file
def test_file_is_loaded_by_its_name_and_described(path):
    data = datasets.load(path.stem)
    assert data.task in TASKS
    for words in (data.units, data.timestep, data.target, data.source, data.licence, data.citation):
        assert words
    assert path.stem in (FOLDER / "README.md").read_text()


@every_file
def test_arrays_are_finite_and_fit_each_other(path):
    data = datasets.load(path.stem)
    for part in ("train", "test"):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        assert x.dtype == (np.float32 if data.vocabulary is None else np.int32)
        assert np.isfinite(x).all()
        if data.vocabulary is None:
            assert x.shape[-1] == len(data.feature_names)
        if y is None:
            assert part == "train" or data.task in ("forecasting", "text")
            continue
        assert len(x) == len(y)
        if data.task == "classification":
            assert set(np.unique(y)) == set(range(len(data.class_names)))
        lengths = getattr(data, f"lengths_{part}")
        if lengths is not None:
            beyond = np.arange(x.shape[1]) >= lengths[:, None]
            assert (x[beyond] == 0).all()
