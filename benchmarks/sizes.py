"""Sizes and repeats of each benchmark: on a CPU, on a GPU, and in a quick run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from fsclib.data.pixels.decoding import usable_cores


class Search(NamedTuple):
    """A similarity matrix to be scored: numbers of queries, gallery images and people."""

    queries: int
    gallery: int
    people: int


@dataclass(frozen=True)
class Repeats:
    """Rounds of a measurement: at least `fewest`, then up to `most` while the total is below `seconds`."""

    warm_up: int = 1
    fewest: int = 5
    most: int = 100
    seconds: float = 20.0


@dataclass(frozen=True)
class Sizes:
    """Sizes of all benchmarks, by default for a CPU."""

    height: int = 384  # of an image, in pixels
    width: int = 144
    identities: int = 2  # P and K of a training step: P·K visible and P·K infrared images
    images: int = 2
    embedded: int = 4  # images
    classes: int = 713  # training identities of LLCM
    compared: int = 24  # P·K in the losses, as published
    searches: Mapping[str, Search] = field(
        default_factory=lambda: {"sysu": Search(3803, 301, 96), "regdb": Search(2060, 2060, 206), "llcm": Search(7166, 2000, 351)}
    )
    people: int = 1023  # in the corpus that is opened; 30,000 images in total
    shots: int = 3  # its images per camera and modality
    drawn: tuple[int, int] = (192, 72)  # their height and width; like most real images, they differ from a network's input
    decoded: int = 1000  # images decoded by the plain side and by the curve over workers
    multiplied: int = 2048  # rows and columns of the matrices for the machine's peak

    # points of the curves
    steps: tuple[tuple[int, int], ...] = ((2, 1), (2, 2), (4, 2), (4, 4))  # P and K
    batches: tuple[int, ...] = (1, 4, 16, 32)  # embedded images
    scales: tuple[tuple[int, int], ...] = ((96, 36), (192, 72), (288, 108), (384, 144))  # height and width
    galleries: tuple[int, ...] = (10**3, 10**4, 10**5, 10**6)
    workers: tuple[int, ...] = tuple(sorted({min(2**k, usable_cores()) for k in range(8)}))


PROCESSOR = Sizes()
GPU = replace(
    PROCESSOR,
    identities=6,  # a step as published
    images=4,
    embedded=64,
    multiplied=8192,
    steps=((2, 4), (6, 4), (12, 4), (12, 8), (24, 8)),
    batches=(1, 16, 64, 256, 512),
    scales=((192, 72), (288, 108), (384, 144), (512, 192)),
)
QUICK = replace(  # only checks that everything runs; the numbers mean nothing
    PROCESSOR,
    height=64,
    width=32,
    images=1,
    embedded=2,
    classes=4,
    compared=8,
    searches={"sysu": Search(40, 50, 25), "regdb": Search(40, 50, 25), "llcm": Search(40, 50, 25)},
    people=4,
    shots=2,
    drawn=(48, 16),
    decoded=64,  # fewer would be decoded without workers
    multiplied=256,
    steps=((2, 1),),
    batches=(2,),
    scales=((64, 32),),
    galleries=(100, 200),
    workers=(1, 2),
)
ONCE = Repeats(warm_up=0, fewest=1, most=1)
CURVE = Repeats(warm_up=0, fewest=3, most=20, seconds=10.0)  # for each point of a curve, after a call that tests whether it fits
