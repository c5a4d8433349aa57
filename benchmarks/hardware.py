"""What the benchmarks ran on: the machine's name, and the versions that made the numbers."""

import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.arithmetic import matrix_peak
from fsclib.data.decoding import usable_cores
from fsclib.machine import revision, versions

PRECISIONS = ("float32", "bfloat16")


def name_of(device: str) -> str:
    """The GPU's name, or the processor's and how many of its cores may be used."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{processor()}, {usable_cores()} cores"


def processor() -> str:
    """What the maker calls the processor, where the system says so."""
    information = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE) if information.exists() else None
    return " ".join(found[1].split()) if found else platform.processor() or platform.machine()


def slug(name: str) -> str:
    """A machine's name as that of a file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def environment(device: str, multiplied: int) -> dict[str, Any]:
    """What stands beside every measurement; the FLOP/s that the machine reaches on square matrices are measured here."""
    return {
        "revision": revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions(),
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).date().isoformat(),
        "matrix_peak": {precision: matrix_peak(device, precision, multiplied) for precision in PRECISIONS},
    }
