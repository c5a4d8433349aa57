"""Writing and opening the pixels of many images in one .npy file; rows are decoded or copied from an older file."""

import errno
import io
import logging
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from fsclib.data.pixels.decoding import Decoded, Target, decode_all
from fsclib.system.disk_space import FULL, can_map
from fsclib.system.progress import progress
from fsclib.system.reading import regular
from fsclib.system.storage import replacing, reserve

logger = logging.getLogger(__name__)


def write_pixels(
    file: Path,
    shape: tuple[int, int, int, int],
    tasks: Sequence[tuple[int, str]],
    known: Sequence[tuple[int, int]] = (),
    old: Path | None = None,
    workers: int = 0,
    description: str = "",
) -> dict[int, Decoded]:
    """Write uint8 pixels (N, height, width, 3) to `file`, which appears only when it is complete.

    tasks        (row, path) of the images to decode
    known        (row in `old`, row in `file`) of pixels to copy; all other rows, and broken images, are black
    workers      as in `decode_all`
    description  of the progress bar; no bar if empty

    Returns the result for each decoded row. Raises OSError, and leaves no file behind, if the disk is full.
    """
    needed = int(np.prod(shape))
    found: dict[int, Decoded] = {}
    try:
        free = shutil.disk_usage(file.parent).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"only {free / 1e9:.3g} GB are free")
        with replacing(file) as temporary:
            offset = _write_header(temporary, shape, needed)
            chunks = decode_all(tasks, Target(str(temporary), offset, *shape[1:3]), workers)
            with progress(len(known) + len(tasks), description, shown=bool(description)) as bar, closing(chunks):
                if known:
                    assert old  # the file that they are rows of
                    _copy_rows(old, temporary, known)
                    bar.update(len(known))
                for chunk in chunks:
                    found.update(chunk)
                    bar.update(len(chunk))
    except OSError as error:
        if error.errno not in FULL:
            raise
        number, height, width, _ = shape
        raise OSError(
            errno.ENOSPC,
            f"{number} images of {height}×{width} need {needed / 1e9:.3g} GB in {file.parent} ({error.strerror}): free some "
            "space there, or set FSCLIB_HOME to a folder on another disk (for data, cache and results)",
        ) from error
    return found


def open_pixels(file: Path) -> np.ndarray:
    """The pixels of a file, read-only: memory-mapped, or read into memory if the file system does not support mapping."""
    if can_map(file):
        return np.load(file, mmap_mode="r", allow_pickle=False)
    size = f"{file.stat().st_size / 1e9:.3g} GB"
    logger.warning(f"{file} is on a file system that cannot map files: reading {size} of pixels into memory")
    pixels = np.load(file, allow_pickle=False)
    pixels.flags.writeable = False
    return pixels


def holds(file: Path, shape: tuple[int, int, int, int]) -> bool:
    """Whether a file contains pixels of this shape, judged by its length and its header, which is compared and never parsed.

    Errors: OSError if it cannot be read.
    """
    header = _header(shape)
    if regular(file).stat().st_size != len(header) + int(np.prod(shape)):
        return False
    with file.open("rb") as handle:
        return handle.read(len(header)) == header


def _header(shape: tuple[int, ...]) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return content.getvalue()


def _write_header(file: Path, shape: tuple[int, ...], needed: int) -> int:
    """Writes a .npy file of zeros with its disk space allocated; returns the offset of its first row."""
    header = _header(shape)
    file.write_bytes(header)
    reserve(file, len(header) + needed)
    return len(header)


def _copy_rows(source: Path, target: Path, rows: Sequence[tuple[int, int]]) -> None:
    # read and written, not mapped: mapped pages would count as this process's memory
    with source.open("rb") as reader, target.open("r+b") as writer:
        (old, size), (new, _) = map(_read_header, (reader, writer))
        for row_old, row_new in rows:
            reader.seek(old + row_old * size)
            writer.seek(new + row_new * size)
            writer.write(reader.read(size))


def _read_header(handle: io.BufferedIOBase) -> tuple[int, int]:
    """The offset of the first row of pixels, and the bytes per row."""
    np.lib.format.read_magic(handle)
    (_, *row), _, _ = np.lib.format.read_array_header_1_0(handle)
    return handle.tell(), int(np.prod(row))
