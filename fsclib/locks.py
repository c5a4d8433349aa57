"""Who works on something: a lock that the operating system takes back from the dead, and in its file a line that says who has it.

The lock alone decides. The line is for people: it is written after the lock is taken and removed before it is given back, so
that of a holder who was killed it stays until the next one comes.
"""

import contextlib
import errno
import fcntl
import functools
import os
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from fsclib.disk import writing

PATIENCE = 0.5  # seconds: longer than anybody only looks whether a lock is held, on a network drive too
UNKNOWN = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # with which some network drives answer to any lock
LINE = re.compile(r"process \d+ on \S+ since \S+")


@contextlib.contextmanager
def locked(file: Path, message: str | None) -> Iterator[None]:
    """Hold the lock that `file` stands for; if another process has it, print the message ("corpus is being decoded") with that
    process and wait, or, without one, try for half a second and raise BlockingIOError.

    The operating system releases the lock of a process that dies. The file itself stays: removing it would let two processes
    lock two files of the same name. Where the file system has no locks, a warning is printed and nobody is kept out.
    Errors: DiskError where the file cannot be written.
    """
    with writing(file):
        handle = _opened(file)
    with handle:
        _take(handle, file, message)
        _sign(handle, f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n")
        try:
            yield
        finally:
            _sign(handle, "")


def holder(file: Path) -> str:
    """ "process 123 on node7 since 2026-11-26T18:00:00Z", as whoever holds the lock has written, else "another process"."""
    try:
        with file.open(encoding="utf-8", errors="replace") as handle:
            line = handle.read(300).strip()
    except OSError:
        line = ""
    return line if LINE.fullmatch(line) else "another process"


def lock_beside(path: Path) -> Path:
    """The file whose lock stands for a file or folder."""
    return path.with_name(f".{path.name}.lock")


def held(file: Path) -> bool:
    """Whether somebody holds the lock that `file` stands for.

    To look is to hold it, shared, for an instant, which is why `locked` tries more than once.
    """
    try:
        with file.open("rb") as handle:
            return not _flock(handle, file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("ab", buffering=0)
    except PermissionError as error:
        if not file.exists():
            raise
        handle = file.open("rb", buffering=0)  # another user's, who has been here before: it can be held, and not signed
        try:
            _flock(handle, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # NFS locks only what can be written
            handle.close()
            raise error from None
        return handle


def _take(handle: BinaryIO, file: Path, message: str | None) -> None:
    end = time.monotonic() + PATIENCE
    while not _flock(handle, file, fcntl.LOCK_EX | fcntl.LOCK_NB):
        if message is not None:
            print(f"{message} by {holder(file)}; waiting for it to finish", flush=True)
            _flock(handle, file, fcntl.LOCK_EX)
            return
        if time.monotonic() > end:
            raise BlockingIOError(errno.EWOULDBLOCK, f"held by {holder(file)}", str(file))
        time.sleep(0.02)


def _flock(handle: BinaryIO, file: Path, operation: int) -> bool:
    """Whether the lock is taken; where there are no locks it counts as taken."""
    try:
        fcntl.flock(handle, operation)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise
        _warn(file.parent, error.strerror)
    return True


@functools.cache  # once a folder
def _warn(folder: Path, reason: str) -> None:
    print(f"{folder} is on a file system without locks ({reason}): nobody watches over two processes that do the same", flush=True)


def _sign(handle: BinaryIO, line: str) -> None:
    with contextlib.suppress(OSError):  # on a full disk the lock holds without it
        handle.truncate(0)
        handle.write(line.encode())
