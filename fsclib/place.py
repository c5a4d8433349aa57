"""Where the data of a run lie, and what it computes on: the checks of `data_root` and `device`, whoever asks for them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from fsclib.strict import AUTO, shown

LONGEST_PATH, LONGEST_PART = 4096, 255  # bytes, on Linux


def absolute(folder: str) -> str:
    """The folder, seen from where this process stands. ValueError, RuntimeError or OSError if there is none."""
    if b"\0" in os.fsencode(folder):
        raise ValueError("a null character")
    path = Path(folder).expanduser().absolute()
    if len(os.fsencode(path)) >= LONGEST_PATH or any(len(os.fsencode(part)) > LONGEST_PART for part in path.parts):
        raise ValueError(f"longer than a path can be, {LONGEST_PATH} bytes and {LONGEST_PART} for each part")
    return str(path)


def problems(data_root: str, device: str) -> Iterator[tuple[str, str]]:
    """What is wrong with either: its name, and a sentence."""
    if device != AUTO and not re.fullmatch(r"cpu|cuda(:(0|[1-9][0-9]?))?", device):
        yield "device", f"device: found {shown(device)}, expected auto, cpu, cuda or cuda:N"
    try:
        absolute(data_root or "/")
    except (ValueError, RuntimeError, OSError) as error:
        yield "data_root", f"data_root: found {shown(data_root)}, expected a folder: {error}"
