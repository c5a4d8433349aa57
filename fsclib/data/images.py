"""A data set ready for use: its records and their pixels, with all problems reported at once."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fsclib.config.specs import Protocol
from fsclib.data.datasets import MARK, read_dataset, settle
from fsclib.data.pixels.cache import open_cache
from fsclib.data.records import Dataset, Problem
from fsclib.system import paths


@dataclass(frozen=True, eq=False)
class Images:
    """Records of a data set and their pixels.

    records  one row per image, without broken ones
    pixels   uint8 (M, height, width, 3), as in PixelCache; the pixels of record i are pixels[place[i]]
    pixels_hash  of the contents of all images, including broken ones, independent of their order
    data_hash    of the contents and of the records as read: labels, splits and order
    """

    dataset: Dataset
    pixels: np.ndarray = field(repr=False)
    place: np.ndarray = field(repr=False)
    pixels_hash: str
    data_hash: str

    @property
    def records(self) -> pd.DataFrame:
        return self.dataset.records

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.dataset.problems

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What is worth knowing although nothing is broken, such as files that were passed over."""
        return self.dataset.notes

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The retrieval protocols of the data set, the default first."""
        return self.dataset.spec.protocols

    @property
    def further_protocols(self) -> tuple[Protocol, ...]:
        """Protocols to be tested in addition: official ones only if the data set holds their permutations."""
        return tuple(p for p in self.dataset.spec.further if self.dataset.permutations or not p.official)

    @property
    def skipped(self) -> dict[str, int]:
        """Number of skipped entries of each kind."""
        return dict(Counter(problem.kind for problem in self.problems))

    @property
    def synthetic(self) -> bool:
        """Whether the people are synthetic, which the generator marks by a file in the folder of a corpus."""
        return (self.dataset.root / MARK).exists()

    def with_records(self, records: pd.DataFrame) -> "Images":
        """The same images with other columns, such as held-out splits; the rows must be the same."""
        return replace(self, dataset=replace(self.dataset, records=records))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Pixels of records `rows`: uint8 (N, height, width, 3), a copy."""
        return self.pixels[self.place[rows]]


def open_images(
    name: str,
    size: tuple[int, int],
    root: str | Path | None = None,
    trial: int = 1,
    strict: bool = True,
    workers: int = 0,
    cache_dir: Path | None = None,
    show: bool = True,
) -> Images:
    """Opens a data set and decodes images that are not in the cache, at `size` (height, width).

    Errors: DatasetError that lists all problems of index files and images at once; with strict=False broken entries are skipped
    and counted, and it is raised only if nothing usable remains.
    """
    found = read_dataset(name, root, trial)
    # sorted, so that RegDB's trials, which list the same images in different orders, share one cache
    names = sorted(set(found.records["path"].tolist()))
    if not names:
        settle(found)  # raises
    cache = open_cache(found.root, names, size, cache_dir or paths.cache_dir(), name=name, workers=workers, progress=show)
    dataset = settle(found, cache.problems, strict)
    place = dataset.records["path"].map({path: row for row, path in enumerate(names)})
    table = dataset.records.to_csv(index=False).encode("utf-8", "surrogateescape")
    data_hash = hashlib.blake2b(cache.data_hash.encode() + table, digest_size=16).hexdigest()
    return Images(dataset, cache.pixels, place.to_numpy(np.int64), cache.data_hash, data_hash)
