"""Public functions refuse what is wrong and nothing else happens; more of it by fuzz_public.py."""

import os
import pathlib
import subprocess
import sys

import pytest

import lstm_zoo as lz


@pytest.mark.slow
def test_whatever_is_given_ends_in_a_result_or_a_value_error():
    script = pathlib.Path(__file__).with_name("fuzz_public.py")
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(lz.__file__).parents[1])}
    command = [sys.executable, str(script), "--cases", "600"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
