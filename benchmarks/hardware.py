"""The machine's name, and the versions that measurements were made with."""

import platform
import re
from datetime import UTC, datetime
from typing import Any

import torch

from benchmarks.arithmetic import matrix_peak
from fsclib.data.pixels.decoding import usable_cores
from fsclib.runs import environment as machine
from fsclib.system.device import name_of as device_name

PRECISIONS = ("float32", "bfloat16")


def name_of(device: str) -> str:
    """The GPU's name, or the CPU's with the number of usable cores."""
    name = device_name(torch.device(device))
    return name if device == "cuda" else f"{name}, {usable_cores()} cores"


def slug(name: str) -> str:
    """A machine's name as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def environment(device: str, multiplied: int) -> dict[str, Any]:
    """The environment recorded with every measurement, including the measured peak FLOP/s on square matrices."""
    return {
        "revision": machine.revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": machine.versions(),
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).date().isoformat(),
        "matrix_peak": {precision: matrix_peak(device, precision, multiplied) for precision in PRECISIONS},
    }
