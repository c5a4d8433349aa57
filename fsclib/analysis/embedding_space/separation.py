"""The separation of distances within people from those between people, for each pair of modalities.

The distance is the cosine distance, 1 − ⟨x, x'⟩, between 0 and 2. For each kind of pair, visible–visible, infrared–infrared and
visible–infrared, there are three histograms:
    same person                pairs of one person that may be compared
    other people               pairs of different people
    same person, same camera   pairs of one person in Points.hidden, shown separately: they are alike because taken moments apart
With p one of the two same-person histograms and q that of other people, in common bins, as shares:
    AUC      P(same < other) + ½ P(same = other): 1 if one threshold separates them, ½ if nothing does
    overlap  Σ min(p, q), the overlapping coefficient (Weitzman 1970): the area that both histograms cover, 0 to 1
    d′       (μ_other − μ_same) / √(½σ²_other + ½σ²_same), in standard deviations
All figures are computed from the histograms as drawn. Every pair counts once, so people with many images count more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsclib.analysis.embedding_space.points import Points
from fsclib.analysis.embedding_space.resampling import Measure, over_people, ratio
from fsclib.data.records import INFRARED, VISIBLE

BINS = 50  # about an eighth of a standard deviation wide: AUC and d′ are accurate to the third decimal
KINDS = {"visible–visible": (VISIBLE, VISIBLE), "infrared–infrared": (INFRARED, INFRARED), "visible–infrared": (INFRARED, VISIBLE)}
SAME, OTHER, MOMENT = "same person", "other people", "same person, same camera"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Numbers of pairs by person and distance; within one modality each pair is counted in both orders.

    edges (BINS + 1,); same, moment (P, BINS): of each person; other (BINS, P, P): of each two people, with zero diagonal.
    """

    edges: NDArray[np.float64]
    same: NDArray[np.float64]
    moment: NDArray[np.float64]
    other: NDArray[np.float64]

    @property
    def totals(self) -> dict[str, NDArray[np.float64]]:
        """The three histograms, (BINS,) each."""
        return {SAME: self.same.sum(0), OTHER: self.other.sum((1, 2)), MOMENT: self.moment.sum(0)}


def pairs(points: Points) -> dict[str, Pairs]:
    """The pairs of each of KINDS, in bins from 0 to the overall largest distance; people in ascending order of identity."""
    sides = {kind: (points.of(one), points.of(other)) for kind, (one, other) in KINDS.items()}
    distances = {kind: (1 - points.vectors[a] @ points.vectors[b].T).clamp_(min=0).numpy() for kind, (a, b) in sides.items()}
    edges = np.linspace(0, max(float(distance.max()) for distance in distances.values()), BINS + 1)
    people, person = np.unique(points.identity, return_inverse=True)
    return {kind: _count(points, *sides[kind], distances[kind], edges, person, len(people)) for kind in KINDS}


def _count(
    points: Points, some: NDArray, others: NDArray, distances: NDArray, edges: NDArray, person: NDArray, people: int
) -> Pairs:
    same, moment, other = np.zeros((people, BINS)), np.zeros((people, BINS)), np.zeros((BINS, people, people))
    for who in np.unique(person[some]):
        chosen = np.flatnonzero(person[some] == who)
        place = np.minimum(distances[chosen] * (BINS / edges[-1]), BINS - 1).astype(np.int64) + BINS * person[others]
        unseen = points.hidden(some[chosen], others)
        counts = np.bincount(place[~unseen], minlength=people * BINS).reshape(people, BINS)
        same[who] = counts[who]
        counts[who] = 0
        other[:, who] = counts.T
        itself = some[chosen, None] == others
        moment[who] = np.bincount(place[unseen & ~itself & (person[others] == who)], minlength=people * BINS).reshape(-1, BINS)[who]
    return Pairs(edges, same, moment, other)


def histograms(counted: Mapping[str, Mapping[str, Pairs]]) -> pd.DataFrame:
    """The histograms to draw: columns run, kind, pairs, distance (bin centre), share (per cent of these pairs; nan if none)."""
    parts = []
    for run, kinds in counted.items():
        for kind, found in kinds.items():
            middles = (found.edges[1:] + found.edges[:-1]) / 2
            for name, number in found.totals.items():
                share = 100 * ratio(number, number.sum())
                parts.append(pd.DataFrame({"run": run, "kind": kind, "pairs": name, "distance": middles, "share": share}))
    return pd.concat(parts, ignore_index=True)


def table(counted: Mapping[str, Mapping[str, Pairs]], seed: int = 0) -> pd.DataFrame:
    """AUC, overlap and d′ in the form of over_people: labels run, kind, pairs (the same-person pairs that are used)."""
    people = max(len(found.same) for kinds in counted.values() for found in kinds.values())
    return over_people(_measures(counted), people, seed)


def _measures(counted: Mapping[str, Mapping[str, Pairs]]) -> Iterator[Measure]:
    for run, kinds in counted.items():
        for kind, found in kinds.items():
            for name, own in ((SAME, found.same), (MOMENT, found.moment)):
                yield {"run": run, "kind": kind, "pairs": name}, Separation(found.edges, own, found.other)


@dataclass(frozen=True, eq=False)
class Separation:
    edges: NDArray[np.float64]
    own: NDArray[np.float64]
    other: NDArray[np.float64]

    def __call__(self, multiplicities: NDArray) -> dict[str, NDArray]:
        other = np.stack([((multiplicities @ pairs) * multiplicities).sum(1) for pairs in self.other], 1)
        return separation(multiplicities @ self.own, other, self.edges)


def separation(same: NDArray, other: NDArray, edges: NDArray) -> dict[str, NDArray[np.float64]]:
    """AUC, overlap and d′ of histograms (…, BINS) of distances, (…,) each; nan where one of them is empty."""
    p, q = (ratio(number, number.sum(-1, keepdims=True)) for number in (same, other))
    farther = 1 - q.cumsum(-1)  # the share of other people beyond a bin
    auc = (p * (farther + q / 2)).sum(-1)
    middles = (edges[1:] + edges[:-1]) / 2
    means = [(part * middles).sum(-1) for part in (p, q)]
    variances = [(part * (middles - mean[..., None]) ** 2).sum(-1) for part, mean in zip((p, q), means, strict=True)]
    return {"AUC": auc, "overlap": np.minimum(p, q).sum(-1), "d'": ratio(means[1] - means[0], np.sqrt(sum(variances) / 2))}
