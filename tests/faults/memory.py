"""A memory limit for tests: a bomb that goes off raises MemoryError instead of exhausting the machine."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def limited(room: int) -> Iterator[None]:
    """Limits this process to `room` bytes beyond those it has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmSize")).split()[1])
    resource.setrlimit(resource.RLIMIT_AS, ((used << 10) + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
