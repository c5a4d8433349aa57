"""How large the work of each benchmark is and how often it is repeated: on a processor, on a GPU, and in a quick run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from fsclib.data.decoding import usable_cores


class Search(NamedTuple):
    """A similarity matrix to be scored: queries × gallery, of so many people."""

    queries: int
    gallery: int
    people: int


@dataclass(frozen=True)
class Repeats:
    """Rounds of a measurement: `fewest`, and further ones up to `most` as long as all together took less than `seconds`."""

    warm_up: int = 1
    fewest: int = 5
    most: int = 100
    seconds: float = 20.0


@dataclass(frozen=True)
class Sizes:
    """What every benchmark is given to do, by default on a processor."""

    height: int = 384  # of an image, in pixels
    width: int = 144
    identities: int = 2  # P and K of a training step: P·K visible and P·K infrared images
    images: int = 2
    embedded: int = 4  # images
    classes: int = 713  # training identities of LLCM
    compared: int = 24  # P·K of the losses, as published
    searches: Mapping[str, Search] = field(
        default_factory=lambda: {"sysu": Search(3803, 301, 96), "regdb": Search(2060, 2060, 206), "llcm": Search(7166, 2000, 351)}
    )
    people: int = 1023  # of the corpus that is opened, so many images a camera and modality: 30,000 images together
    shots: int = 3
    drawn: tuple[int, int] = (192, 72)  # their height and width, other than a network's like those of most real images
    decoded: int = 1000  # of these by the plain side and by the curve over workers
    multiplied: int = 2048  # rows and columns of the matrices that the machine's peak is measured with

    # where the curves are measured
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
QUICK = replace(  # shows that everything runs; its numbers mean nothing
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
    decoded=64,  # fewer are decoded without workers
    multiplied=256,
    steps=((2, 1),),
    batches=(2,),
    scales=((64, 32),),
    galleries=(100, 1000),
    workers=(1, 2),
)
ONCE = Repeats(warm_up=0, fewest=1, most=1)
CURVE = Repeats(warm_up=0, fewest=3, most=20, seconds=10.0)  # a point of a curve, behind a call that shows whether it fits
