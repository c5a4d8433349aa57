"""The cache of a data set's decoded pixels in one memory-mapped file, built once in parallel and then opened instantly.

    <stem>.json           the index: size, times, inode, hash and error of every image file, and the name of the pixel file
    <stem>.<token>.npy    pixels, uint8 (N, height, width, 3)
    <stem>.lock           held by the process that builds the cache

Pixels are never changed in place: a build writes a complete new file and only then replaces the index. So the index always names
a complete file, and a process that has mapped the old file can keep using it.

A file counts as unchanged while its size, times and inode are the same. Otherwise it is read and its hash compared: after a data
set was copied or moved, or with an index of an older version, which lacks inodes, all files are read once, but not decoded again.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fsclib.data.pixels.decoding import UNREADABLE, Decoded, read, state
from fsclib.data.pixels.file import holds, open_pixels, write_pixels
from fsclib.data.records import Problem
from fsclib.system.disk_space import make_folder
from fsclib.system.locks import locked
from fsclib.system.reading import read_json
from fsclib.system.storage import temporary_for, write_text

FORMAT = 3  # of the index; increase whenever the same image would give other pixels
LARGEST, ENTRY = 1 << 20, 1000  # bytes of an index without its images, and of one of them, which takes about 200
THREADS = 16  # for work that waits for a disk or a network drive
FIX = "restore it from the data set's archive, or make it readable; until then the image is skipped"


@dataclass(frozen=True, eq=False)
class PixelCache:
    """Pixels of a data set's images, in the order of the requested paths.

    pixels     uint8 (N, height, width, 3), RGB, read-only, memory-mapped if the file system allows; broken images are black
    valid      bool (N,), False for broken images
    problems   one per broken image
    data_hash  of all paths and file contents, independent of their order: equal hashes mean equal data
    """

    pixels: np.ndarray
    valid: np.ndarray
    problems: tuple[Problem, ...]
    data_hash: str


class _Image(NamedTuple):
    path: str
    found: Decoded


class _Index(NamedTuple):
    format: int
    height: int
    width: int
    pixels: str
    bytes: int
    data_hash: str
    images: list[_Image]


def open_cache(
    root: Path,
    paths: Sequence[str],
    size: tuple[int, int],
    cache_dir: Path,
    *,
    name: str = "",
    workers: int = 0,
    progress: bool = True,
) -> PixelCache:
    """Pixels of the images `paths` in `root`, decoded now if they are not cached or their files have changed.

    size       (height, width) to which all images are resized
    cache_dir  folder of the cache; its files may be deleted at any time
    name       of the data set, for file names and messages; by default the name of its folder
    workers    decoding processes, 0 = one per usable core

    Broken images are collected and do not raise. Raises ValueError for an invalid size or no paths, OSError if the disk is full.
    """
    root, folder = Path(root).absolute(), Path(cache_dir).absolute()
    paths, (height, width) = list(paths), size
    if not paths:
        raise ValueError(f"no images of {root} to cache, expected at least one path")
    if min(height, width) < 1:
        raise ValueError(f"size is {height}×{width}, expected a height and a width of at least 1")
    make_folder(folder)
    name = name or root.name
    # the relative path distinguishes data sets of the same name, and is stable when a checkout moves with its data and cache
    place = hashlib.blake2b(os.fsencode(os.path.relpath(root, folder)), digest_size=4).hexdigest()
    index_file = folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}-{height}x{width}-{place}.json"

    with suppress(FileNotFoundError):  # another process may be replacing the pixel file
        if (index := _read_index(index_file, (height, width), len(paths))) and _is_current(index, root, paths):
            cache = _open(folder, index)
            _tidy(index_file, index)
            return cache
    with locked(index_file.with_suffix(".lock"), f"{name} is being decoded"):
        index = _read_index(index_file, (height, width), len(paths))
        if index is None or not _is_current(index, root, paths):
            description = f"pixels of {name} at {height}×{width}" if progress else ""
            index = _update(index_file, index, root, paths, (height, width), workers, description)
        return _open(folder, index)


def _open(folder: Path, index: _Index) -> PixelCache:
    pixels = open_pixels(folder / index.pixels)
    broken = ((path, found.reason) for path, found in index.images if found.reason)
    problems = tuple(Problem(path, None, reason, FIX, "broken image") for path, reason in broken)
    return PixelCache(pixels, np.array([not found.reason for _, found in index.images]), problems, index.data_hash)


def _read_index(index_file: Path, size: tuple[int, int], number: int) -> _Index | None:
    """The index, None if there is none or it is invalid: it names a file that no build would write, or contradicts itself.

    number: of the requested images. An index far too large for them is not parsed.
    """
    try:
        index = _Index(**read_json(index_file, LARGEST + ENTRY * number))
        index = index._replace(images=[_Image(path, Decoded(*found)) for path, found in index.images])
        own = re.fullmatch(re.escape(index_file.stem) + r"\.[0-9a-f]{8}\.npy", index.pixels)
        told = (index.format, index.height, index.width) == (FORMAT, *size)
        if not own or not told or not all(map(_plain, index.images)) or index.data_hash != _data_hash(index.images):
            return None
        file = index_file.parent / index.pixels
        return index if holds(file, (len(index.images), *size, 3)) and file.stat().st_size == index.bytes else None
    except (OSError, ValueError, TypeError):
        return None


def _plain(image: _Image) -> bool:
    texts, numbers = (image.path, image.found.digest, image.found.reason), image.found.state
    return all(type(text) is str for text in texts) and all(type(number) is int for number in numbers)


def _is_current(index: _Index, root: Path, paths: list[str]) -> bool:
    """Whether the index has these paths in this order, and no file has changed or was replaced."""
    if paths != [path for path, _ in index.images]:
        return False
    return _in_threads(_state, root, paths) == [found.state for _, found in index.images]


def _update(
    index_file: Path,
    old: _Index | None,
    root: Path,
    paths: list[str],
    size: tuple[int, int],
    workers: int,
    description: str,
) -> _Index:
    """Decodes new and changed images, copies the others, and replaces pixels and index. The caller holds the lock."""
    folder = index_file.parent
    _remove_leftovers(index_file, old)
    found, sources = _recognise(old, root, paths)
    if old and sources == list(range(len(old.images))):  # files were touched, but their contents are unchanged
        index = old._replace(images=[_Image(path, entry) for path, entry in zip(paths, found, strict=True) if entry])
    else:
        file = folder / f"{index_file.stem}.{secrets.token_hex(4)}.npy"
        tasks = [(row, f"{root}/{paths[row]}") for row, source in enumerate(sources) if source is None]
        entries = {row: entry for row, entry in enumerate(found) if entry}
        known = [(source, row) for row, source in enumerate(sources) if source is not None and not entries[row].reason]
        old_file = folder / old.pixels if old else None
        decoded = write_pixels(file, (len(paths), *size, 3), tasks, known, old_file, workers, description)
        entries |= decoded
        images = [_Image(path, entries[row]) for row, path in enumerate(paths)]
        index = _Index(FORMAT, *size, file.name, file.stat().st_size, _data_hash(images), images)
    if index != old:
        try:
            write_text(index_file, json.dumps(index._asdict()))
        except OSError:
            _remove_leftovers(index_file, old)  # the new pixels, which are useless and take space on a full disk
            raise
        _remove_leftovers(index_file, index)
    return index


def _recognise(old: _Index | None, root: Path, paths: list[str]) -> tuple[list[Decoded | None], list[int | None]]:
    """For each path, its old entry and its row in the old pixels; None and None if the file is new or its content has changed.

    Files are hashed only if their size, times or inode have changed.
    """
    images = old.images if old else []
    rows = {path: row for row, (path, _) in enumerate(images)}
    sources = [rows.get(path) for path in paths]
    found = [None if row is None else images[row].found for row in sources]
    states = _in_threads(_state, root, paths)
    doubtful = [row for row, known in enumerate(found) if known and known.state != states[row]]
    for row, now in zip(doubtful, _in_threads(_fingerprint, root, [paths[row] for row in doubtful]), strict=True):
        if (entry := found[row]) and now.digest == entry.digest:
            found[row] = now._replace(reason=now.reason or entry.reason)
        else:
            found[row] = sources[row] = None
    return found, sources


def _tidy(index_file: Path, index: _Index) -> None:
    """Removes leftovers of a cache that needs no update, unless another process is building it."""
    if _leftovers(index_file, index):
        with suppress(OSError), locked(index_file.with_suffix(".lock"), None):  # a reader may lack write permission
            _remove_leftovers(index_file, _read_index(index_file, (index.height, index.width), len(index.images)))


def _remove_leftovers(index_file: Path, index: _Index | None) -> None:
    for file in _leftovers(index_file, index):
        file.unlink(missing_ok=True)


def _leftovers(index_file: Path, index: _Index | None) -> list[Path]:
    """Pixel files that the index does not name, and files left by builds that were killed, by the exact form of their names."""
    own = re.compile(re.escape(index_file.stem) + r"\.(json|[0-9a-f]{8}\.npy)")
    keep = {index_file.name, index.pixels if index else ""}
    names = ((file, temporary_for(file.name) or file.name) for file in index_file.parent.iterdir())
    return [file for file, name in names if own.fullmatch(name) and file.name not in keep]


def _data_hash(images: list[_Image]) -> str:
    """blake2b over the sorted (path, content hash) pairs."""
    total = hashlib.blake2b(digest_size=16)
    for path, digest in sorted({(path, found.digest) for path, found in images}):
        total.update(os.fsencode(f"{path}\0{digest}\n"))
    return total.hexdigest()


def _state(file: str) -> tuple[int, int, int, int]:
    try:
        return state(os.stat(file))  # noqa: PTH116 -- Path objects would double the time of opening
    except OSError:
        return (UNREADABLE,) * 4


def _fingerprint(file: str) -> Decoded:
    return read(file)[1]


def _in_threads(function: Callable, root: Path, paths: list[str]) -> list:
    """The results of `function` for the full path of each file, in order."""
    share = len(paths) // THREADS + 1
    parts = [paths[start : start + share] for start in range(0, len(paths), share)]
    with ThreadPoolExecutor(THREADS) as pool:
        results = pool.map(lambda part: [function(f"{root}/{path}") for path in part], parts)
        return [result for part in results for result in part]
