"""Generates any number of embeddings from those of real images, for measuring searches.

A real embedding is decomposed: x = mean of its modality + person + visit + shot, where the person component is common to all their
images of the modality, the visit component is what their images at one camera share beyond that, and the shot is the rest. A
synthetic embedding is composed of the same four parts: the modality's mean, a mixture of MIXED people (the same people, with the
same weights, in both modalities), of MIXED visits at one camera and of MIXED shots at that camera. The weights a of a mixture are
drawn from a sphere, Σ a² = 1 and either sign, which preserves the variances at every level and in every direction.

Unlike real galleries these have no near twins except by chance, no unseen cameras, and no wrong labels.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from fsclib.data.records import INFRARED, VISIBLE
from fsclib.retrieval.gallery.entries import Entries

MIXED = 3  # real components per mixture: fewer would repeat real ones, many would blur them into one cloud
PEOPLE = 1000  # per block
PERSON, GALLERY, QUERY = range(3)  # purposes of the random number streams


@dataclass(frozen=True, eq=False)
class Parts:
    """The decomposed real embeddings of a modality. mean (D,); people (P, D), visits (V, D) and shots (S, D), float32, each without
    the levels above; cameras (C,), and visit_camera (V,), shot_camera (S,): indices into cameras."""

    mean: NDArray[np.float32]
    people: NDArray[np.float32]
    visits: NDArray[np.float32]
    shots: NDArray[np.float32]
    cameras: NDArray[np.int64]
    visit_camera: NDArray[np.int64]
    shot_camera: NDArray[np.int64]

    @cached_property
    def levels(self) -> NDArray[np.float32]:
        """People, visits and shots, concatenated: (P + V + S, D)."""
        return np.concatenate([self.people, self.visits, self.shots])


@dataclass(frozen=True, eq=False)
class Crowd:
    """Synthetic visible images of any number of people, in blocks, and infrared queries for them. Construct with `around`.

    A block depends only on the seed and its number, and a smaller crowd is a prefix of a larger one. As a sequence of shards it can
    be passed to `build`: len() blocks, the last one truncated so that there are `images` images in all.
    """

    visible: Parts
    infrared: Parts
    visits: int
    shots: int
    images: int
    seed: int
    data: str

    @property
    def each(self) -> int:
        """Images per person."""
        return self.visits * self.shots

    def __len__(self) -> int:
        return -(-self.images // (PEOPLE * self.each))

    def __getitem__(self, block: int) -> Entries:
        """Images of a block, at most PEOPLE · each: identities from PEOPLE · block, each at `visits` cameras."""
        if not 0 <= block < len(self):
            raise IndexError(f"block: found {block}, expected 0 to {len(self) - 1}")
        number = min(self.images - block * PEOPLE * self.each, PEOPLE * self.each)
        random = self._random(block, GALLERY)
        person = np.repeat(np.arange(PEOPLE), self.each)
        visit = np.arange(len(person)) // self.shots
        order = random.permuted(np.tile(np.arange(len(self.visible.cameras)), (PEOPLE, 1)), axis=1)
        at = order[:, np.arange(self.visits) % order.shape[1]].ravel()  # different cameras per person, if there are enough
        found = _drawn(random, self.visible, self._people(block), person, visit, at, number)
        return Entries(found, PEOPLE * block + person[:number], self.visible.cameras[at[visit[:number]]], self.data)

    def queries(self, number: int) -> Entries:
        """One infrared image of each of `number` people, evenly spread over the crowd."""
        everybody = -(-self.images // self.each)
        people = np.linspace(0, everybody - 1, number).astype(np.int64)
        parts = []
        for block in np.unique(people // PEOPLE):
            random, own = self._random(block, QUERY), people[people // PEOPLE == block]
            at = random.integers(len(self.infrared.cameras), size=len(own))
            visit = np.arange(len(own))
            found = _drawn(random, self.infrared, self._people(block), own % PEOPLE, visit, at, len(own))
            parts.append(Entries(found, own, self.infrared.cameras[at], self.data))
        return Entries.joined(parts)

    def _people(self, block: int) -> sparse.csr_array:
        """The mixture weights of each person of a block, (PEOPLE, P)."""
        number = len(self.visible.people)
        return _mixtures(self._random(block, PERSON), np.zeros(PEOPLE, np.int64), np.zeros(number, np.int64))

    def _random(self, block: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, int(block), purpose])


def around(real: Entries, modality: NDArray, images: int, seed: int) -> Crowd:
    """A crowd of `images` images around real embeddings, of which modality (N,) says "visible" or "infrared".

    A synthetic person has as many visits and shots as a real one on average. Errors: ValueError if fewer than two people are
    seen by both modalities, or none of them twice by one: there would be nothing to mix.
    """
    both = np.intersect1d(*(real.identity[modality == kind] for kind in (VISIBLE, INFRARED)))
    if len(both) < 2:
        raise ValueError(f"found {len(both)} people seen by both modalities, expected two or more; take a larger test set")
    chosen = np.isin(real.identity, both)
    visible, infrared = (_parts(real.of((modality == kind) & chosen), kind) for kind in (VISIBLE, INFRARED))
    visits, shots = max(1, round(len(visible.visits) / len(both))), max(1, round(len(visible.shots) / len(visible.visits)))
    return Crowd(visible, infrared, visits, shots, images, seed, real.data)


def _parts(real: Entries, kind: str) -> Parts:
    cameras, camera = np.unique(real.camera, return_inverse=True)
    _, person = np.unique(real.identity, return_inverse=True)
    _, first, visit = np.unique(person * len(cameras) + camera, return_index=True, return_inverse=True)
    people, visits = _means(real.vectors, person), _means(real.vectors, visit)
    mean = people.mean(0)
    levels = [people - mean, visits - people[person[first]], real.vectors - visits[visit]]
    images, meetings, everybody = len(visit), len(visits), len(people)
    if images == everybody:
        raise ValueError(f"found one {kind} image of each person, expected more than one; take a larger test set")
    free = (everybody - 1, meetings - everybody, images - meetings)
    found = [float((level**2).sum()) / max(number, 1) for level, number in zip(levels, free, strict=True)]
    own = [max(found[0] - found[1] * everybody / meetings, 0), max(found[1] - found[2] * meetings / images, 0), found[2]]
    for level, variance in zip(levels, own, strict=True):  # corrects for the sampling variance of the means
        level *= np.sqrt(variance / max(float((level**2).sum(1).mean()), float(np.finfo(np.float32).tiny)))
    return Parts(mean, levels[0], levels[1], levels[2], cameras, camera[first], camera)


def _means(vectors: NDArray[np.float32], group: NDArray[np.int64]) -> NDArray[np.float32]:
    """Means (G, D) of the vectors of each group."""
    number = np.bincount(group)
    members = sparse.csr_array((1 / number[group], (group, np.arange(len(group)))))
    return (members @ vectors).astype(np.float32)


def _drawn(
    random: np.random.Generator,
    parts: Parts,
    people: sparse.csr_array,
    person: NDArray[np.int64],
    visit: NDArray[np.int64],
    at: NDArray[np.int64],
    number: int,
) -> NDArray[np.float32]:
    """Embeddings of images with person (n,), a row of `people`, and visit (n,), at camera at[visit]: the first `number`, which do
    not depend on `number`."""
    visits = _mixtures(random, at, parts.visit_camera)
    shots = _mixtures(random, at[visit], parts.shot_camera)
    mixed = sparse.hstack([people[person], visits[visit], shots], format="csr")
    return mixed[:number] @ parts.levels + parts.mean


def _mixtures(random: np.random.Generator, camera: NDArray[np.int64], cameras: NDArray[np.int64]) -> sparse.csr_array:
    """Mixture weights (n, R): for each of n components at `camera` (n,), of MIXED of the R real ones, whose cameras are given."""
    order = np.argsort(cameras, kind="stable")
    first, last = (np.searchsorted(cameras, camera, side, sorter=order) for side in ("left", "right"))
    first, last = np.where(first < last, first, 0), np.where(first < last, last, len(order))  # none at that camera: use all
    chosen = order[first[:, None] + (random.random((len(camera), MIXED)) * (last - first)[:, None]).astype(np.int64)]
    weights = random.standard_normal((len(camera), MIXED))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(camera)), MIXED)
    return sparse.csr_array((weights.astype(np.float32).ravel(), (rows, chosen.ravel())), shape=(len(camera), len(order)))
