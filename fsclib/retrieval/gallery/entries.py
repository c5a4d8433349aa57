"""Gallery entries: one vector per image, with its identity and camera."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fsclib.config.strict import shown

DATA = re.compile(r"[0-9a-zA-Z._:-]{0,100}")
LARGEST_LABEL = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Entries:
    """vectors (N, D) float32, whose inner product is the similarity; identity and camera (N,) integers from 0, as in the records;
    data: the hash of their data set, or another name for it that matches DATA."""

    vectors: NDArray[np.float32]
    identity: NDArray[np.int64]
    camera: NDArray[np.int64]
    data: str = ""

    def __len__(self) -> int:
        return len(self.vectors)

    def of(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Entries":
        """The entries of the given rows or mask."""
        return Entries(self.vectors[rows], self.identity[rows], self.camera[rows], self.data)

    @staticmethod
    def joined(parts: "Sequence[Entries]") -> "Entries":
        """Concatenates entries of one data set."""
        names = ("vectors", "identity", "camera")
        vectors, identity, camera = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        return Entries(vectors, identity, camera, parts[0].data)

    def checked(self, dimension: int) -> "Entries":
        """The same entries, contiguous. ValueError for another dimension, unequal lengths, numbers that are not finite, an invalid
        name of the data, or no entry at all."""
        vectors = np.ascontiguousarray(self.vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != dimension or not len(vectors):
            found = f"found vectors of shape {vectors.shape}, expected one or more of dimension {dimension}"
            raise ValueError(f"{found}; embed all images with the same network")
        labels = [np.asarray(part) for part in (self.identity, self.camera)]
        for name, part in zip(("identity", "camera"), labels, strict=True):
            if part.shape != (len(vectors),) or part.dtype.kind not in "iu" or part.min() < 0 or part.max() > LARGEST_LABEL:
                found = f"{name}: found shape {part.shape} and {part.dtype}, expected {len(vectors)} whole numbers"
                raise ValueError(f"{found} from 0 to {LARGEST_LABEL}; pass those of the records")
        if not isinstance(self.data, str) or not DATA.fullmatch(self.data):
            raise ValueError(f"data: found {shown(self.data)}, expected the hash of the data set, of the form {DATA.pattern}")
        if not np.isfinite(vectors).all():
            row = int(np.flatnonzero(~np.isfinite(vectors).all(1))[0])
            raise ValueError(f"vectors: entry {row} is not finite; embed that image again, or look for the weights that overflowed")
        identity, camera = (part.astype(np.int64) for part in labels)
        return Entries(vectors, identity, camera, self.data)


class Shards(Protocol):
    """The source of an index, with one shard in memory at a time. images: their total number."""

    @property
    def images(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, shard: int, /) -> Entries: ...


@dataclass(frozen=True, eq=False)
class Cut:
    """Entries in memory, cut into shards of `size` images."""

    whole: Entries
    size: int = 1 << 14

    @property
    def images(self) -> int:
        return len(self.whole)

    def __len__(self) -> int:
        return -(-len(self.whole) // self.size)

    def __getitem__(self, shard: int) -> Entries:
        return self.whole.of(slice(shard * self.size, (shard + 1) * self.size))
