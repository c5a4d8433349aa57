"""A gallery ranked by similarity to a query, image by image."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from fsclib.data import protocols
from fsclib.data.protocols import Protocol
from fsclib.metrics import PerQuery
from fsclib.metrics.ranking import tie_order
from fsclib.retrieval import search
from fsclib.retrieval.features import Features, similarity


class Found(NamedTuple):
    """Gallery records (n,) not hidden from a query, most similar first; their similarity; whether they show the query's person."""

    rows: np.ndarray
    similarity: np.ndarray
    right: np.ndarray


@dataclass(frozen=True, eq=False)
class Ranking:
    """Every query of a protocol searched for in one gallery.

    query (Q,) and gallery (G,): records; similarity (Q, G) float32; unseen (Q, G) bool, what is hidden from a query; identity (N,)
    of all records; scores: the metrics of each query.
    """

    query: np.ndarray
    gallery: np.ndarray
    similarity: np.ndarray
    unseen: np.ndarray
    identity: np.ndarray
    scores: PerQuery

    def found(self, place: int) -> Found:
        """The results of the query at `place`, 0 ≤ place < Q; ties are ordered as in the metrics."""
        order = np.lexsort((tie_order(len(self.gallery)), -self.similarity[place]))
        order = order[~self.unseen[place, order]]
        rows = self.gallery[order]
        return Found(rows, self.similarity[place, order], self.identity[rows] == self.identity[self.query[place]])


def rank(
    features: Features, records: pd.DataFrame, protocol: Protocol, trial: int = 0, weighting: str = "equal", mirror: bool = True
) -> Ranking:
    """The ranking of one trial of a protocol, by the similarity under a weighting of features.WEIGHTINGS."""
    query, gallery = protocols.query_and_gallery(records, protocol, trial)
    close = similarity(features.of(query, mirror), features.of(gallery, mirror), weighting)
    unseen = search.unseen_by(records, query, gallery, protocol.scoring)
    scores = search.score(close, records, query, gallery, protocol.scoring)
    return Ranking(query, gallery, close, unseen, records["identity"].to_numpy(), scores)
