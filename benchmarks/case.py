"""A benchmark case: the same work for two sides, the plain transcription of the method and fsclib."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sizes import Repeats, Sizes

PLAIN, FSCLIB = SIDES = ("plain", "fsclib")
Work = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """device: "cpu" or "cuda"; scratch: a folder for corpora and caches, deleted at the end."""

    device: str
    sizes: Sizes
    repeats: Repeats
    scratch: Path


@dataclass(frozen=True)
class Case:
    """One benchmark.

    title         what is measured, and fsclib's precision; the plain side uses float32 like the published programs
    size          the size of the work as text
    inputs        the inputs of both sides
    plain, fsclib make the work of a side from a setting and the inputs; one call of the work is timed
    items         number of images or queries per call
    precision     "float32" or "bfloat16", for the share of the matrix peak; "" if operations are not counted
    on_device     False: on the CPU, whatever the device
    mapped        True: memory includes what is mapped from files
    share         the share of the work that the plain side does; its time and memory are scaled up accordingly
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
        """The device that this case runs on."""
        return setting.device if self.on_device else "cpu"
