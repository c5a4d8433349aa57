"""File locks of the operating system. Where it has no flock, as on Windows, every call fails as on a file system without locks."""

import errno
from typing import IO

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows has no such module

SHARED, EXCLUSIVE, AT_ONCE, RELEASE = (fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_NB, fcntl.LOCK_UN) if fcntl else (1, 2, 4, 8)


def flock(handle: IO, operation: int) -> None:
    """Locks an open file, or releases it. Errors: BlockingIOError if another process holds it; OSError if there are no locks."""
    if fcntl is None:
        raise OSError(errno.ENOSYS, "this operating system has no flock")
    fcntl.flock(handle, operation)
