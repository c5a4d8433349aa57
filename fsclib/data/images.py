"""A data set ready for use: its records, and the pixels of each, with everything broken found at once."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fsclib import paths
from fsclib.data.cache import open_cache
from fsclib.data.datasets import read_dataset, settle
from fsclib.data.records import Dataset, Problem


@dataclass(frozen=True, eq=False)
class Images:
    """Records of a data set and their pixels.

    records  one row an image, broken ones left out
    pixels   uint8 (M, height, width, 3), as PixelCache has them; record i is pixels[place[i]]
    pixels_hash  of all image contents, broken ones too, whatever their order
    data_hash    of these and of the records as they were read: labels, splits and order
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
    def skipped(self) -> dict[str, int]:
        """How many things of each kind were left out."""
        return dict(Counter(problem.kind for problem in self.problems))

    @property
    def synthetic(self) -> bool:
        """Whether these people were drawn: the program that draws them leaves its mark in the folder of a corpus."""
        from fsclib.data.synthetic import MARK  # which brings all that draws, and most programs do not ask

        return (self.dataset.root / MARK).exists()

    def with_records(self, records: pd.DataFrame) -> "Images":
        """The same images with other columns, such as held-out splits; rows stay what they are."""
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
    """Opens a data set and decodes what has not been decoded yet, at `size` (height, width).

    Errors: DatasetError that lists everything broken, in index files and in images, at once; with strict=False broken entries
    are left out and counted, and only a data set with nothing usable left is refused.
    """
    found = read_dataset(name, root, trial)
    # sorted: the trials of RegDB list the same images in different orders, and share one cache
    names = sorted(set(found.records["path"].tolist()))
    if not names:
        settle(found)  # raises
    cache = open_cache(found.root, names, size, cache_dir or paths.cache_dir(), name=name, workers=workers, progress=show)
    dataset = settle(found, cache.problems, strict)
    place = dataset.records["path"].map({path: row for row, path in enumerate(names)})
    table = dataset.records.to_csv(index=False).encode("utf-8", "surrogateescape")
    data_hash = hashlib.blake2b(cache.data_hash.encode() + table, digest_size=16).hexdigest()
    return Images(dataset, cache.pixels, place.to_numpy(np.int64), cache.data_hash, data_hash)
