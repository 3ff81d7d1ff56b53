"""`make test-robust` perturbs starting weights from outside, by about a millionth of each."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

AT_START = pathlib.Path(__file__).with_name("at_start")
WEIGHTS = """
import keras

for make in ("GlorotUniform", "Orthogonal", "RandomNormal", "Ones", "Zeros"):
    initializer = getattr(keras.initializers, make)
    weights = initializer(seed=0) if make not in ("Ones", "Zeros") else initializer()
    print(*[float(v) for v in keras.ops.reshape(weights((8, 8)), (-1,))])
"""


def starting_weights(seed):
    """Weights of five initializers, (5, 64), in a process whose weights are perturbed by a seed."""
    environment = {**os.environ, "PYTHONPATH": str(AT_START)}
    if seed:
        environment["PERTURB_WEIGHTS"] = seed
    command = [sys.executable, "-c", WEIGHTS]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return np.array([line.split() for line in said.stdout.splitlines()], float)


@pytest.mark.long
def test_a_seed_moves_drawn_weights_by_a_millionth_and_constant_ones_not_at_all():
    plain, moved = starting_weights(None), starting_weights("1")
    np.testing.assert_array_equal(moved[3:], plain[3:])
    relative = np.abs(moved[:3] / plain[:3] - 1)
    assert 3e-7 < relative.mean() < 3e-6
    assert np.mean(relative > 0) > 0.8  # float32 rounds the smallest away
