"""Selects images for notebooks: sheets of people, random images, ranked lists. Returns them in the form that figures/ draws."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fsclib.data.images import Images
from fsclib.data.records import MODALITIES, Problem, seen_by_both, select
from fsclib.retrieval import evaluation
from fsclib.retrieval.ranking import Ranking, rank
from fsclib.runs import Run


class Sheet(NamedTuple):
    """Input of figures.sample_sheet: pictures uint8 (H, W, 3) or None, names of rows and columns, one modality per column."""

    pictures: list[list[np.ndarray | None]]
    rows: list[str]
    columns: list[str]
    groups: list[str]


def problem_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems of a data set, one row per problem: kind, place, found, fix."""
    rows = [(p.kind, p.path if p.line is None else f"{p.path}:{p.line}", p.found, p.fix) for p in problems]
    return pd.DataFrame(rows, columns=["kind", "place", "found", "fix"])


def draw(records: pd.DataFrame, split: str, modality: str, number: int, seed: int) -> np.ndarray:
    """Rows of at most `number` images of a split and modality, drawn without replacement: (N,) int64."""
    return np.random.default_rng(seed).permutation(select(records, split, modality))[:number]


def sheet(images: Images, split: str, people: int, seed: int, width: int = 12) -> Sheet:
    """One row per person, one or more columns per camera of either modality, for figures.sample_sheet.

    With few cameras each has several columns, at most `width` in all, with pictures spread over the available ones.
    People are drawn among those seen by both modalities; the place of a camera that never saw a person stays empty.
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
    """One row per person: the first `length` pictures of their longest walk in each modality, at one camera.

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
    """Sorts rows by path, numbers in paths by value: for one person at one camera, the order of filming."""
    paths = records["path"].to_numpy()
    return np.array(sorted(rows, key=lambda row: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", paths[row])]), np.int64)


def spread(rows: Sequence[int] | np.ndarray, number: int) -> np.ndarray:
    """At most `number` of the rows, as evenly spaced as possible, always including the first: int64."""
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


class Lists(NamedTuple):
    """Input of figures.ranked_lists: queries, their first gallery images, whether these are correct, and names of the queries."""

    queries: list[np.ndarray]
    found: list[np.ndarray]
    right: list[np.ndarray]
    names: list[str]


def ranked_lists(run: Run, images: Images, queries: int, seed: int, length: int = 10) -> Lists:
    """Ranked lists under the data set's first protocol and first gallery, for queries drawn among those with a match."""
    ranking = rank(evaluation.run_features(run, images), images.records, images.protocols[0])
    drawn = np.random.default_rng(seed).permutation(len(ranking.query))
    places = drawn[ranking.scores.valid[drawn]][:queries]
    return lists(images, ranking, places, length)


def failures(run: Run, images: Images, queries: int, length: int = 9) -> tuple[Lists, list[np.ndarray]]:
    """The queries with the lowest average precision, one per person, and the first correct match of each.

    The names include the average precision in per cent and the rank of that match among all images not hidden from the query.
    """
    ranking = rank(evaluation.run_features(run, images), images.records, images.protocols[0])
    precision = ranking.scores.average_precision
    ascending = np.argsort(precision, kind="stable")[: ranking.scores.valid.sum()]  # nan sorts last: no match
    _, first = np.unique(ranking.identity[ranking.query[ascending]], return_index=True)
    worst = ascending[np.sort(first)][:queries]
    found = [ranking.found(place) for place in worst]
    ranks = [int(line.right.argmax()) for line in found]
    match = images.take(np.array([line.rows[number] for line, number in zip(found, ranks, strict=True)], np.int64))
    drawn = lists(images, ranking, worst, length)
    details = zip(drawn.names, precision[worst], ranks, strict=True)
    return drawn._replace(names=[f"{name}\nAP {100 * value:.1f} %\nfirst at {at + 1}" for name, value, at in details]), list(match)


def lists(images: Images, ranking: Ranking, places: np.ndarray, length: int) -> Lists:
    """The first `length` gallery images of the queries at `places` of a ranking."""
    found = [ranking.found(place) for place in places]
    rows = ranking.query[places]
    records = images.records[["identity", "camera"]].to_numpy()[rows]
    shown = [images.take(line.rows[:length]) for line in found]
    names = [f"person {who}\ncamera {camera}" for who, camera in records]
    return Lists(list(images.take(rows)), shown, [line.right[:length] for line in found], names)
