"""Opening a prepared data set, and batches from it.

fsclib decodes images once and augments batches on the device; the published programs decode at each start and augment images
one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.case import Case, Setting, Work
from benchmarks.cases.networks import labels_of, of_a_step
from benchmarks.plain import data
from fsclib.data.augment import Augmentation
from fsclib.data.batches import batches
from fsclib.data.images import open_images
from fsclib.data.pixels.cache import open_cache
from fsclib.training.dry_run import STEPS
from synthpeople.generate import MARK, write_corpus


@dataclass(frozen=True)
class Corpus:
    """A synthetic corpus in LLCM's layout: its folder, the folder of its cache, and the relative paths of its images."""

    root: Path
    cache: Path
    names: tuple[str, ...]

    def files(self, number: int) -> list[Path]:
        """The first `number` image files."""
        return [self.root / name for name in self.names[:number]]


def corpus(setting: Setting) -> Corpus:
    """Draws the corpus on first use; later calls and other processes reuse it."""
    root, sizes = setting.scratch / "LLCM", setting.sizes
    if not (root / MARK).exists():
        height, width = sizes.drawn
        write_corpus(root, "llcm", sizes.people, images=sizes.shots, height=height, width=width)
    return Corpus(root, setting.scratch / "cache", tuple(sorted(str(file.relative_to(root)) for file in root.rglob("*.jpg"))))


def plain_opening(setting: Setting, given: Corpus) -> Work:
    files = given.files(setting.sizes.decoded)
    return partial(data.open_all, files, setting.sizes.height, setting.sizes.width)


def opening(setting: Setting, given: Corpus) -> Work:
    """Opens the data set; the first call decodes everything and is not part of the measurement."""
    size = setting.sizes.height, setting.sizes.width
    return partial(open_images, "llcm", size, given.root, cache_dir=given.cache, show=False)


def decoding(setting: Setting, given: Corpus, workers: int) -> Work:
    """Decodes the images of `plain_opening` into a new cache with `workers` processes."""
    size, names = (setting.sizes.height, setting.sizes.width), given.names[: setting.sizes.decoded]

    def work() -> None:
        with TemporaryDirectory(dir=setting.scratch) as cache:
            open_cache(given.root, names, size, Path(cache), workers=workers, progress=False)

    return work


def plain_loading(setting: Setting, pixels: np.ndarray) -> Work:
    """Loads in one process; the published programs use several."""
    augment, rows = data.augmentation(setting.sizes.height, setting.sizes.width), np.arange(len(pixels))
    return lambda: data.batch(pixels, rows, augment).to(setting.device)


def loading(setting: Setting, pixels: np.ndarray) -> Work:
    half = len(pixels) // 2
    visible, infrared = (np.tile(rows, (STEPS, 1)) for rows in (np.arange(half), np.arange(half, 2 * half)))
    labels = np.tile(labels_of(setting)[:half], (STEPS, 1))
    generator = torch.Generator().manual_seed(0)

    def endless() -> Iterator[tuple[torch.Tensor, ...]]:
        while True:
            yield from batches(pixels, visible, infrared, labels, setting.device, generator, Augmentation())

    return partial(next, endless())


CASES = {
    "open": Case(
        "opening a prepared data set",
        lambda setting, given: f"{len(given.names):,} images as {setting.sizes.height}×{setting.sizes.width}",
        corpus,
        plain_opening,
        opening,
        lambda setting, given: len(given.names),
        on_device=False,
        mapped=True,
        share=lambda setting, given: min(1.0, setting.sizes.decoded / len(given.names)),
    ),
    "loader": Case(
        "loading and augmenting",
        lambda setting, pixels: f"{len(pixels)} images of {setting.sizes.height}×{setting.sizes.width}",
        of_a_step,
        plain_loading,
        loading,
        lambda setting, pixels: len(pixels),
    ),
}
