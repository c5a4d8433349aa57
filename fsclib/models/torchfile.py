"""Safe reading of files saved with torch by other programs: only tensors and plain values, without executing code."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from fsclib.system.reading import regular

# First bytes of a file: a zip archive, or torch's magic number before 1.6. torch itself would also search other files.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")


def load(path: str | Path) -> Any:
    """The saved object, on the CPU. Errors: OSError if the file does not exist, ValueError if it has other content."""
    with regular(Path(path)).open("rb") as file:
        beginning = file.read(max(map(len, BEGINNINGS)))
    if not beginning.startswith(BEGINNINGS):
        raise ValueError("not written by torch.save")
    if beginning.startswith(BEGINNINGS[0]):
        _check_archive(Path(path))
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds of errors for broken or unsafe files
        raise ValueError(str(error)) from error


def _check_archive(file: Path) -> None:
    """Rejects archives that torch.save does not write, but torch.load would unpack to more bytes than they have."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise ValueError(f"not a complete archive ({error})") from error
    if not entries or min(entry.header_offset for entry in entries):  # torch would search for its directory elsewhere
        raise ValueError("an archive with data before its first entry, unlike those of torch.save")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("compressed, unlike the archives of torch.save")
    if (unpacked := sum(entry.file_size for entry in entries)) > (size := file.stat().st_size):
        raise ValueError(f"{size:,} bytes that would unpack to {unpacked:,}")
