"""A lock has one holder, which its file names, and is released when the holder dies."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from fsclib.system import locks
from fsclib.system.locks import held, holder, locked

HOLD = """
import sys, time
from pathlib import Path
from fsclib.system.locks import locked
with locked(Path(sys.argv[1]), None):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other_process(tmp_path):
    """Another process, which holds the lock tmp_path / "lock"."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def refuse(number):
    def flock(*arguments):
        raise OSError(number, os.strerror(number))

    return flock


def test_checking_whether_a_lock_is_held_does_not_prevent_taking_it(tmp_path):
    file, end = tmp_path / "lock", time.monotonic() + 0.5
    polling = threading.Thread(target=lambda: [held(file) for _ in iter(lambda: time.monotonic() < end, False)])
    file.touch()
    polling.start()
    taken = 0
    while time.monotonic() < end:
        with locked(file, None):
            taken += 1
    polling.join()
    assert taken > 10


def test_the_lock_file_of_another_user_is_locked_but_not_written(tmp_path, monkeypatch, capsys):
    file, usual = tmp_path / "lock", locks.open_file

    def opened(path, mode, *rest, **options):
        if mode == "ab":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return usual(path, mode, *rest, **options)

    file.touch()
    monkeypatch.setattr(locks, "open_file", opened)
    with locked(file, None):
        assert held(file)
        with pytest.raises(BlockingIOError), locked(file, None):
            pass
    assert not held(file)
    assert file.read_bytes() == b""


def test_a_lock_is_released_after_an_error(tmp_path, capsys):
    def fail():
        with locked(tmp_path / "lock", "waiting"):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 -- the test's own
        fail()
    with locked(tmp_path / "lock", "waiting"):
        assert capsys.readouterr().out == ""


def test_the_lock_file_names_process_host_and_time(tmp_path, other_process):
    file = tmp_path / "lock"
    found = re.fullmatch(r"process (\d+) on (\S+) since (\S+)", holder(file))
    assert found.groups()[:2] == (str(other_process.pid), socket.gethostname())
    assert abs((datetime.now(UTC) - datetime.fromisoformat(found[3])).total_seconds()) < 60
    assert held(file)
    with pytest.raises(BlockingIOError, match=f"held by process {other_process.pid} on "), locked(file, None):
        pass
    assert f"process {other_process.pid} " in holder(file)  # the refused process has not changed the line


def test_a_waiting_process_names_the_holder(tmp_path, other_process, capsys):
    threading.Timer(0.2, other_process.kill).start()
    with locked(tmp_path / "lock", "corpus is being decoded"):
        assert f"process {os.getpid()} on " in holder(tmp_path / "lock")
    printed = capsys.readouterr().out
    assert printed.startswith(f"corpus is being decoded by process {other_process.pid} on {socket.gethostname()} since ")
    assert printed.endswith("; waiting for it to finish\n")


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, other_process):
    file = tmp_path / "lock"
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    assert f"process {other_process.pid} on" in file.read_text()  # it was killed before it could remove the line
    assert not held(file)
    with locked(file, None):
        assert file.read_text().startswith(f"process {os.getpid()} on ")
        assert file.read_text().count("process") == 1
    assert file.read_text() == ""
    assert not held(file)


@pytest.mark.parametrize("content", [b"", b"\xff\0" * 500, b"process 1 on x", b"rm -rf / # process 1 on x since y"])
def test_other_content_of_a_lock_file_is_not_shown(tmp_path, content):
    (tmp_path / "lock").write_bytes(content)
    assert holder(tmp_path / "lock") == "another process"
    assert holder(tmp_path / "nowhere") == "another process"
    with locked(tmp_path / "lock", None):
        assert holder(tmp_path / "lock").startswith("process")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_file_locks_work_continues_with_one_warning(tmp_path, monkeypatch, capsys, number):
    monkeypatch.setattr(fcntl, "flock", refuse(number))
    for _ in range(2):
        with locked(tmp_path / "lock", None):
            assert not held(tmp_path / "lock")
    warning = f"{tmp_path}: no file locks here ({os.strerror(number)}): concurrent runs are not prevented"
    assert capsys.readouterr().out.count(warning) == 1


def test_other_lock_errors_are_raised(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refuse(errno.EBADF))
    with pytest.raises(OSError, match="Bad file descriptor"), locked(tmp_path / "lock", None):
        pass


def test_a_full_disk_does_not_prevent_locking():
    with open("/dev/full", "ab", buffering=0) as full:  # noqa: PTH123
        locks._sign(full, "process 1 on x since y\n")
