"""Disk errors with advice on how to fix them, and checks of what a disk supports before it is needed."""

import contextlib
import errno
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fsclib.system.errors import FsclibError
from fsclib.system.opening import check_folders
from fsclib.system.reading import regular

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # including the user's quota and the process's limit on file sizes
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
BROKEN = (errno.EIO, errno.ESTALE)


class DiskError(FsclibError, OSError):
    """A file or folder that cannot be written. errno, strerror and filename are the system's; str() adds what to do."""

    def __str__(self) -> str:
        advice = f"{_fix(self.errno)} and start the same command again, or set FSCLIB_HOME to a folder on another disk"
        return f"{self.filename} cannot be written ({self.strerror}): {advice}"


def _fix(number: int | None) -> str:
    """What to do about an error with this errno."""
    if number in FULL:
        return "free some space there"
    return "grant write access there" if number in CLOSED else "check that disk"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns disk errors while writing `path` into a DiskError that names it; errors of other files are passed on unchanged."""
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        named = str(path if error.filename is None else error.filename)
        related = named.startswith(str(path)) or str(path).startswith(named)  # the file, its temporary file or a parent folder
        if not related or error.errno not in FULL + CLOSED + BROKEN:
            raise
        raise DiskError(error.errno, error.strerror, str(path)) from error


def make_folder(folder: Path, within: Path | None = None) -> None:
    """Makes a folder and its parents if they do not exist.

    within: the run, report or sweep to which it belongs, in which no link to a folder is followed.
    Errors: DiskError; LinkError.
    """
    if within is not None:
        check_folders(folder, within)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def check_room(folder: Path, needed: int, what: str) -> None:
    """Checks that a folder, which need not exist yet, is writable and that its disk has `needed` bytes free.

    what: what will be written, in the plural. Errors: DiskError.
    """
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    with writing(existing):
        tempfile.TemporaryFile(dir=existing).close()  # permissions are not enough: the disk itself may be read-only
    free = shutil.disk_usage(existing).free
    if free < needed:
        found = f"{what} need {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free"
        raise DiskError(errno.ENOSPC, found, str(folder))


def can_map(file: Path) -> bool:
    """Whether the file system supports memory-mapping, which some network drives and FUSE do not. Errors: as in `regular`."""
    with regular(file).open("rb") as handle:
        if not os.fstat(handle.fileno()).st_size:
            return True  # nothing to map
        try:
            mmap.mmap(handle.fileno(), 1, access=mmap.ACCESS_READ).close()
        except OSError:
            return False
    return True
