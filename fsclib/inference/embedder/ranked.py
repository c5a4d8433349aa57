"""Ranked lists: for each query the most similar pictures of a gallery, as a table and as a figure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsclib.data.pixels.pictures import Picture, pixels_of
from fsclib.inference.embedder.embeddings import Embeddings

if TYPE_CHECKING:
    from fsclib.figures.style import Figure

THUMBNAIL = (192, 72)  # pixels
BLOCK = 1 << 24  # similarities that are held at a time


class RankedLists(pd.DataFrame):
    """One row per query and rank: query, rank (from 1), match (name of the gallery picture), similarity (cosine, −1 … 1)."""

    _metadata = ("pictures",)  # what parts of a table inherit
    pictures: Mapping[str, Picture]  # by name, of queries and gallery

    @property
    def _constructor(self) -> type["RankedLists"]:
        return RankedLists

    def figure(self, queries: int = 6, length: int = 10) -> "Figure":
        """The first queries and what was found for each. ValueError for a part of a table, or if a file cannot be read any more."""
        from fsclib.figures import ranked_lists  # here, since drawing needs matplotlib and ranking does not

        chosen = list(dict.fromkeys(self["query"]))[:queries]
        if not chosen:
            raise ValueError("found an empty table, expected ranked lists of one query at least")
        lines = [self[self["query"] == query].sort_values("rank").head(length) for query in chosen]
        shown = [self._thumbnail(query) for query in chosen]
        found = [[self._thumbnail(name) for name in line["match"]] for line in lines]
        captions = [[f"{value:.2f}" for value in line["similarity"]] for line in lines]
        return ranked_lists(shown, found, (), [_short(query) for query in chosen], (), captions)

    def _thumbnail(self, name: str) -> np.ndarray:
        pictures = getattr(self, "pictures", None) or {}
        try:
            return pixels_of(pictures.get(name, name), *THUMBNAIL)
        except ValueError as error:
            raise ValueError(f"{name}: {error}; restore it, or embed the pictures again") from error


def ranked(queries: Embeddings, gallery: Embeddings, k: int) -> RankedLists:
    """The k most similar pictures of the gallery for each query; ties keep the order of the gallery."""
    number = min(k, len(gallery))
    step = max(1, BLOCK // max(1, len(gallery)))
    parts = [_nearest(np.asarray(queries[at : at + step]), np.asarray(gallery), number) for at in range(0, len(queries), step)]
    columns, similarity = (np.concatenate(side) for side in zip(*parts, strict=True))
    table: dict[str, Any] = {
        "query": np.repeat(np.array(queries.names, object), number),
        "rank": np.tile(np.arange(1, number + 1), len(queries)),
        "match": np.array(gallery.names, object)[columns.ravel()],
        "similarity": similarity.ravel(),
    }
    found = RankedLists(table)
    found.pictures = dict(zip([*gallery.names, *queries.names], [*gallery.pictures, *queries.pictures], strict=True))
    return found


def _nearest(queries: NDArray, gallery: NDArray, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    similarity = queries @ gallery.T
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(similarity, order, 1)


def _short(name: str) -> str:
    """The last part of a path, in lines of at most twelve letters."""
    last = name.rsplit("/", 1)[-1][-24:]
    return "\n".join(last[at : at + 12] for at in range(0, len(last), 12))
