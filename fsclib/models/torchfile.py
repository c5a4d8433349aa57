"""Files that another program saved with torch: tensors and plain values are read, and nothing of the file is run."""

from pathlib import Path
from typing import Any

import torch

from fsclib.reading import regular

# how a file begins: a zip archive, or before torch 1.6 a number of torch's own. torch would search through whatever else there is.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")


def load(path: str | Path) -> Any:
    """What was saved, on the CPU. Errors: OSError if there is no such file, ValueError if it holds anything else."""
    with regular(Path(path)).open("rb") as file:
        if not file.read(max(map(len, BEGINNINGS))).startswith(BEGINNINGS):
            raise ValueError("not written by torch.save")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken or unsafe file
        raise ValueError(str(error)) from error
