"""What a benchmark is: the same work for two sides, the plain transcription of METHOD and fsclib."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sizes import Repeats, Sizes

PLAIN, FSCLIB = SIDES = ("plain", "fsclib")
Work = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """device: "cpu" or "cuda"; scratch: a folder for corpora and caches, which is deleted in the end."""

    device: str
    sizes: Sizes
    repeats: Repeats
    scratch: Path


@dataclass(frozen=True)
class Case:
    """A line of the benchmarks.

    title         what is done, and in which precision by fsclib; the plain side computes in float32 as the published programs do
    size          how large it is, in words
    inputs        what both sides are given
    plain, fsclib from a setting and the inputs to the work of a side; a call of the work is what is timed
    items         how many images or queries a call works through
    precision     "float32" or "bfloat16", whose matrix peak the arithmetic is a share of; "" where it is not counted
    on_device     False: on the processor, whatever the device
    mapped        True: memory includes what is mapped from files
    share         how much of the work the plain side does; its time and memory for all of it are reckoned from that
    """

    title: str
    size: Callable[[Setting, Any], str]
    inputs: Callable[[Setting], Any]
    plain: Callable[[Setting, Any], Work]
    fsclib: Callable[[Setting, Any], Work]
    items: Callable[[Setting, Any], int]
    precision: str = ""
    on_device: bool = True
    mapped: bool = False
    share: Callable[[Setting, Any], float] = lambda setting, inputs: 1.0

    def work(self, side: str, setting: Setting, inputs: Any) -> Work:
        """The work of "plain" or "fsclib"."""
        return {PLAIN: self.plain, FSCLIB: self.fsclib}[side](setting, inputs)

    def where(self, setting: Setting) -> str:
        """The device that this case works on."""
        return setting.device if self.on_device else "cpu"
