"""A bomb that goes off is a MemoryError, and not the end of the machine."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def limited(room: int) -> Iterator[None]:
    """Leaves this process so many bytes beyond those that it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmSize")).split()[1])
    resource.setrlimit(resource.RLIMIT_AS, ((used << 10) + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
