"""Seconds of several works that take turns in one process, so that whatever slows the machine slows all of them alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.case import Work
from benchmarks.sizes import Repeats


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of a number of measurements."""

    median: float
    low: float
    high: float
    number: int


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles, linearly interpolated. ValueError for no values."""
    if not len(values):
        raise ValueError("no measurements, expected at least one")
    low, median, high = np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75)).tolist()
    return Spread(median, low, high, len(values))


def alternate(
    works: Mapping[str, Work],
    repeats: Repeats,
    wait: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each call of each work, one a round; every second round goes backward, as one work leaves the caches to the next.

    wait: until the device has done what it was given to do.
    """
    for _ in range(repeats.warm_up):
        for work in works.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    start, rounds = clock(), 0
    while rounds < repeats.fewest or (rounds < repeats.most and clock() - start < repeats.seconds):
        for name in list(works)[:: -1 if rounds % 2 else 1]:
            wait()
            begin = clock()
            works[name]()
            wait()
            seconds[name].append(clock() - begin)
        rounds += 1
    return seconds


def waiting(device: str) -> Callable[[], None]:
    """What waits for a device: nothing on a processor."""
    return torch.cuda.synchronize if device == "cuda" else lambda: None
