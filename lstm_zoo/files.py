"""Files: written whole or not at all, and where those of the package are."""

import contextlib
import os
import pathlib

_PACKAGE = pathlib.Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent


def folders(name):
    """Where the files of `name`, "datasets" or "results", may be: in a wheel, in a checkout."""
    in_checkout = {"datasets": "datasets", "results": "notebooks/results"}[name]
    return _PACKAGE / f"_{name}", _CHECKOUT / in_checkout


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path`, renamed to it if the block ends well and removed if not.

    So a full disk or a kill leaves what was there before.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
