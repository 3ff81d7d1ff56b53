"""Models saved by 0.1.0 load in a process that imports nothing else, with equal predictions."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

SAVED = pathlib.Path(__file__).parent / "data" / "saved_by_0_1_0"
NAMES = sorted(path.stem for path in SAVED.glob("*.keras"))

PROGRAM = """
import sys
import keras, lstm_zoo, numpy as np
folder, out, *names = sys.argv[1:]
x = np.load(folder + "/numbers.npz")["x"]
numbers = {}
for name in names:
    model = keras.models.load_model(f"{folder}/{name}.keras", safe_mode=True)
    results = model.predict(x, verbose=0)
    for k, part in enumerate(results if isinstance(results, list) else [results]):
        numbers[f"{name}_{k}"] = part
    numbers[f"{name}_compiled"] = np.array(model.compiled)
np.savez(out, **numbers)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    out = tmp_path_factory.mktemp("loaded") / "numbers.npz"
    subprocess.run([sys.executable, "-c", PROGRAM, SAVED, out, *NAMES], check=True)
    with np.load(out) as numbers:
        return dict(numbers)


@pytest.mark.slow
def test_every_number_is_that_of_0_1_0(loaded):
    with np.load(SAVED / "numbers.npz") as expected:
        names = [name for name in expected.files if name != "x"]
        assert len(names) == 9
        for name in names:
            np.testing.assert_allclose(loaded[name], expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_model_comes_back_compiled_if_it_was(loaded, name):
    assert bool(loaded[f"{name}_compiled"]) == (name != "layers")
