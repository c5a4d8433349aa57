"""The official permutations of SYSU-MM01 (Wu et al., ICCV 2017), which fix the galleries of its MATLAB evaluation.

rand_perm_cam.mat lies in exp/, in older archives directly in the data set's folder. Its variable rand_perm_cam is a cell array of
cameras, each a cell array of identities by number, each a (10, n) matrix: row t is the permutation of 1 … n for trial t, where n
is the number of the identity's images on that camera and 1 the first of them by name.

The file is read here instead of by scipy.io.loadmat, which believes the sizes that a file claims and also makes other objects.
"""

import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fsclib.config.specs import DatasetSpec
from fsclib.data.records import Problem, select
from fsclib.system.reading import read_bytes

FILES = ("exp/rand_perm_cam.mat", "rand_perm_cam.mat")
VARIABLE = "rand_perm_cam"
LARGEST = 1 << 24  # bytes, packed and unpacked: SYSU-MM01's 450,000 numbers take 4 MB at most
HEADER = 128  # bytes of a MATLAB 5 file before its first element
UINT8, MATRIX, PACKED = 2, 14, 15  # types of elements
TYPES = {1: "i1", UINT8: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # and of numbers
CELL, NUMBERS = 1, range(6, 16)  # classes of arrays
FIX = "restore the file and the images from the data set's archive; without the file, official galleries are left out"
KIND = "unusable official permutations"

Permutations = Mapping[tuple[int, int], Sequence[Sequence[str]]]  # (identity, camera) → for each trial, the paths in order


def read_permutations(root: Path, records: pd.DataFrame, spec: DatasetSpec) -> tuple[Permutations, str, list[Problem]]:
    """The permutations of the test images that official protocols of a data set may search, the SHA-256 of their file, problems.

    All are empty if there is no such protocol or no such file; after any problem, permutations and hash are empty.
    """
    official = [protocol for protocol in spec.further if protocol.official]
    file = next((name for name in FILES if os.path.lexists(root / name)), None)
    if not official or file is None:
        return {}, "", []
    try:
        content = read_bytes(root / file, LARGEST)
        cells = _cells(content)
    except (OSError, ValueError) as error:
        return {}, "", [Problem(file, None, f"cannot be used: {getattr(error, 'strerror', None) or error}", FIX, KIND)]
    cameras = sorted({camera for protocol in official for camera in protocol.cameras})
    test = records.iloc[select(records, "test")]
    found, complaints = _ordered(cells, test, cameras, official[0].trials, number=sum(map(len, spec.cameras.values())))
    if complaints:
        return {}, "", [Problem(file, None, complaint, FIX, KIND) for complaint in complaints]
    return found, hashlib.sha256(content).hexdigest(), []


def _ordered(
    cells: list[list[np.ndarray]], test: pd.DataFrame, cameras: list[int], trials: int, number: int
) -> tuple[dict[tuple[int, int], list[list[str]]], list[str]]:
    """The permutations as paths, and every way in which they do not match the test images. number: of the data set's cameras."""
    identities = sorted(set(test["identity"].tolist()))
    if len(cells) != number:
        return {}, [f"found {len(cells)} cameras, expected {number}"]
    if short := [camera for camera in cameras if len(cells[camera - 1]) < max(identities, default=0)]:
        expected = f"expected at least {max(identities)}, the largest test identity"
        return {}, [f"camera {camera}: found {len(cells[camera - 1])} identities, {expected}" for camera in short]
    files = {key: sorted(group) for key, group in test.groupby(["identity", "camera"])["path"]}
    found, complaints = {}, []
    for key in ((identity, camera) for identity in identities for camera in cameras):
        identity, camera = key
        paths, matrix = files.get(key, []), cells[camera - 1][identity - 1]
        if complaint := _complaint(matrix, trials, len(paths)):
            complaints.append(f"camera {camera}, identity {identity}: {complaint}")
        elif paths:
            found[key] = [[paths[place - 1] for place in row] for row in matrix.astype(int).tolist()]
    return found, complaints


def _complaint(matrix: np.ndarray, trials: int, images: int) -> str:
    """What is wrong with the permutations of one identity on one camera, "" if nothing is."""
    if matrix.size == 0 and images == 0:
        return ""
    if matrix.shape != (trials, images):
        rows, columns = matrix.shape
        return f"found {rows} permutations of {columns} images, expected {trials} of {images}, the number of files in its folder"
    wrong = np.flatnonzero((np.sort(matrix, axis=1) != np.arange(1, images + 1)).any(axis=1))
    return f"row {wrong[0] + 1} is not a permutation of 1 … {images}" if len(wrong) else ""


def _cells(content: bytes) -> list[list[np.ndarray]]:
    """The matrices by camera and identity. ValueError for anything but a MATLAB 5 file with cells of cells of matrices."""
    order = {b"IM": "<", b"MI": ">"}.get(content[HEADER - 2 : HEADER])
    if not content.startswith(b"MATLAB 5.0 ") or order is None:
        raise ValueError("is not a MATLAB 5 file; in MATLAB, save it again with the option '-v7'")
    for kind, body in _elements(content, order, HEADER):
        if kind == PACKED:
            try:
                body = zlib.decompressobj().decompress(body, LARGEST)  # a larger one is cut off
            except zlib.error as error:
                raise ValueError("is damaged") from error
            kind, body = next(_elements(body, order), (0, b""))
        if kind == MATRIX and _parts(body, order)[2] == VARIABLE.encode():
            return [[_matrix(identity, order) for identity in _cell(camera, order)] for camera in _cell(body, order)]
    raise ValueError(f"has no variable {VARIABLE}")


def _cell(body: bytes, order: str) -> list[bytes]:
    """The arrays in a cell array, in MATLAB's order."""
    kind, sizes, _, contents = _parts(body, order)
    if kind != CELL or math.prod(sizes) != len(contents):
        found = f"{len(contents)} of {math.prod(sizes)} cells" if kind == CELL else f"an array of MATLAB's class {kind}"
        raise ValueError(f"found {found} in {VARIABLE}, expected a cell array of cameras, each a cell array of identities")
    return [part for _, part in contents]


def _matrix(body: bytes, order: str) -> np.ndarray:
    """A matrix of numbers. MATLAB may store them in a smaller type than the array's class."""
    kind, sizes, _, contents = _parts(body, order) if body else (NUMBERS[0], (0, 0), b"", [(UINT8, b"")])
    stored = [np.dtype(order + TYPES[number]) for number, _ in contents if number in TYPES]
    if kind not in NUMBERS or len(sizes) != 2 or len(contents) != 1 or not stored:
        raise ValueError(f"found an array of MATLAB's class {kind} in {VARIABLE}, expected a matrix of numbers for each identity")
    if len(contents[0][1]) != math.prod(sizes) * stored[0].itemsize:
        raise ValueError("is damaged")
    return np.frombuffer(contents[0][1], stored[0]).reshape(sizes, order="F")


def _parts(body: bytes, order: str) -> tuple[int, tuple[int, ...], bytes, list[tuple[int, bytes]]]:
    """Class, sizes, name and contents of an array."""
    try:
        (_, flags), (_, sizes), (_, name), *contents = _elements(body, order)
        (flag,), dimensions = struct.unpack_from(f"{order}I", flags), struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    except (struct.error, ValueError) as error:
        raise ValueError("is damaged") from error
    return flag & 0xFF, dimensions, name, contents


def _elements(data: bytes, order: str, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """The type and content of each element of a MATLAB 5 file or array. ValueError if one is cut off."""
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("is cut off")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start = at + 8
        if kind >> 16:  # a small element: type, size and up to four bytes, in eight
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if start + size > len(data):
            raise ValueError("is cut off")
        yield kind, data[start : start + size]
        at = start + size if kind == PACKED else start + size + -(start + size - at) % 8
