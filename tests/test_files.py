"""Files and folders are written atomically."""

import os
import signal

import pytest

from lstm_zoo import files


def test_the_written_file_replaces_the_old_file(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    for text in ("old", "new"):
        with files.replacing(path) as temporary:
            assert temporary.suffix == path.suffix  # formats are told by it
            temporary.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half():
        with files.replacing(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="full"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_leftover_of_a_process_with_our_id_does_not_interfere(tmp_path):
    """In a container the process after a restart has the number of the one that was killed."""
    folder = tmp_path / "checkpoint"
    with files.replacing(folder) as temporary:
        left = temporary.name
        temporary.mkdir()
    (tmp_path / left).mkdir()
    (tmp_path / left / "half").write_text("")
    folder.rmdir()
    with files.replacing(folder) as temporary:
        temporary.mkdir()
    assert list(tmp_path.rglob("*")) == [folder]


def write_folder(path, text, **options):
    with files.replacing(path, **options) as temporary:
        temporary.mkdir()
        (temporary / text).write_text(text)


def test_folder_with_files_is_replaced_only_on_request(tmp_path):
    folder = tmp_path / "a.model"
    write_folder(folder, "old")
    with pytest.raises(ValueError, match="must not be a folder that holds files"):
        write_folder(folder, "new")
    assert [path.name for path in folder.iterdir()] == ["old"]
    write_folder(folder, "new", folder=True)
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [folder]


def test_old_folder_stays_if_the_new_one_cannot_replace_it(tmp_path):
    folder = tmp_path / "model"
    write_folder(folder, "old")

    def write_nothing():
        with files.replacing(folder, folder=True):
            pass

    with pytest.raises(FileNotFoundError):
        write_nothing()
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the fork starts no thread
def test_kill_between_two_renames_loses_no_folder(tmp_path):
    folder, rename = tmp_path / "a.model", os.replace
    write_folder(folder, "old")

    def killed(old, new):
        if new == folder:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(old, new)

    process = os.fork()
    if process == 0:
        try:
            os.replace = killed
            write_folder(folder, "new", folder=True)
        finally:
            os._exit(1)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    assert not folder.exists()
    files.remove_leftovers(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["datasets", "results"])
def test_folder_of_a_wheel_comes_before_that_of_a_checkout(name):
    in_wheel, in_checkout = files.folders(name)
    assert in_wheel.name == f"_{name}"
    assert in_checkout.name == name
