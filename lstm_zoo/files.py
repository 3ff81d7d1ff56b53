"""Files: written whole or not at all, and where those of the package are."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
from collections.abc import Iterator

from lstm_zoo import checks

_PACKAGE = pathlib.Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent


def folders(name):
    """Where the files of `name`, "datasets" or "results", may be: in a wheel, in a checkout."""
    in_checkout = {"datasets": "datasets", "results": "notebooks/results"}[name]
    return _PACKAGE / f"_{name}", _CHECKOUT / in_checkout


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A temporary path beside `path`, renamed to it if the block ends well and removed if not.

    So a full disk or a kill leaves what was there before. A file that is replaced keeps its mode, a
    link goes on to point to what is written. What killed processes of this machine have left of
    `path` is removed. The block may make a folder too, where there is nothing yet.

    Raises:
        ValueError: it is no path, or a folder that holds something.
        OSError: nothing can be written there.
    """
    path = pathlib.Path(os.path.realpath(checks.path("path", path)))
    if path.is_dir() and any(path.iterdir()):
        raise ValueError(f"path must not be a folder that holds something, got {str(path)!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    temporary = path.with_name(f".{path.stem}~{_host()}~{os.getpid()}{path.suffix}")
    _remove(temporary)  # of a killed process that had this one's number, as in a container
    try:
        yield temporary
        for written in [temporary, *temporary.rglob("*")] if temporary.is_dir() else [temporary]:
            _sync(written)
        if path.is_file():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        _remove(temporary)


def remove_leftovers(folder: pathlib.Path) -> None:
    """Remove the temporary files in a folder of processes of this machine that live no more."""
    for path in pathlib.Path(folder).glob(f".*~{_host()}~*"):
        of_process = re.search(r"~(\d+)(\.[^~]*)?$", path.name)
        if of_process and not _lives(int(of_process[1])):
            _remove(path)


def _host():
    return re.sub(r"[^\w-]", "_", socket.gethostname())


def _lives(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path):
    """Make the system write to the disk what it has of a file or a folder."""
    with contextlib.suppress(PermissionError):  # Windows opens no folder
        handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
