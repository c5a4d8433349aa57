"""Files that are either whole or not there, whoever is killed in between."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fsclib.disk import writing
from fsclib.locks import flock

PART = ".part"  # ends the name of a file that is still being written


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A temporary path beside `file` to write to, which on leaving is flushed to the disk and takes its place.

    On an error it is removed and `file` stays as it was. Of several processes that replace the same file one waits for the other,
    and the last one's stays. Errors: DiskError where the disk is full or cannot be written.
    """
    temporary = file.with_name(file.name + PART)
    with writing(file), _own(temporary):
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(file)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        with contextlib.suppress(OSError):  # some network drives cannot, and need not
            _flush(file.parent)


def write_text(file: Path, text: str, errors: str = "strict") -> None:
    """A whole file of text in UTF-8, or the one before; errors as in str.encode."""
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8", errors=errors)


def reserve(file: Path, size: int) -> None:
    """Bring a file to `size` bytes, the new ones zero, and make the disk set them aside.

    Raises OSError now if it cannot, instead of in the middle of the work.
    """
    with file.open("r+b") as handle:
        try:
            os.posix_fallocate(handle.fileno(), 0, size)
            return
        except AttributeError:  # macOS
            pass
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):  # a file system that sets nothing aside
                raise
        missing = size - handle.seek(0, os.SEEK_END)  # there only what is written has its room
        while missing > 0:
            missing -= handle.write(bytes(min(missing, 1 << 24)))


def _own(path: Path) -> BinaryIO:
    """A new, empty file at `path`, opened and locked: whoever finds it locked is not the only one to write it.

    What is there and not locked was left by a process that died, or is a link that came with a folder and would be written
    through: it is removed. Nobody moves or removes a file but who has it locked, so that what is locked and still at `path` stays.
    """
    while True:
        with contextlib.suppress(FileExistsError):
            mine = path.open("x+b")
            flock(mine, path, fcntl.LOCK_EX)
            if _is_at(mine, path):
                return mine
            mine.close()  # in the instant before it was locked, it looked like one that a dead process left
        if path.is_symlink() or not path.is_file():  # also a pipe, at which opening would wait
            path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError), path.open("r+b") as other:
            flock(other, path, fcntl.LOCK_EX)  # waits for who writes it
            if _is_at(other, path):
                path.unlink()


def _is_at(handle: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.lstat(path))
    except FileNotFoundError:
        return False


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
