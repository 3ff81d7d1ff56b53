"""Writes files and folders atomically, and locates the package's own files."""

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
_ASIDE = "~old"  # in the name of a folder that is being replaced


def folders(name):
    """The folders that may hold the "datasets" or "results": in a wheel, and in a checkout."""
    in_checkout = {"datasets": "datasets", "results": "notebooks/results"}[name]
    return _PACKAGE / f"_{name}", _CHECKOUT / in_checkout


@contextlib.contextmanager
def replacing(path: str | os.PathLike, folder: bool = False) -> Iterator[pathlib.Path]:
    """Replace a file or folder atomically: write to a temporary path, then rename it to `path`.

    The block writes a file or a folder to the temporary path. If the block raises an error, if the
    disk is full or the process is killed, the old content of `path` stays. A replaced file keeps
    its mode; a link keeps its target, which gets the new content. Temporary files that killed
    processes of this machine left next to `path` are removed.

    Args:
        path: the file or folder to write.
        folder: whether to replace a folder that is not empty; False refuses it.

    Raises:
        ValueError: if `path` is not a path, or is a folder that is not empty and `folder` is False.
        OSError: if nothing can be written there.
    """
    path = pathlib.Path(os.path.realpath(checks.path("path", path)))
    if not folder and _holds_something(path):
        raise ValueError(f"path must not be a folder that holds files, got {str(path)!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    temporary = path.with_name(f".{path.stem}~{_host()}~{os.getpid()}{path.suffix}")
    _remove(temporary)  # a killed process may have had this process's id, as in a container
    try:
        yield temporary
        for written in [temporary, *temporary.rglob("*")] if temporary.is_dir() else [temporary]:
            _sync(written)
        if path.is_file():
            shutil.copymode(path, temporary)
        with _moved_aside(path):
            os.replace(temporary, path)
        _sync(path.parent)
    finally:
        _remove(temporary)


@contextlib.contextmanager
def _moved_aside(path):
    """Rename a folder with content during the block, because a rename cannot replace it.

    A kill within the block leaves the old folder under its temporary name; `remove_leftovers` moves
    it back.
    """
    if not _holds_something(path):
        yield
        return
    aside = path.with_name(f".{path.name}{_ASIDE}~{_host()}~{os.getpid()}")
    _remove(aside)
    os.replace(path, aside)
    try:
        yield
    except BaseException:
        os.replace(aside, path)
        raise
    _remove(aside)


def remove_leftovers(folder: pathlib.Path) -> None:
    """Remove temporary files that dead processes of this machine left in a folder.

    A folder that such a process moved aside and did not replace gets its name back.
    """
    for path in pathlib.Path(folder).glob(f".*~{_host()}~*"):
        of_process = re.search(r"~(\d+)(\.[^~]*)?$", path.name)
        if not of_process or _lives(int(of_process[1])):
            continue
        name, aside, _ = path.name[1:].rpartition(f"{_ASIDE}~{_host()}~")
        if aside and not path.with_name(name).exists():
            os.replace(path, path.with_name(name))
        else:
            _remove(path)


def _holds_something(path):
    return path.is_dir() and any(path.iterdir())


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
    """Flush a file or a folder to the disk."""
    with contextlib.suppress(PermissionError):  # Windows cannot open folders
        handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
