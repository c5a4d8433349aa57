"""Files that are either whole or not there, whoever is killed in between."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from fsclib.disk import writing

PART = ".part"  # ends the name of a file that is still being written


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A temporary path beside `file` to write to, which on leaving is flushed to the disk and takes its place.

    On an error it is removed and `file` stays as it was. Two processes may not replace the same file at a time.
    Errors: DiskError where the disk is full or cannot be written.
    """
    temporary = file.with_name(file.name + PART)
    with writing(file):
        temporary.unlink(missing_ok=True)  # what a killed process left; a link that came with a folder would be written through
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(file)
        except BaseException:
            with contextlib.suppress(OSError):  # a read-only disk refuses to remove even what is not there
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


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
