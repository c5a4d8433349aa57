"""Safe writing in untrusted folders: never through a link, and never into a pipe or a device.

A run, results/ or data/ may itself be a link to a larger disk: the user made it, and it is followed. A link inside a run, an index,
a sweep or a report may have come with the folder, and writing through it would overwrite files elsewhere.
"""

import errno
import os
import stat
from pathlib import Path
from typing import IO

from fsclib.system.errors import FsclibError

CAUTIOUS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for its other end
KINDS = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISDIR, "a folder"))


class LinkError(FsclibError, OSError):
    """A link, pipe or device where something is to be written. errno, strerror and filename are set; str() adds what to do."""

    def __str__(self) -> str:
        return f"{self.filename} {self.strerror}; remove it and start the same command again"


def check_file(file: Path) -> None:
    """Refuses a path at which no file can be written. Errors: LinkError unless it is a regular file or does not exist."""
    try:
        mode = os.lstat(file).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise _linked(file, "a file")
    if not stat.S_ISREG(mode):
        raise LinkError(errno.EINVAL, f"is {_kind(mode)}, expected a file", str(file))


def check_folders(folder: Path, within: Path) -> None:
    """Refuses a folder, which need not exist, that is a link or lies below one inside `within`. Errors: LinkError."""
    for part in (folder, *folder.parents):
        if part == within:
            return
        if part.is_symlink():
            raise _linked(part, f"a folder (to use another disk, link {within} as a whole)")


def open_file(file: Path, mode: str, buffering: int = -1) -> IO[bytes]:
    """open() in a binary mode, for a regular file only, and without following a link. Errors: LinkError; those of open()."""
    check_file(file)
    handle = open(file, mode, buffering, opener=lambda path, flags: os.open(path, flags | CAUTIOUS, 0o666))  # noqa: SIM115
    if not stat.S_ISREG(kind := os.fstat(handle.fileno()).st_mode):  # replaced since the check
        handle.close()
        raise LinkError(errno.EINVAL, f"is {_kind(kind)}, expected a file", str(file))
    return handle


def _linked(path: Path, expected: str) -> LinkError:
    found = f"is a link to {str(path.readlink())!r}, through which nothing is written; expected {expected}"
    return LinkError(errno.ELOOP, found, str(path))


def _kind(mode: int) -> str:
    return next((name for test, name in KINDS if test(mode)), "a device")
