"""Numbers of people and images in a synthetic corpus: as requested, or exactly as in the original.

A track is what one camera sees of one identity in one modality. Only totals of the originals are known; they are spread unevenly
over the tracks.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from synthpeople.drawing import family
from synthpeople.randomness import CORPUS, stream

SPLIT, CAMERAS, FRAMES, TRIAL, COUNTS = range(5)  # streams of random numbers below CORPUS

MODALITIES = ("visible", "infrared")
REGDB_IMAGES = 10  # per track
FEWEST = 4  # people in a corpus, and in each of its worlds
WEIGHTS = (400, 1600)  # range of the tracks' random weights; integers give the same counts on any machine


@dataclass(frozen=True)
class Size:
    """Numbers of people and images.

    images: per track; or, by split ("train", "test") and modality, over all tracks. test_images: per test track, if different.
    """

    identities: int
    train: int  # training identities, including validation
    images: int | Mapping[tuple[str, str], int]
    worlds: int = 1  # if there are several, the people of the first ones are for training
    test_images: int | None = None

    def counts(self, split: str, modality: str, tracks: int, seed: int) -> list[int]:
        """Images of each of the `tracks` tracks of a split in a modality."""
        if not isinstance(self.images, Mapping):
            return [(self.test_images if split == "test" else None) or self.images] * tracks
        key = ("train", "test").index(split), MODALITIES.index(modality)
        return spread(self.images[split, modality], tracks, *key, seed)


def _totals(train: tuple[int, int], test: tuple[int, int]) -> dict[tuple[str, str], int]:
    """Images by split and modality, from (visible, infrared) for each split."""
    splits = {"train": train, "test": test}
    return {(split, modality): splits[split][k] for split in splits for k, modality in enumerate(MODALITIES)}


FULL: dict[str, Size] = {
    "sysu": Size(491, 395, _totals(train=(22_258, 11_909), test=(6_775, 3_803))),
    "regdb": Size(412, 206, REGDB_IMAGES),
    "llcm": Size(1064, 713, _totals(train=(16_946, 13_975), test=(8_680, 7_166))),
}


@lru_cache(maxsize=8)
def last_of_worlds(identities: int, worlds: int) -> tuple[int, ...]:
    """The last identity of each world; the first world starts at 1. Blocks are as equal as possible with near twins together.

    Each has at least FEWEST people, if there are enough.
    """
    ends, end = [], 0
    for world in range(1, worlds + 1):
        end = max(end + FEWEST, identities * world // worlds)
        end += world < worlds and family(end + 1) <= end
        ends.append(end)
    return tuple(ends)


def world_of(identity: int, identities: int, worlds: int) -> int:
    """The world of an identity, from 0."""
    return bisect_left(last_of_worlds(identities, worlds), identity)


def train_of_worlds(identities: int, worlds: int, train_share: float) -> int:
    """The number of training identities: those of all worlds but the last, at least one of which is for the test."""
    test = min(max(1, round((1 - train_share) * worlds)), worlds - 1)
    return last_of_worlds(identities, worlds)[worlds - test - 1]


def spread(total: int, tracks: int, *key: int) -> list[int]:
    """Distributes `total` images over `tracks` tracks by random weights: at least one each, the rest by largest remainder.

    Errors: ValueError if there are fewer images than tracks.
    """
    if not 0 < tracks <= total:
        raise ValueError(f"{total} images for {tracks} tracks, expected at least one for each; ask for fewer identities")
    weights = stream(CORPUS, COUNTS, *key).integers(WEIGHTS[0], WEIGHTS[1] + 1, tracks)
    shares, remainders = np.divmod((total - tracks) * weights, weights.sum())
    shares[np.argsort(-remainders, kind="stable")[: total - tracks - shares.sum()]] += 1
    return (1 + shares).tolist()
