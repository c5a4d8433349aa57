"""A gallery in the order of its similarity to a query: what a search shows, image by image."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from fsclib import retrieval
from fsclib.data import protocols
from fsclib.data.protocols import Protocol
from fsclib.features import Features, similarity
from fsclib.metrics import PerQuery


class Found(NamedTuple):
    """Gallery records (n,) that a query may see, the most similar first; their similarity; whether they show its person."""

    rows: np.ndarray
    similarity: np.ndarray
    right: np.ndarray


@dataclass(frozen=True, eq=False)
class Ranking:
    """Every query of a protocol searched for in one gallery.

    query (Q,) and gallery (G,): records; similarity (Q, G) float32; unseen (Q, G) bool, what a query may not see; identity (N,)
    of all records; scores: what metrics say of each query.
    """

    query: np.ndarray
    gallery: np.ndarray
    similarity: np.ndarray
    unseen: np.ndarray
    identity: np.ndarray
    scores: PerQuery

    def found(self, place: int) -> Found:
        """What the query at a place, 0 ≤ place < Q, finds; ties as they stand in the gallery, as the metrics count them."""
        order = np.argsort(-self.similarity[place], kind="stable")
        order = order[~self.unseen[place, order]]
        rows = self.gallery[order]
        return Found(rows, self.similarity[place, order], self.identity[rows] == self.identity[self.query[place]])


def rank(
    features: Features, records: pd.DataFrame, protocol: Protocol, trial: int = 0, weighting: str = "equal", mirror: bool = True
) -> Ranking:
    """The ranking of one trial of a protocol, by the similarity that a weighting of features.WEIGHTINGS names."""
    query, gallery = protocols.query_and_gallery(records, protocol, trial)
    close = similarity(features.of(query, mirror), features.of(gallery, mirror), weighting)
    unseen = retrieval.unseen_by(records, query, gallery, protocol.scoring)
    scores = retrieval.score(close, records, query, gallery, protocol.scoring)
    return Ranking(query, gallery, close, unseen, records["identity"].to_numpy(), scores)
