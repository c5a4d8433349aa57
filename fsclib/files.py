"""Files that are either whole or not there, whoever is killed in between."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 0.5  # seconds: longer than anybody only looks whether a lock is held, on a network drive too
PART = ".part"  # ends the name of a file that is still being written


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A temporary path beside `file` to write to, which on leaving is flushed to the disk and takes its place.

    On an error it is removed and `file` stays as it was. Two processes may not replace the same file at a time.
    """
    temporary = file.with_name(file.name + PART)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(file)
        with contextlib.suppress(OSError):  # some network drives cannot, and need not
            _flush(file.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(file: Path, text: str, errors: str = "strict") -> None:
    """A whole file of text in UTF-8, or the one before; errors as in str.encode."""
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8", errors=errors)


@contextlib.contextmanager
def locked(file: Path, message: str | None) -> Iterator[None]:
    """Hold the lock that `file` stands for; if another process has it, print the message and wait, or, without one, try for half a
    second and raise BlockingIOError.

    The operating system releases the lock of a process that dies. The file itself stays: it holds nothing, and removing
    it would let two processes lock two files of the same name.
    """
    with file.open("a") as handle:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if message is not None:
                    print(message, flush=True)
                    fcntl.flock(handle, fcntl.LOCK_EX)
                    break
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        yield


def lock_beside(path: Path) -> Path:
    """The file whose lock stands for a file or folder."""
    return path.with_name(f".{path.name}.lock")


def held(file: Path) -> bool:
    """Whether somebody holds the lock that `file` stands for.

    To look is to hold it, shared, for an instant, which is why `locked` tries more than once.
    """
    try:
        with file.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def reserve(file: Path, size: int) -> None:
    """Bring a file to `size` bytes, the new ones zero, and make the disk set them aside.

    Raises OSError now if it cannot, instead of in the middle of the work.
    """
    with file.open("r+b") as handle:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle.fileno(), 0, size)
            return
        missing = size - handle.seek(0, os.SEEK_END)  # macOS: only what is written is set aside
        while missing > 0:
            missing -= handle.write(bytes(min(missing, 1 << 24)))


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
