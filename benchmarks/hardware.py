"""What the benchmarks ran on: the machine's name, and the versions that made the numbers."""

import platform
import re
from datetime import UTC, datetime
from typing import Any

import torch

from benchmarks.arithmetic import matrix_peak
from fsclib import machine
from fsclib.data.decoding import usable_cores

PRECISIONS = ("float32", "bfloat16")


def name_of(device: str) -> str:
    """The GPU's name, or the processor's and how many of its cores may be used."""
    name = machine.name_of(torch.device(device))
    return name if device == "cuda" else f"{name}, {usable_cores()} cores"


def slug(name: str) -> str:
    """A machine's name as that of a file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def environment(device: str, multiplied: int) -> dict[str, Any]:
    """What stands beside every measurement; the FLOP/s that the machine reaches on square matrices are measured here."""
    return {
        "revision": machine.revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": machine.versions(),
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).date().isoformat(),
        "matrix_peak": {precision: matrix_peak(device, precision, multiplied) for precision in PRECISIONS},
    }
