"""Checks of `data_root` and `device`: where the data of a run are stored, and which device it uses."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from fsclib.config.strict import AUTO, shown

LONGEST_PATH, LONGEST_PART = 4096, 255  # bytes, on Linux


def absolute(folder: str) -> str:
    """The absolute path of a folder, resolved against the working directory. ValueError, RuntimeError or OSError if invalid."""
    if b"\0" in os.fsencode(folder):
        raise ValueError("a null character")
    path = Path(folder).expanduser().absolute()
    if len(os.fsencode(path)) >= LONGEST_PATH or any(len(os.fsencode(part)) > LONGEST_PART for part in path.parts):
        raise ValueError(f"the path is too long: at most {LONGEST_PATH} bytes, and {LONGEST_PART} for each part")
    return str(path)


def problems(data_root: str, device: str) -> Iterator[tuple[str, str]]:
    """Problems with the two parameters, as (parameter name, message) pairs."""
    if device != AUTO and not re.fullmatch(r"cpu|mps|cuda(:(0|[1-9][0-9]?))?", device):
        yield "device", f"device: found {shown(device)}, expected auto, cpu, cuda, cuda:N or mps"
    try:
        absolute(data_root or "/")
    except (ValueError, RuntimeError, OSError) as error:
        yield "data_root", f"data_root: found {shown(data_root)}, expected a folder: {error}"
