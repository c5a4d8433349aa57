"""What a disk refuses, told so that a person can mend it; and what a disk cannot do, asked before it is needed."""

import contextlib
import errno
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # also: this user's quota, and the largest file that this process may write
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
BROKEN = (errno.EIO, errno.ESTALE)


class DiskError(OSError):
    """What could not be written. errno, strerror and filename are as the system gave them; str() adds what to do."""

    def __str__(self) -> str:
        advice = f"{mend(self.errno)} and start the same command again, or set FSCLIB_HOME to a folder on another disk"
        return f"{self.filename} cannot be written ({self.strerror}): {advice}"


def mend(number: int) -> str:
    """What a person can do about an error of this number."""
    if number in FULL:
        return "make room there"
    return "let this user write there" if number in CLOSED else "look after that disk"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """While `path` is written: what the disk refuses becomes a DiskError that names it; errors of other files stay as they are."""
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        named = str(path if error.filename is None else error.filename)
        related = named.startswith(str(path)) or str(path).startswith(named)  # itself, what is to replace it, a folder on the way
        if not related or error.errno not in FULL + CLOSED + BROKEN:
            raise
        raise DiskError(error.errno, error.strerror, str(path)) from error


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, if they are not there. Errors: DiskError."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def check_room(folder: Path, needed: int, what: str) -> None:
    """Refuses a folder, there or still to be made, that cannot be written or whose disk lacks the bytes that are `needed`.

    what: will be written, in the plural. Errors: DiskError.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    with writing(there):
        tempfile.TemporaryFile(dir=there).close()  # permissions do not tell it all: the disk itself may be read-only
    free = shutil.disk_usage(there).free
    if free < needed:
        found = f"{what} need {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free"
        raise DiskError(errno.ENOSPC, found, str(folder))


def can_map(file: Path) -> bool:
    """Whether the file system lets a file be mapped into memory, which some network drives and FUSE do not."""
    with file.open("rb") as handle:
        if not os.fstat(handle.fileno()).st_size:
            return True  # nothing to map
        try:
            mmap.mmap(handle.fileno(), 1, access=mmap.ACCESS_READ).close()
        except OSError:
            return False
    return True
