"""Safe reading of files saved with torch by other programs: tensors, plain values, and NumPy's numbers and arrays of them.

No code is executed, and nothing needs more memory than the size of the file.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fsclib.models import pickled
from fsclib.system.reading import regular

# First bytes of a file: a zip archive, or torch's magic number before 1.6. torch itself would also search other files.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
MADE_BY = {"scalar": np.float64(0).__reduce__()[0], "_reconstruct": np.zeros(1).__reduce__()[0]}
NUMPY: list[Any] = [  # allowed besides tensors; NumPy 1 and 2 name their modules differently
    np.ndarray,
    np.dtype,
    *{type(np.dtype(kind)) for kind in "?bBhHiIlLqQefdFD"},
    *((function, f"numpy.{core}.multiarray.{name}") for name, function in MADE_BY.items() for core in ("core", "_core")),
]
PICKLES = 5  # before torch 1.6: the magic number, the version, the machine, the object, the names of its storages


def load(path: str | Path) -> Any:
    """The saved object, on the CPU. Errors: OSError if the file does not exist, ValueError if it has other content."""
    with regular(Path(path)).open("rb") as file:
        beginning = file.read(max(map(len, BEGINNINGS)))
        rest = b"" if beginning.startswith(BEGINNINGS[0]) else file.read(PICKLES * pickled.LARGEST)
    if not beginning.startswith(BEGINNINGS):
        raise ValueError("not written by torch.save")
    if beginning.startswith(BEGINNINGS[0]):
        _check_archive(Path(path))
    else:
        _check_pickles(io.BytesIO(beginning + rest), Path(path).stat().st_size)
    try:
        with torch.serialization.safe_globals(NUMPY):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds of errors for broken or unsafe files
        advice = "weights_only" in str(error)  # torch advises to switch its check off
        raise ValueError("torch cannot read it safely" if advice else str(error)) from error


def _check_archive(file: Path) -> None:
    """Rejects archives that torch.save does not write, but torch.load would unpack to more bytes than they have."""
    size = file.stat().st_size
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if not entries or min(entry.header_offset for entry in entries):  # torch would search for its directory elsewhere
                raise ValueError("an archive with data before its first entry, unlike those of torch.save")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError("compressed, unlike the archives of torch.save")
            if (unpacked := sum(entry.file_size for entry in entries)) > size:
                raise ValueError(f"{size:,} bytes that would unpack to {unpacked:,}")
            sizes = {entry.filename.lower(): entry.file_size for entry in entries}
            if len(sizes) < len(entries):  # torch ignores upper and lower case, and could read the other one
                raise ValueError("an archive with two entries of the same name")
            folder = entries[0].filename.split("/")[0]
            if sizes.get(f"{folder}/data.pkl".lower(), 0) > pickled.LARGEST:
                raise ValueError(f"a pickle of more than {pickled.LARGEST:,} bytes")
            content = io.BytesIO(archive.read(f"{folder}/data.pkl"))
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError, RuntimeError, KeyError, EOFError) as error:
        raise ValueError(f"not a complete archive ({error})") from error
    pickled.check(content, lambda key: sizes.get(f"{folder}/data/{key}".lower(), 0), size)


def _check_pickles(content: io.BytesIO, size: int) -> None:
    for _ in range(PICKLES):
        pickled.check(content, lambda key: size, size)
