"""File locks that the operating system releases when a process dies, with a line in the lock file that names the holder.

Only the lock counts. The line is for people: it is written after the lock is taken and removed before it is released, so after
a holder was killed it remains until the lock is taken again.
"""

import contextlib
import errno
import functools
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from fsclib.system.disk_space import writing
from fsclib.system.flock import AT_ONCE, EXCLUSIVE, SHARED, flock
from fsclib.system.opening import open_file

logger = logging.getLogger(__name__)

PATIENCE = 0.5  # seconds: longer than `held` takes to test a lock, even on a network drive
UNKNOWN = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # returned by network drives without locks
LINE = re.compile(r"process \d+ on \S+ since \S+")


@contextlib.contextmanager
def locked(file: Path, message: str | None) -> Iterator[None]:
    """Holds the lock on `file`. If another process holds it, logs the message ("corpus is being decoded") and the holder and
    waits; without a message, tries for half a second and raises BlockingIOError.

    The operating system releases the lock of a process that dies. The file itself is kept: removing it would let two processes
    lock two files of the same name. If the file system has no locks, logs a warning and does not exclude other processes.
    Errors: DiskError if the file cannot be written; LinkError if it is a link, a pipe or a device.
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
    """The line in the lock file, "process 123 on node7 since 2026-11-26T18:00:00Z", or "another process" without a valid one."""
    try:
        with open_file(file, "rb") as handle:
            line = handle.read(300).decode("utf-8", "replace").strip()
    except OSError:
        line = ""
    return line if LINE.fullmatch(line) else "another process"


def lock_beside(path: Path) -> Path:
    """The lock file of a file or folder."""
    return path.with_name(f".{path.name}.lock")


def held(file: Path) -> bool:
    """Whether a process holds the lock on `file`. Errors: LinkError if it is a link, a pipe or a device.

    The test takes a shared lock for an instant, which is why `locked` tries more than once.
    """
    try:
        with open_file(file, "rb") as handle:
            return not _flock(handle, file, SHARED | AT_ONCE)
    except FileNotFoundError:
        return False


def _opened(file: Path) -> IO[bytes]:
    try:
        return open_file(file, "ab", buffering=0)
    except PermissionError as error:
        if not file.exists():
            raise
        handle = open_file(file, "rb", buffering=0)  # another user's file: it can be locked but not written
        try:
            _flock(handle, file, EXCLUSIVE | AT_ONCE)
        except OSError:  # NFS locks only writable files
            handle.close()
            raise error from None
        return handle


def _take(handle: IO[bytes], file: Path, message: str | None) -> None:
    end = time.monotonic() + PATIENCE
    while not _flock(handle, file, EXCLUSIVE | AT_ONCE):
        if message is not None:
            logger.warning(f"{message} by {holder(file)}; waiting for it to finish")
            _flock(handle, file, EXCLUSIVE)
            return
        if time.monotonic() > end:
            raise BlockingIOError(errno.EWOULDBLOCK, f"held by {holder(file)}", str(file))
        time.sleep(0.02)


def _flock(handle: IO[bytes], file: Path, operation: int) -> bool:
    """Whether the lock was acquired; always True on file systems without locks."""
    try:
        flock(handle, operation)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise
        _warn(file.parent, error.strerror)
    return True


@functools.cache  # once per folder
def _warn(folder: Path, reason: str) -> None:
    logger.warning(f"{folder}: no file locks here ({reason}): concurrent runs are not prevented")


def _sign(handle: IO[bytes], line: str) -> None:
    with contextlib.suppress(OSError):  # on a full disk the lock works without the line
        handle.truncate(0)
        handle.write(line.encode())
