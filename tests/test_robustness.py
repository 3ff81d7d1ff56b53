"""The list of `make test-robust` names tests that exist."""

import pathlib
import runpy

import pytest

ROOT = pathlib.Path(__file__).parent.parent
WHAT = runpy.run_path(str(ROOT / "tests" / "robustness" / "run.py"))["WHAT"]


@pytest.mark.parametrize("named", WHAT)
def test_it_names_a_test_that_exists(named):
    path, _, test = named.partition("::")
    assert (ROOT / path).exists()
    assert not test or f"\ndef {test}(" in (ROOT / path).read_text(encoding="utf-8")
