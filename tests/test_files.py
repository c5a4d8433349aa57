"""Files that are either whole or not there."""

import errno
import os

import pytest

from fsclib.disk import DiskError
from fsclib.files import replacing, reserve


def test_replacing_takes_the_place_of_the_file_at_the_end(tmp_path):
    file = tmp_path / "data.txt"
    file.write_text("old")
    with replacing(file) as temporary:
        temporary.write_text("new")
        assert file.read_text() == "old"
        assert temporary.parent == tmp_path
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_everything_is_as_before(tmp_path, error):
    file = tmp_path / "data.txt"
    file.write_text("old")

    def fail():
        with replacing(file) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_what_the_disk_refuses_is_told_with_the_name_of_the_file(tmp_path):
    file = tmp_path / "data.txt"
    file.write_text("old")

    def fail(number, filename):
        with replacing(file) as temporary:
            temporary.write_text("half")
            raise OSError(number, os.strerror(number), filename)

    for number, word in ((errno.ENOSPC, "make room there"), (errno.EROFS, "let this user write there"), (errno.EIO, "look after")):
        for filename in (None, str(file) + ".part"):
            with pytest.raises(DiskError, match=rf"data\.txt cannot be written \({os.strerror(number)}\): {word}") as caught:
                fail(number, filename)
            assert (caught.value.errno, caught.value.filename) == (number, str(file))
    with pytest.raises(PermissionError, match="Permission denied: '/another/file'"):
        fail(errno.EACCES, "/another/file")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("system", ["with", "without", "unable"])
def test_reserve_appends_zeros(tmp_path, monkeypatch, system):
    def refuse(*arguments):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    if system == "without":
        monkeypatch.delattr("os.posix_fallocate", raising=False)
    if system == "unable":
        monkeypatch.setattr("os.posix_fallocate", refuse, raising=False)
    file = tmp_path / "data"
    file.write_bytes(b"header")
    reserve(file, 100_000)
    assert file.read_bytes() == b"header" + bytes(99_994)
    assert file.stat().st_blocks * 512 >= 100_000  # not a hole
