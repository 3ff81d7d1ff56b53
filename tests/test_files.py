"""A file is written whole or not at all."""

import pytest

from lstm_zoo import files


def test_what_the_block_writes_takes_the_place_of_the_old_file(tmp_path):
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


def test_leftover_of_a_process_that_had_our_number_is_in_nobodys_way(tmp_path):
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


@pytest.mark.parametrize("name", ["datasets", "results"])
def test_folder_of_a_wheel_comes_before_that_of_a_checkout(name):
    in_wheel, in_checkout = files.folders(name)
    assert in_wheel.name == f"_{name}"
    assert in_checkout.name == name
