"""Files that are either whole or not there."""

import errno
import fcntl
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fsclib.system.disk_space import DiskError
from fsclib.system.storage import DAY, HOST, remove_abandoned, replacing, reserve


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

    for number, word in (
        (errno.ENOSPC, "free some space there"),
        (errno.EROFS, "grant write access there"),
        (errno.EIO, "check that disk"),
    ):
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
from fsclib.system.storage import replacing
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
    file, part, other = (tmp_path / name for name in ("data.txt", f"data.txt.0123abcd.{HOST}.part", "other.txt"))
    other.write_text("of somebody else")
    {"link": lambda: part.symlink_to(other), "pipe": lambda: os.mkfifo(part), "folder": part.mkdir}[odd]()
    with replacing(file) as temporary:
        temporary.write_text("new")
    assert (file.read_text(), other.read_text()) == ("new", "of somebody else")
    assert not file.is_symlink()


def test_what_the_dead_left_is_removed_and_what_is_being_written_stays(tmp_path):
    left = [tmp_path / f"{name}.0123abcd.{HOST}.part" for name in ("a.txt", "b.txt", "[a.txt")]
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


def test_what_was_left_on_another_host_is_removed_after_a_day(tmp_path):
    """Its locks may not be seen here."""
    part = tmp_path / "a.txt.0123abcd.fedcba98.part"
    part.write_text("half")
    for age, there in ((0, True), (DAY - 100, True), (DAY + 100, False)):
        os.utime(part, (time.time() - age, time.time() - age))
        remove_abandoned(tmp_path)
        assert part.exists() == there


def test_where_a_locked_file_can_be_written_by_its_locker_alone_it_is_not_locked(tmp_path, monkeypatch):
    """Shared folders of Windows: whoever opens a locked file once more cannot write it, and that is what everybody does here."""
    locked, usual, flock = set(), Path.open, fcntl.flock

    def lock(handle, operation):
        flock(handle, operation)
        (locked.discard if operation == fcntl.LOCK_UN else locked.add)(Path(handle.name))

    def opened(path, mode="r", *rest, **options):
        if mode in ("wb", "r+b") and path in locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return usual(path, mode, *rest, **options)

    monkeypatch.setattr(fcntl, "flock", lock)
    monkeypatch.setattr(Path, "open", opened)
    with replacing(tmp_path / "a.txt") as part:
        part.write_bytes(b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"


def test_two_that_replace_the_same_file_without_locks(tmp_path, monkeypatch):
    """Nobody can tell then what the dead left from what is being written, and nothing is removed."""

    def refuse(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    file, left = tmp_path / "data.txt", tmp_path / f"data.txt.0123abcd.{HOST}.part"
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


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path, mode):
    """For its owner alone from the first byte; a file that nobody may write can be replaced, and written from then on."""
    file = tmp_path / "data.txt"
    file.write_text("old")
    file.chmod(mode)
    with replacing(file) as part:
        assert part.stat().st_mode & 0o777 == mode | 0o600
        part.write_text("new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == mode | 0o600


def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    (tmp_path / "link").symlink_to("usual")  # whose own permissions are 777
    for file in (tmp_path / "new", tmp_path / "link"):
        with replacing(file) as part:
            part.write_text("new")
        assert file.stat().st_mode == (tmp_path / "usual").stat().st_mode
