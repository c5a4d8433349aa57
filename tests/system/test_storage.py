"""Files are written completely or not at all."""

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


def test_replacing_replaces_the_file_at_the_end(tmp_path):
    file = tmp_path / "data.txt"
    file.write_text("old")
    with replacing(file) as temporary:
        temporary.write_text("new")
        assert file.read_text() == "old"
        assert temporary.parent == tmp_path
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_nothing_has_changed(tmp_path, error):
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


def test_disk_errors_name_the_file_and_a_fix(tmp_path):
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


def test_concurrent_writers_never_mix_their_contents(tmp_path):
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
            if time.monotonic() > next_kill:  # files of killed writers do not block others
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
def test_links_pipes_and_folders_are_not_written_through(tmp_path, odd):
    file, part, other = (tmp_path / name for name in ("data.txt", f"data.txt.0123abcd.{HOST}.part", "other.txt"))
    other.write_text("of another program")
    {"link": lambda: part.symlink_to(other), "pipe": lambda: os.mkfifo(part), "folder": part.mkdir}[odd]()
    with replacing(file) as temporary:
        temporary.write_text("new")
    assert (file.read_text(), other.read_text()) == ("new", "of another program")
    assert not file.is_symlink()


def test_files_of_killed_processes_are_removed_and_files_in_use_kept(tmp_path):
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


def test_files_left_by_another_host_are_removed_after_a_day(tmp_path):
    """That host's locks may be invisible here."""
    part = tmp_path / "a.txt.0123abcd.fedcba98.part"
    part.write_text("half")
    for age, there in ((0, True), (DAY - 100, True), (DAY + 100, False)):
        os.utime(part, (time.time() - age, time.time() - age))
        remove_abandoned(tmp_path)
        assert part.exists() == there


def test_a_lock_that_prevents_writing_is_released(tmp_path, monkeypatch):
    """In Windows' shared folders a locked file cannot be written through a second handle, which all callers use."""
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


def test_without_locks_concurrent_writers_do_not_collide(tmp_path, monkeypatch):
    """Files of killed processes cannot be told from files in use, so nothing is removed."""

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
    assert file.stat().st_blocks * 512 >= 100_000  # allocated, not sparse


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path, mode):
    """A private file is private while it is written, too; a read-only file can be replaced, and its owner can write the new one."""
    file = tmp_path / "data.txt"
    file.write_text("old")
    file.chmod(mode)
    with replacing(file) as part:
        assert part.stat().st_mode & 0o777 == mode | 0o600
        part.write_text("new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == mode | 0o600


def test_a_new_file_has_the_default_permissions(tmp_path):
    (tmp_path / "usual").touch()
    (tmp_path / "link").symlink_to("usual")  # the link itself has mode 777
    for file in (tmp_path / "new", tmp_path / "link"):
        with replacing(file) as part:
            part.write_text("new")
        assert file.stat().st_mode == (tmp_path / "usual").stat().st_mode
