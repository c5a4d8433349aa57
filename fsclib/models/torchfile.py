"""Files that another program saved with torch: tensors and plain values are read, and nothing of the file is run."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from fsclib.reading import regular

# how a file begins: a zip archive, or before torch 1.6 a number of torch's own. torch would search through whatever else there is.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")


def load(path: str | Path) -> Any:
    """What was saved, on the CPU. Errors: OSError if there is no such file, ValueError if it holds anything else."""
    with regular(Path(path)).open("rb") as file:
        beginning = file.read(max(map(len, BEGINNINGS)))
    if not beginning.startswith(BEGINNINGS):
        raise ValueError("not written by torch.save")
    if beginning.startswith(BEGINNINGS[0]):
        _check_archive(Path(path))
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken or unsafe file
        raise ValueError(str(error)) from error


def _check_archive(file: Path) -> None:
    """Refuses an archive that holds more than its own bytes, which torch.save does not write and torch.load would unpack."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise ValueError(f"not a whole archive ({error})") from error
    if not entries or min(entry.header_offset for entry in entries):  # torch would look for its table of contents elsewhere
        raise ValueError("an archive with something before its first entry, unlike those of torch.save")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("compressed, which torch.save does not do")
    if (unpacked := sum(entry.file_size for entry in entries)) > (size := file.stat().st_size):
        raise ValueError(f"{size:,} bytes that would unpack to {unpacked:,}")
