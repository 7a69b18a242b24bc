"""Files that are whole or not there."""

import errno

import pytest

from effifusion_lite.audio import write_atomically
from effifusion_lite.audio.files import written_beside


@pytest.mark.parametrize("name", ["a.bin", "ä" * 127, "x" * 255])
def test_a_file_is_written_and_replaced(tmp_path, name):
    for content in (b"first", memoryview(b"second")):
        write_atomically(tmp_path / name, content)
        assert (tmp_path / name).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_it_gets_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "usual").touch()
    write_atomically(tmp_path / "a", b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("failure", [ValueError("x"), KeyboardInterrupt(), OSError(5, "broken")])
def test_what_stops_the_writing_keeps_the_file_that_was_there(tmp_path, failure):
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(type(failure)), written_beside(tmp_path / "a") as file:
        file.write(b"half of it")
        raise failure
    assert (tmp_path / "a").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_error_names_the_file(tmp_path):
    with pytest.raises(OSError) as caught:
        write_atomically(tmp_path / "nowhere" / "a", b"")
    assert caught.value.filename == str(tmp_path / "nowhere" / "a")
    assert caught.value.errno == errno.ENOENT


def test_a_full_disk(tmp_path, full_disk):
    with full_disk(1000), pytest.raises(OSError, match="a.bin"):
        write_atomically(tmp_path / "a.bin", bytes(5000))
    assert list(tmp_path.iterdir()) == []
