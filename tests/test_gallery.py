"""docs/gallery.md shows every plotting function, with the code from docs/make_gallery.py."""

import pathlib
import re
import runpy

from PIL import Image

from lstm_zoo import plots

DOCS = pathlib.Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")


def test_gallery_shows_every_function_that_draws():
    assert set(re.findall(r"^## `(\w+)`$", PAGE, flags=re.MULTILINE)) == set(dir(plots))


def test_pictures_are_there_can_be_read_and_are_small():
    pictures = [DOCS / link for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)]
    assert sorted(pictures) == sorted((DOCS / "gallery").iterdir())
    for picture in pictures:
        width, height = Image.open(picture).size
        assert width > 400, picture
        assert height > 200, picture
    assert sum(picture.stat().st_size for picture in pictures) < 1_500_000


def test_each_picture_is_drawn_by_the_line_beside_it():
    make_gallery = runpy.run_path(str(DOCS / "make_gallery.py"))
    code = re.findall(r"```python\n(.*?)\n```", PAGE, flags=re.DOTALL)
    assert code[1:] == [*map(make_gallery["lines_of"], make_gallery["ENTRIES"])]
