"""Random numbers for the synthetic corpora, keyed by purpose, so that anything can be redrawn on its own."""

from collections.abc import Mapping

from numpy.random import PCG64, Generator, SeedSequence

# purposes of random streams
TEXTURE, IDENTITY, APPEARANCE, SCENE, CAMERA, IMAGE, CORPUS, TRACK, TWIN, WORLD = range(10)
TRACK_LENGTH = 5  # images of one walk past a camera: image i belongs to walk i // 5 and is its frame i % 5


def stream(purpose: int, *key: int) -> Generator:
    """A generator that depends only on (purpose, *key), non-negative integers below 2**64."""
    # two words per part, and the length, since SeedSequence treats (4, 3, 1) and (4, 3, 1, 0) as equal
    words = [word for part in key for word in (part & 0xFFFFFFFF, part >> 32)]
    return Generator(PCG64(SeedSequence((purpose, len(key), *words))))


def pick(rng: Generator, weights: Mapping):
    """A random key of `weights`, with probability proportional to its integer weight."""
    ticket = int(rng.integers(sum(weights.values())))
    for choice, weight in weights.items():
        ticket -= weight
        if ticket < 0:
            return choice
    raise AssertionError("unreachable: the ticket is below the sum of the weights")


def between(rng: Generator, low: int, high: int) -> int:
    """A uniform random integer, both ends included."""
    return int(rng.integers(low, high + 1))


def uniform(rng: Generator, low: float, high: float) -> float:
    """A uniform random number in [low, high)."""
    return low + (high - low) * float(rng.random())
