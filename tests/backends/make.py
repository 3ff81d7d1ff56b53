"""Writes tests/data/backends.npz, the numbers of TensorFlow: python tests/backends/make.py"""

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cases

if cases.keras.backend.backend() != "tensorflow":
    raise SystemExit("these numbers are TensorFlow's: set KERAS_BACKEND=tensorflow")
path = pathlib.Path(__file__).parents[1] / "data" / "backends.npz"
np.savez_compressed(path, **{case: cases.computed(case) for case in cases.CASES})
print(path, path.stat().st_size, "bytes")
