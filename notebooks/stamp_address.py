"""Write the repository's address from pyproject.toml into every notebook.

`make badges` runs it after the address has changed.
"""

import pathlib
import re

HERE = pathlib.Path(__file__).parent
PYPROJECT = HERE.parent / "pyproject.toml"
# Where a notebook names the address: in its Colab badge, where it installs the package from, and in
# links to the source.
PLACES = [
    r"(colab\.research\.google\.com/github/)([^/\s]+/[^/\s]+)(/blob/main/notebooks/)",
    r"(https://github\.com/)([^/\s]+/[^/\s]+)(/blob/main/lstm_zoo/)",
    r"(git\+https://github\.com/)([^/\s]+/[^/\s\"\\]+)(\\?\")",
]


def address():
    """The repository as `owner/name`, from the project's URLs."""
    pattern = r'^Repository = "https://github\.com/([^/"]+/[^/"]+)"$'
    return re.search(pattern, PYPROJECT.read_text(), flags=re.MULTILINE)[1]


def main():
    for path in sorted(HERE.glob("*.ipynb")):
        text = stamped = path.read_text()
        for place in PLACES:
            stamped = re.sub(place, rf"\g<1>{address()}\g<3>", stamped)
        if stamped != text:
            path.write_text(stamped)
            print(f"stamped {path.name}")


if __name__ == "__main__":
    main()
