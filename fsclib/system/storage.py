"""Atomic file writes: a file is complete or absent, even if the process is killed while writing."""

import contextlib
import errno
import functools
import os
import re
import secrets
import socket
import stat
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fsclib.system.disk_space import FULL, writing
from fsclib.system.flock import AT_ONCE, EXCLUSIVE, RELEASE, flock
from fsclib.system.opening import open_file

HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"
DAY = 86_400  # seconds
PART = ".part"  # suffix of files that are still being written
TEMPORARY = re.compile(rf"(?P<file>.+)\.[0-9a-f]{{8}}\.(?P<host>[0-9a-f]{{8}}){re.escape(PART)}", re.DOTALL)  # their names


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yields the path of an empty temporary file beside `file`; on exit it is flushed to disk and replaces `file`.

    The new file has the permissions of the old one; a link at `file` is replaced and not followed. On an error the temporary file
    is removed and `file` is unchanged. Each call has its own temporary file: if several processes replace the same file, the last
    one wins. Write in place; renaming over the temporary file releases its lock, which tells `remove_abandoned` that it is still
    in use. Errors: DiskError if the disk is full or not writable.
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
                with contextlib.suppress(OSError):  # on a read-only disk unlink fails even for missing files
                    temporary.unlink(missing_ok=True)
                raise
        with contextlib.suppress(OSError):  # not supported, and not needed, on some network drives
            _flush(file.parent)


def remove_abandoned(folder: Path, name: str = "") -> None:
    """Removes temporary files of `replacing` that killed processes left in a folder, for the file `name` or for all files.

    Files that another process is writing are locked and kept, as are other users' files, and all files if there are no locks.
    Files of other hosts are removed only if unchanged for a day: on some shared drives hosts do not see each other's locks.
    """
    for part in folder.glob(f"*{PART}"):
        found = TEMPORARY.fullmatch(part.name)
        if found is None or found["file"] != (name or found["file"]):
            continue
        with contextlib.suppress(OSError), open_file(part, "r+b") as left:
            if found["host"] != HOST and time.time() - os.fstat(left.fileno()).st_mtime < DAY:
                continue
            flock(left, EXCLUSIVE | AT_ONCE)
            part.unlink()


def temporary_for(name: str) -> str:
    """The name of the file that a temporary file of `replacing` is to replace; "" if `name` is not of their form."""
    found = TEMPORARY.fullmatch(name)
    return found["file"] if found else ""


def _begun(file: Path) -> BinaryIO:
    """A new file beside `file`, with its permissions, opened and locked."""
    mode = _permissions(file)
    while True:
        mine = _created(file.with_name(f"{file.name}.{secrets.token_hex(4)}.{HOST}{PART}"), mode)
        with contextlib.suppress(OSError):  # without locks, `remove_abandoned` removes nothing either
            flock(mine, EXCLUSIVE)
        if os.path.lexists(mine.name):
            if not _can_write(Path(mine.name)):
                with contextlib.suppress(OSError):
                    flock(mine, RELEASE)
            return mine
        mine.close()  # before it was locked, another process removed it as abandoned


def _permissions(file: Path) -> int | None:
    """The permissions of an existing regular file, with reading and writing for its owner; None if there is none."""
    try:
        mode = os.lstat(file).st_mode
    except OSError:
        return None
    return mode & 0o777 | 0o600 if stat.S_ISREG(mode) else None


def _created(file: Path, mode: int | None) -> BinaryIO:
    """A new file with these permissions; None: the default ones."""
    # set on creation, since a process that has opened a file keeps access when its permissions change
    handle = open(file, "xb", opener=functools.partial(os.open, mode=0o666 if mode is None else mode))  # noqa: SIM115
    if mode is not None:
        with contextlib.suppress(OSError):  # some network drives do not support permissions
            file.chmod(mode)  # the umask has masked the mode at creation, but does not apply here
    return handle


def _can_write(locked: Path) -> bool:
    """Whether a locked file can be written through a second handle, which Windows' shared folders do not allow."""
    try:
        with locked.open("r+b", buffering=0) as again:
            again.write(b"x")
            again.truncate(0)
    except OSError as error:
        return error.errno in FULL  # the caller's own write will report it
    return True


def write_text(file: Path, text: str, errors: str = "strict") -> None:
    """Writes a UTF-8 text file atomically; `errors` as in str.encode."""
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8", errors=errors)


def reserve(file: Path, size: int) -> None:
    """Extend a file with zeros to `size` bytes and allocate the disk space.

    Raises OSError now if there is no space, instead of in the middle of the work.
    """
    with file.open("r+b") as handle:
        try:
            os.posix_fallocate(handle.fileno(), 0, size)
            return
        except AttributeError:  # macOS
            pass
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):  # file systems without fallocate
                raise
        missing = size - handle.seek(0, os.SEEK_END)  # without fallocate only written bytes are allocated
        while missing > 0:
            missing -= handle.write(bytes(min(missing, 1 << 24)))


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
