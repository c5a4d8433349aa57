"""Files that are either whole or not there."""

import errno
import fcntl
import os
import random
import subprocess
import sys
import time

import pytest

from fsclib.disk import DiskError
from fsclib.files import remove_abandoned, replacing, reserve


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


WRITE = """
import sys, time
from pathlib import Path
from fsclib.files import replacing
file, letter = Path(sys.argv[1]), sys.argv[2]
while True:
    with replacing(file) as part, part.open("w", buffering=1) as handle:
        for _ in range(10):
            handle.write(letter)
            handle.flush()
            time.sleep(0.001)
"""


def test_of_processes_that_replace_the_same_file_nobody_takes_the_others_half(tmp_path):
    file, draw = tmp_path / "data.txt", random.Random(0)
    whole = {10 * letter for letter in "abcd"}

    def start(letter):
        return subprocess.Popen([sys.executable, "-c", WRITE, file, letter], stderr=subprocess.PIPE, text=True)

    writers = {letter: start(letter) for letter in "abcd"}
    while not file.exists():
        time.sleep(0.01)
    try:
        found, end, next_kill = set(), time.monotonic() + 5, 0.0
        while time.monotonic() < end:
            found.add(file.read_text())
            if time.monotonic() > next_kill:  # what the dead leave keeps nobody out
                letter = draw.choice("abcd")
                writers[letter].kill()
                assert writers[letter].communicate()[1] == ""
                writers[letter] = start(letter)
                next_kill = time.monotonic() + 0.5
    finally:
        for writer in writers.values():
            writer.kill()
    errors = [writer.communicate()[1] for writer in writers.values()]
    assert found <= whole
    assert len(found) > 1
    assert errors == [""] * 4
    with replacing(file) as part:
        part.write_text("last")
    assert file.read_text() == "last"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("odd", ["link", "pipe", "folder"])
def test_what_is_not_a_file_of_its_own_is_not_written_through(tmp_path, odd):
    file, part, other = (tmp_path / name for name in ("data.txt", "data.txt.0123abcd.part", "other.txt"))
    other.write_text("of somebody else")
    {"link": lambda: part.symlink_to(other), "pipe": lambda: os.mkfifo(part), "folder": part.mkdir}[odd]()
    with replacing(file) as temporary:
        temporary.write_text("new")
    assert (file.read_text(), other.read_text()) == ("new", "of somebody else")
    assert not file.is_symlink()


def test_what_the_dead_left_is_removed_and_what_is_being_written_stays(tmp_path):
    left = [tmp_path / name for name in ("a.txt.0123abcd.part", "b.txt.0123abcd.part", "[a.txt.0123abcd.part")]
    for part in left:
        part.write_text("half")
    with replacing(tmp_path / "a.txt") as mine:
        assert [part.exists() for part in left] == [False, True, True]
        with replacing(tmp_path / "[a.txt") as other:
            other.write_text("new")
        remove_abandoned(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([mine, tmp_path / "[a.txt"])
        mine.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_two_that_replace_the_same_file_without_locks(tmp_path, monkeypatch):
    """Nobody can tell then what the dead left from what is being written, and nothing is removed."""

    def refuse(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    file, left = tmp_path / "data.txt", tmp_path / "data.txt.0123abcd.part"
    left.write_text("half")
    with replacing(file) as first, replacing(file) as second:
        first.write_text("first")
        second.write_text("second")
    assert file.read_text() == "first"
    assert sorted(tmp_path.iterdir()) == [file, left]


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
