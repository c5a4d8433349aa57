"""Chooses what notebooks show: sheets of people, draws of images, ranked lists. Returns what figures/ draws."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fsclib import retrieval
from fsclib.data import protocols
from fsclib.data.images import Images
from fsclib.data.protocols import Protocol
from fsclib.data.records import MODALITIES, Problem, seen_by_both, select
from fsclib.features import Features, similarity
from fsclib.runs import Run


class Sheet(NamedTuple):
    """What figures.sample_sheet draws: pictures uint8 (H, W, 3) or None, names of rows and columns, a modality a column."""

    pictures: list[list[np.ndarray | None]]
    rows: list[str]
    columns: list[str]
    groups: list[str]


def problem_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems of a data set, a row each: kind, place, found, mend."""
    rows = [(p.kind, p.path if p.line is None else f"{p.path}:{p.line}", p.found, p.mend) for p in problems]
    return pd.DataFrame(rows, columns=["kind", "place", "found", "mend"])


def draw(images: Images, split: str, modality: str, number: int, seed: int) -> np.ndarray:
    """At most `number` images of a split and modality, drawn without replacement: uint8 (N, H, W, 3)."""
    rows = select(images.records, split, modality)
    return images.take(np.random.default_rng(seed).permutation(rows)[:number])


def sheet(images: Images, split: str, people: int, seed: int, width: int = 12) -> Sheet:
    """A row a person, a column or more a camera of either modality, for figures.sample_sheet.

    Where cameras are few, each has several columns, `width` in all at most, with pictures spread over those that there are.
    The people are drawn among those seen by both modalities; a camera that never saw one leaves its place empty.
    """
    seen, chosen = _people(images, split, people, seed)
    cameras = {m: sorted(seen.loc[seen["modality"] == m, "camera"].unique().tolist()) for m in MODALITIES}
    places = [(modality, camera) for modality in MODALITIES for camera in cameras[modality]]
    each = max(1, width // len(places))
    walks = seen.groupby(["identity", "modality", "camera"])["row"].agg(list)
    pictures = [[p for place in places for p in _taken(images, spread(walks.get((who, *place), []), each), each)] for who in chosen]
    columns = [place for place in places for _ in range(each)]
    names = [f"cam {camera}" for _, camera in columns]
    return Sheet(pictures, [f"person {who}" for who in chosen], names, [modality for modality, _ in columns])


def walk_sheet(images: Images, split: str, people: int, seed: int, length: int = 6) -> Sheet:
    """A row a person: the first `length` pictures of one walk before a camera of each modality, the one that has the most.

    The people are drawn as for `sheet`; equal seeds draw the same.
    """
    seen, chosen = _people(images, split, people, seed)
    walks = seen.groupby(["identity", "modality", "camera"])["row"].agg(list)
    longest = {(who, m): (walk := walks[who, m]).index[walk.map(len).argmax()] for who in chosen for m in MODALITIES}
    frames = {key: walks[(*key, camera)][:length] for key, camera in longest.items()}
    length = max(map(len, frames.values()))
    pictures = [[p for m in MODALITIES for p in _taken(images, frames[who, m], length)] for who in chosen]
    rows = [f"person {who}\ncams {', '.join(str(longest[who, m]) for m in MODALITIES)}" for who in chosen]
    numbers = [str(number + 1) for number in range(length)]
    return Sheet(pictures, rows, numbers * len(MODALITIES), [m for m in MODALITIES for _ in numbers])


def in_order(records: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """Rows by path, numbers in paths by their value: for one person at one camera, the order of filming."""
    paths = records["path"].to_numpy()
    return np.array(sorted(rows, key=lambda row: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", paths[row])]), np.int64)


def spread(rows: Sequence[int] | np.ndarray, number: int) -> np.ndarray:
    """At most `number` of the rows, as evenly spaced as can be, the first always among them: int64."""
    rows = np.asarray(rows, np.int64)
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(number, len(rows))).round().astype(int))]


def _people(images: Images, split: str, number: int, seed: int) -> tuple[pd.DataFrame, list[int]]:
    """The records of a split with their `row`, in order, and identities drawn among those seen by both modalities."""
    rows = in_order(images.records, select(images.records, split))
    seen = images.records.iloc[rows].assign(row=rows)
    return seen, sorted(np.random.default_rng(seed).permutation(seen_by_both(seen))[:number].tolist())


def _taken(images: Images, rows: Sequence[int] | np.ndarray, length: int) -> list[np.ndarray | None]:
    """The pictures of the rows, then None up to `length`."""
    return [*images.take(np.asarray(rows, np.int64)), *[None] * (length - len(rows))]


def ranked_lists(
    run: Run, images: Images, queries: int, seed: int, length: int = 10
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[str]]:
    """Queries, their first gallery images, whether these are right, and names, for figures.ranked_lists.

    Under the first protocol of the data set and its first gallery; the queries are drawn among those that have a match.
    """
    protocol = protocols.for_layout(images.dataset.layout)[0]
    query, gallery = protocols.query_and_gallery(images.records, protocol, 0)
    order = np.random.default_rng(seed).permutation(query)
    identity = images.records["identity"].to_numpy()
    match = (identity[order, None] == identity[gallery]) & ~retrieval.unseen_by(images.records, order, gallery, protocol.scoring)
    order = order[match.any(1)][:queries]

    found, right = _found(retrieval.run_features(run, images), images, order, gallery, protocol)
    names = _names(images, order)
    shown = [rows[:length] for rows in found]
    return list(images.take(order)), [images.take(rows) for rows in shown], [truths[:length] for truths in right], names


def failures(
    run: Run, images: Images, queries: int, length: int = 9
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[str], list[np.ndarray]]:
    """As ranked_lists, for the queries with the lowest average precision, one a person, and the first right image of each.

    The names add the average precision in per cent and the rank of that image among all that the query may see.
    """
    protocol = protocols.for_layout(images.dataset.layout)[0]
    query, gallery = protocols.query_and_gallery(images.records, protocol, 0)
    features = retrieval.run_features(run, images)
    close = similarity(features.of(query, True), features.of(gallery, True))
    precision = retrieval.score(close, images.records, query, gallery, protocol.scoring).average_precision
    ascending = np.argsort(precision, kind="stable")[: np.isfinite(precision).sum()]  # nan, last, has no match
    _, first = np.unique(images.records["identity"].to_numpy()[query[ascending]], return_index=True)
    worst = ascending[np.sort(first)][:queries]
    order, precision = query[worst], precision[worst]

    found, right = _found(features, images, order, gallery, protocol)
    ranks = [int(truths.argmax()) for truths in right]
    match = list(images.take(np.array([rows[rank] for rows, rank in zip(found, ranks, strict=True)], np.int64)))
    details = zip(_names(images, order), precision, ranks, strict=True)
    names = [f"{name}\nAP {100 * value:.1f} %\nfirst at {rank + 1}" for name, value, rank in details]
    shown = [rows[:length] for rows in found]
    return list(images.take(order)), [images.take(rows) for rows in shown], [truths[:length] for truths in right], names, match


def _found(
    features: Features, images: Images, query: np.ndarray, gallery: np.ndarray, protocol: Protocol
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """For each query the gallery rows that it may see, the most similar first, and whether they are right."""
    unseen = retrieval.unseen_by(images.records, query, gallery, protocol.scoring)
    close = similarity(features.of(query, True), features.of(gallery, True))
    ranking = np.argsort(-np.where(unseen, -np.inf, close), axis=1, kind="stable")
    found = [gallery[line[:number]] for line, number in zip(ranking, (~unseen).sum(1), strict=True)]
    identity = images.records["identity"].to_numpy()
    return found, [identity[rows] == identity[who] for rows, who in zip(found, query, strict=True)]


def _names(images: Images, rows: np.ndarray) -> list[str]:
    return [f"person {who}\ncamera {camera}" for who, camera in images.records[["identity", "camera"]].to_numpy()[rows]]
