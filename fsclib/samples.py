"""Chooses what notebooks show: sheets of people, draws of images, ranked lists. Returns what figures.py draws."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from fsclib import metrics, retrieval
from fsclib.data import protocols
from fsclib.data.images import Images
from fsclib.data.records import MODALITIES, Problem, select
from fsclib.features import similarity
from fsclib.runs import Run


def problem_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems of a data set, a row each: kind, place, found, mend."""
    rows = [(p.kind, p.path if p.line is None else f"{p.path}:{p.line}", p.found, p.mend) for p in problems]
    return pd.DataFrame(rows, columns=["kind", "place", "found", "mend"])


def draw(images: Images, split: str, modality: str, number: int, seed: int) -> np.ndarray:
    """At most `number` images of a split and modality, drawn without replacement: uint8 (N, H, W, 3)."""
    rows = select(images.records, split, modality)
    return images.take(np.random.default_rng(seed).permutation(rows)[:number])


def sheet(images: Images, split: str, people: int, seed: int) -> tuple[list[list[np.ndarray | None]], list[str], list[str]]:
    """Pictures, row names and column names for figures.sample_sheet: a row a person, a column a camera of either modality.

    The people are drawn among those seen by both modalities; a camera that never saw one leaves its place empty.
    """
    records = images.records.assign(row=np.arange(len(images.records)))
    records = records[records["split"] == split]
    both = records.groupby("identity")["modality"].nunique()
    chosen = sorted(np.random.default_rng(seed).permutation(both.index[both == len(MODALITIES)])[:people].tolist())
    columns = [
        (modality, camera)
        for modality in MODALITIES
        for camera in sorted(records.loc[records["modality"] == modality, "camera"].unique().tolist())
    ]
    first = records.groupby(["identity", "modality", "camera"])["row"].first()
    pictures = [
        [images.take(np.array([first[key]]))[0] if (key := (who, *column)) in first.index else None for column in columns]
        for who in chosen
    ]
    return pictures, [f"person {who}" for who in chosen], [f"{modality}\ncamera {camera}" for modality, camera in columns]


def ranked_lists(
    run: Run, images: Images, queries: int, seed: int, length: int = 10
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[str]]:
    """Queries, their first gallery images, whether these are right, and names, for figures.ranked_lists.

    Under the first protocol of the data set and its first gallery; the queries are drawn among those that have a match.
    """
    records = images.records
    protocol = protocols.for_layout(images.dataset.layout)[0]
    query, gallery = protocols.query_and_gallery(records, protocol, 0)
    identity, camera = records["identity"].to_numpy(), records["camera"].to_numpy()
    order = np.random.default_rng(seed).permutation(query)
    unseen = metrics.hidden(identity[order], identity[gallery], camera[order], camera[gallery], protocol.scoring)
    match = (identity[order, None] == identity[gallery]) & ~unseen
    kept = np.flatnonzero(match.any(1))[:queries]
    order, unseen = order[kept], unseen[kept]

    features = retrieval.run_features(run, images)
    close = similarity(features.of(order, True), features.of(gallery, True))
    ranking = np.argsort(-np.where(unseen, -np.inf, close), axis=1, kind="stable")
    seen = (~unseen).sum(1)
    found = [gallery[line[: min(length, number)]] for line, number in zip(ranking, seen, strict=True)]
    right = [identity[rows] == identity[who] for rows, who in zip(found, order, strict=True)]
    names = [f"person {identity[row]}\ncamera {camera[row]}" for row in order]
    return list(images.take(order)), [images.take(rows) for rows in found], right, names
