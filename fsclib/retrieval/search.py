"""Searches for every query of a protocol in each of its galleries, from the embeddings of a split.

Each distinct image is embedded once, however many trials use it, and compared once with each image of the other modality.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fsclib import metrics
from fsclib.data import protocols
from fsclib.data.layouts.permutations import Permutations
from fsclib.data.protocols import Protocol
from fsclib.data.records import INFRARED, VISIBLE, select
from fsclib.retrieval.features import WEIGHTINGS, Features, similarity


@dataclass(frozen=True, eq=False)
class Search:
    """One trial: every query of a protocol searched for in one gallery. identity: (Q,) int64, of the queries."""

    mode: str
    direction: str
    trial: int
    weighting: str
    mirror: bool
    identity: np.ndarray
    found: metrics.PerQuery


def score(
    similarities: np.ndarray, records: pd.DataFrame, query: np.ndarray, gallery: np.ndarray, scoring: str
) -> metrics.PerQuery:
    """Scores each query of a (Q, G) similarity between records under one scoring rule."""
    identity, camera = records["identity"].to_numpy(), records["camera"].to_numpy()
    return metrics.per_query(similarities, identity[query], identity[gallery], camera[query], camera[gallery], scoring)


def unseen_by(records: pd.DataFrame, query: np.ndarray, gallery: np.ndarray, scoring: str) -> np.ndarray:
    """Which gallery records the scoring rule hides from a query: (Q, G) bool."""
    identity, camera = records["identity"].to_numpy(), records["camera"].to_numpy()
    return metrics.hidden(identity[query], identity[gallery], camera[query], camera[gallery], scoring)


def search(
    features: Features,
    records: pd.DataFrame,
    chosen: Sequence[Protocol],
    *,
    mirrors: Sequence[bool] = (True, False),
    weightings: Sequence[str] = tuple(WEIGHTINGS),
    further: Sequence[Protocol] = (),
    permutations: Permutations | None = None,
) -> Iterator[Search]:
    """Every trial of the chosen protocols, one per (mirror, weighting, protocol, trial).

    further: protocols searched with equal weighting and mirror images only, since ten images per person and camera take ten times
    as long. permutations: those of the data set, which official protocols need.
    """
    visible, infrared = (select(records, "test", modality) for modality in (VISIBLE, INFRARED))
    identity = records["identity"].to_numpy()
    place = np.full(len(records), -1)
    place[visible], place[infrared] = np.arange(len(visible)), np.arange(len(infrared))
    is_visible = (records["modality"] == VISIBLE).to_numpy()
    trials = [
        (p, trial, *protocols.query_and_gallery(records, p, trial, permutations=permutations))
        for p in (*chosen, *further)
        for trial in range(p.trials)
    ]
    for mirror in mirrors:
        sides = features.of(visible, mirror), features.of(infrared, mirror)
        for weighting in weightings:
            across = similarity(*sides, weighting)  # visible × infrared: every protocol and trial looks up its part
            for p, trial, query, gallery in trials:
                if p in further and not (mirror and weighting == "equal"):
                    continue
                flip = not is_visible[query[0]]
                part = across[np.ix_(place[gallery], place[query])].T if flip else across[np.ix_(place[query], place[gallery])]
                found = score(part, records, query, gallery, p.scoring)
                yield Search(p.mode, p.direction, trial, weighting, mirror, identity[query], found)
