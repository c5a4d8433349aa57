"""Files that are either whole or not there, whoever is killed in between."""

import contextlib
import errno
import fcntl
import glob
import os
import secrets
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fsclib.disk import FULL, writing

HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"
DAY = 86_400  # seconds
PART = ".part"  # ends the name of a file that is still being written


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """The path of an empty file beside `file`, to be written to, which on leaving is flushed to the disk and takes its place.

    On an error it is removed and `file` stays as it was. Each call writes a file of its own: of several processes that replace the
    same one the last prevails. It must be written in place: whoever renames another file over it takes the lock from it by which
    `remove_abandoned` tells it from what the dead left. Errors: DiskError where the disk is full or cannot be written.
    """
    with writing(file):
        remove_abandoned(file.parent, file.name)
        with _begun(file) as mine:
            temporary = Path(mine.name)
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


def remove_abandoned(folder: Path, name: str = "") -> None:
    """Removes what killed processes left half-written in a folder: of the file of that name, or of all.

    What another process is writing is locked, and stays; so does what another user left, and everything where there are no locks.
    Of other hosts only what has not changed for a day is removed: on some shared drives they do not see each other's locks.
    """
    for part in folder.glob(f"{glob.escape(name)}*{PART}"):
        with contextlib.suppress(OSError), part.open("r+b") as left:
            if part.suffixes[-2:-1] != [f".{HOST}"] and time.time() - os.fstat(left.fileno()).st_mtime < DAY:
                continue
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def _begun(file: Path) -> BinaryIO:
    """A new file beside `file`, opened and locked."""
    while True:
        mine = file.with_name(f"{file.name}.{secrets.token_hex(4)}.{HOST}{PART}").open("xb")
        with contextlib.suppress(OSError):  # no locks here, and nothing that would go by them
            fcntl.flock(mine, fcntl.LOCK_EX)
        if os.path.lexists(mine.name):
            if not _can_write(Path(mine.name)):
                with contextlib.suppress(OSError):
                    fcntl.flock(mine, fcntl.LOCK_UN)
            return mine
        mine.close()  # before it was locked it looked like one of a dead process


def _can_write(locked: Path) -> bool:
    """Whether a locked file can be written by who opens it once more, which Windows' shared folders refuse."""
    try:
        with locked.open("r+b", buffering=0) as again:
            again.write(b"x")
            again.truncate(0)
    except OSError as error:
        return error.errno in FULL  # which the writer will be told
    return True


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
