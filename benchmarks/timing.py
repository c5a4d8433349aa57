"""Times several pieces of work that alternate in one process, so that a slow machine affects all of them alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.case import Work
from benchmarks.sizes import Repeats


@dataclass(frozen=True)
class Spread:
    """Median, quartiles and number of measurements."""

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
    """Seconds of each call, one call per work and round.

    Every second round is reversed, because each call inherits the previous one's warm caches.

    wait: blocks until the device is idle.
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
    """A function that waits for a device; it does nothing on a CPU."""
    return torch.cuda.synchronize if device == "cuda" else lambda: None
