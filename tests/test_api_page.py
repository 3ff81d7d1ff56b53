"""docs/api.md is up to date with the docstrings (docs/make_api.py makes it)."""

import pathlib
import re
import runpy

import lstm_zoo as lz

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_page_is_up_to_date():
    make_api = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
    assert make_api["page"]() == PAGE, "the docstrings have changed: make docs"


def test_page_has_every_name_of_the_package():
    headings = re.findall(r"^### `(.+)`$", PAGE, flags=re.MULTILINE)
    assert len(headings) == len(set(headings))
    missing = [name for name in lz.__all__ if f"lz.{name}" not in headings]
    rooms = re.findall(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    assert {name for name in missing if name not in rooms} <= {"inspection"}


def test_page_shows_defaults_and_no_address_of_memory():
    assert "lz.fit(model, x, y=None, *, " in PAGE
    assert " at 0x" not in PAGE


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
