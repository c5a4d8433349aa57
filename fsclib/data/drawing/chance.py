"""Random numbers of the synthetic corpora: each keyed by what it is for, so that anything can be drawn again alone."""

from collections.abc import Mapping

from numpy.random import PCG64, Generator, SeedSequence

# what a stream of random numbers is for
TEXTURE, IDENTITY, APPEARANCE, SCENE, CAMERA, IMAGE, CORPUS, TRACK, TWIN, WORLD = range(10)
TRACK_LENGTH = 5  # images of one walk past a camera: image i belongs to walk i // 5 and is its frame i % 5


def stream(purpose: int, *key: int) -> Generator:
    """Random numbers that depend on nothing but (purpose, *key), non-negative integers below 2**64."""
    # of a fixed form, since SeedSequence takes (4, 3, 1) and (4, 3, 1, 0) for the same
    words = [word for part in key for word in (part & 0xFFFFFFFF, part >> 32)]
    return Generator(PCG64(SeedSequence((purpose, len(key), *words))))


def pick(rng: Generator, weights: Mapping):
    """A key of `weights`, as often as its integer weight says."""
    ticket = int(rng.integers(sum(weights.values())))
    for choice, weight in weights.items():
        ticket -= weight
        if ticket < 0:
            return choice
    raise AssertionError("unreachable: the ticket is below the sum of the weights")


def between(rng: Generator, low: int, high: int) -> int:
    """A uniform integer, both ends included."""
    return int(rng.integers(low, high + 1))


def uniform(rng: Generator, low: float, high: float) -> float:
    """A uniform number in [low, high)."""
    return low + (high - low) * float(rng.random())
