"""The distance between the modalities: the gap between their means, and the mixing of their nearest neighbours.

With vᵢ and tᵢ the mean points of person i in visible and infrared, gᵢ = vᵢ − tᵢ, over people seen by both, each counted once:
    gap      length of the part of gᵢ that all people share, √ of the mean of ⟨gᵢ, gⱼ⟩ over i ≠ j
    own      length of gᵢ, √ of the mean of |gᵢ|²
    people   distance of two people within one modality, √ of the mean of |vᵢ − vⱼ|² and |tᵢ − tⱼ|² over i ≠ j
    common   gap² / own²: the share of a person's gap that one shift of a whole modality would close
    relative gap / people: above 1, the modality moves an image farther than the identity does
The gap is that between the modality means; excluding i = j removes the sampling bias of the means, so that identical modalities
have a gap of 0 on average (and half of the time a negative mean of ⟨gᵢ, gⱼ⟩, reported as 0). own and people include the sampling
error of each person's means, which come from few images. Distances are Euclidean, of unit vectors: 0 to 2.

Mixing: the share of the other modality among the NEIGHBOURS nearest points, beside its share among all candidates, which is the
value expected by chance. Pairs in Points.hidden are not candidates. A mixture of 1 means that modality does not affect who is near,
0 that no neighbour comes from the other modality. If a modality has one camera, as in RegDB, a person's own images are candidates
across modalities only, and a network with good retrieval exceeds 1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fsclib.analysis.embedding_space.points import Points
from fsclib.analysis.embedding_space.resampling import Measure, between_people, over_people, ratio
from fsclib.data.records import MODALITIES

NEIGHBOURS = 10
BLOCK = 512  # points whose distances to all others are in memory at once


def gaps(found: Mapping[str, Points], seed: int = 0) -> pd.DataFrame:
    """gap, own, people, common and relative of each run, in the form of over_people with label run."""
    people = len(np.unique(next(iter(found.values())).identity))
    return over_people((({"run": run}, Gap.of(points)) for run, points in found.items()), people, seed)


@dataclass(frozen=True, eq=False)
class Gap:
    """shift (P, P): ⟨gᵢ, gⱼ⟩; distance (P, P): squared distance of i and j, mean over modalities; both (P,) bool: seen by both."""

    shift: NDArray[np.float64]
    distance: NDArray[np.float64]
    both: NDArray[np.bool_]

    @classmethod
    def of(cls, points: Points) -> "Gap":
        people, person = np.unique(points.identity, return_inverse=True)
        vectors, who = points.vectors, torch.from_numpy(person)
        both, centres = np.ones(len(people), bool), []
        for modality in MODALITIES:
            rows = torch.from_numpy(points.of(modality))
            number = torch.bincount(who[rows], minlength=len(people))
            total = torch.zeros(len(people), vectors.shape[1]).double().index_add_(0, who[rows], vectors[rows].double())
            centres.append((total / number.clamp(min=1)[:, None]).numpy())
            both &= number.numpy() > 0
        apart = centres[0] - centres[1]
        return cls(apart @ apart.T, (_squared(centres[0]) + _squared(centres[1])) / 2, both)

    def __call__(self, multiplicities: NDArray) -> dict[str, NDArray]:
        m = multiplicities * self.both
        shared = np.maximum(between_people(m, self.shift), 0)
        own = ratio(m @ np.diag(self.shift), m.sum(1))
        people = between_people(m, self.distance)
        figures = {"gap": np.sqrt(shared), "own": np.sqrt(own), "people": np.sqrt(people)}
        return figures | {"common": ratio(shared, own), "relative": np.sqrt(ratio(shared, people))}


def _squared(centres: NDArray) -> NDArray:
    products = centres @ centres.T
    return np.diag(products)[:, None] + np.diag(products) - 2 * products


def mixing(found: Mapping[str, Points], seed: int = 0, neighbours: int = NEIGHBOURS) -> pd.DataFrame:
    """observed and chance (shares, 0 to 1) and their ratio, mixture, in the form of over_people with labels run and modality."""
    people = len(np.unique(next(iter(found.values())).identity))
    return over_people(_mixtures(found, neighbours), people, seed)


def _mixtures(found: Mapping[str, Points], neighbours: int) -> Iterator[Measure]:
    for run, points in found.items():
        _, person = np.unique(points.identity, return_inverse=True)
        values = *crossings(points, neighbours), np.ones(len(person))
        for modality in MODALITIES:
            rows = points.of(modality)
            sums: Iterator[NDArray] = (np.bincount(person[rows], value[rows], person.max() + 1) for value in values)
            yield {"run": run, "modality": modality}, Mixture(*sums)


@dataclass(frozen=True, eq=False)
class Mixture:
    observed: NDArray[np.float64]
    chance: NDArray[np.float64]
    images: NDArray[np.float64]

    def __call__(self, multiplicities: NDArray) -> dict[str, NDArray]:
        observed, chance, images = (multiplicities @ part for part in (self.observed, self.chance, self.images))
        return {"observed": ratio(observed, images), "chance": ratio(chance, images), "mixture": ratio(observed, chance)}


def crossings(points: Points, neighbours: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each point, the share of the other modality among its nearest neighbours, and among all candidates: (N,) each.

    Errors: ValueError if a point has fewer candidates than `neighbours`.
    """
    observed, chance = np.zeros((2, len(points.identity)))
    sides = {modality: points.of(modality) for modality in MODALITIES}
    columns = np.concatenate(list(sides.values()))
    for modality, rows in sides.items():
        crosses = points.modality[columns] != modality
        for part in np.split(rows, range(BLOCK, len(rows), BLOCK)):
            unseen = np.concatenate([points.hidden(part, side) for side in sides.values()], axis=1)
            if (fewest := (~unseen).sum(1).min()) < neighbours:
                raise ValueError(f"neighbours: found {neighbours}, expected at most {fewest}, what a point has; ask for fewer")
            close = (points.vectors[part] @ points.vectors[columns].T).masked_fill_(torch.from_numpy(unseen), -np.inf)
            observed[part] = crosses[close.topk(neighbours, dim=1).indices.numpy()].mean(1)
            chance[part] = (crosses & ~unseen).sum(1) / (~unseen).sum(1)
    return observed, chance
