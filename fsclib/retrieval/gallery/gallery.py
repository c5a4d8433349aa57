"""An opened index that can be searched."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fsclib.retrieval.gallery import codes, manifest
from fsclib.retrieval.gallery.building import read_reduction, read_sizes
from fsclib.retrieval.gallery.manifest import Manifest, reading
from fsclib.retrieval.gallery.options import IVFPQ, Origin, SearchError, library
from fsclib.retrieval.gallery.visibility import FREE, View, Visibility
from fsclib.system.disk_space import can_map

logger = logging.getLogger(__name__)

BLOCK = 1 << 22  # bytes of float32 vectors compared with queries at once: small enough for the processor's cache
AGAIN = 1 << 26  # bytes of float32 vectors re-ranked at once
NOBODY = -1


@dataclass(frozen=True, eq=False)
class Found:
    """The k nearest of each query, nearest first, (Q, k) each: row int64, the image's number in order of insertion; similarity
    float32; identity and camera int64. With fewer than k results, row, identity and camera are −1 and similarity is −inf."""

    row: NDArray[np.int64]
    similarity: NDArray[np.float32]
    identity: NDArray[np.int64]
    camera: NDArray[np.int64]


class Gallery:
    """A memory-mapped index in a folder. It does not change while images are added; open it again to find them."""

    def __init__(self, folder: Path, origin: Origin | None, *, verify: bool = True):
        """Opens the index in `folder`.

        origin: how the queries were made, None to leave that check to the caller. verify: compare every file with its hash, which
        reads all of them once. Lengths, shapes and positions are checked in any case: see manifest.py for the risks of a folder
        from an untrusted source.
        Errors: SearchError for an index of other vectors than `origin`, or one that is unusable or still empty.
        """
        self.folder, self.manifest = folder, manifest.read(folder)
        found = self.manifest
        if origin is not None and origin != found.origin:
            raise SearchError(
                f"{folder} holds vectors of {_told(found.origin)}, but the queries are of {_told(origin)}: "
                "embed the queries like the index, or build an index like the queries"
            )
        if not found.count:
            raise SearchError(f"{folder} is not complete; start the same build again, and it resumes")
        found.check_files(folder, verify)
        options = found.options
        self.reduction = read_reduction(folder, found)
        self.vectors = _raw(folder / "vectors.bin", np.float16, (found.count, options.dimensions))
        self.visibility = Visibility(_raw(folder / "labels.bin", np.int32, (found.count, 2)))
        if options.kind == IVFPQ:
            self._index = self._lists(found)

    def __len__(self) -> int:
        return self.manifest.count

    def search(
        self,
        queries: NDArray[np.float32],
        k: int = 10,
        *,
        identity: NDArray[np.int64] | None = None,
        camera: NDArray[np.int64] | None = None,
        scoring: str = FREE,
        cameras: Sequence[int] = (),
        people: bool = False,
        probes: int | None = None,
        rerank: int | None = None,
    ) -> Found:
        """The k nearest images of each query (Q, D), or, with people=True, the k nearest people, each by their nearest image.

        scoring: the protocol that hides images from a query, "sysu", "llcm" or "regdb" (which hides nothing); the other two need
        identity and camera (Q,) of the queries. cameras: the gallery cameras to search in; empty: all of them.
        probes, rerank: as in IndexOptions, for an index with lists of codes; by default those it was built with.
        Similarities are those of the half-precision vectors; without re-ranking, those of the codes.
        Errors: ValueError for queries of another dimension or not finite, and for an invalid k, scoring or camera.
        """
        queries = self._checked(queries, k)
        reduced, added = self.reduction.queries(queries)
        rows = np.full((len(queries), k), NOBODY, np.int64)
        similarities = np.full((len(queries), k), -np.inf, np.float32)
        for view, chosen in self.visibility.views(len(queries), identity, camera, scoring, cameras):
            left, wanted, seen = chosen, k * (4 if people else 1), self.visibility.number(view)
            while left:
                found = self._nearest(reduced[left], min(wanted, len(self)), view, probes, rerank)
                short = []
                for query, row, similarity in zip(left, *found, strict=True):
                    valid = row[row >= 0]
                    kept = self._firsts(valid)[:k] if people else np.arange(min(k, len(valid)))
                    if people and len(kept) < k and len(valid) == min(wanted, len(self)) and wanted < seen:
                        short.append(query)
                        continue
                    rows[query, : len(kept)] = valid[kept]
                    similarities[query, : len(kept)] = similarity[: len(valid)][kept] + added[query]
                left, wanted = short, wanted * 4
        labels = np.where((rows >= 0)[..., None], self.visibility.labels[rows.clip(0)], NOBODY).astype(np.int64)
        return Found(rows, similarities, labels[..., 0], labels[..., 1])

    def _checked(self, queries: NDArray[np.float32], k: int) -> NDArray[np.float32]:
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.manifest.dimension or not len(queries):
            found = f"queries: found shape {queries.shape}, expected one or more of dimension {self.manifest.dimension}"
            raise ValueError(f"{found}, like the images of {self.folder}; embed them with the same network")
        if not np.isfinite(queries).all():
            number = np.flatnonzero(~np.isfinite(queries).all(1))[0]
            raise ValueError(f"queries: number {number} is not finite, expected finite numbers; embed that image again")
        if type(k) is not int or not 1 <= k <= 100_000:
            raise ValueError(f"k: found {k!r}, expected a whole number from 1 to 100,000")
        return queries

    def _firsts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first position of each identity in a list of rows, ascending."""
        return np.sort(np.unique(self.visibility.labels[rows, 0], return_index=True)[1])

    def _nearest(
        self, queries: NDArray[np.float32], number: int, view: View, probes: int | None, rerank: int | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The `number` nearest of reduced queries (q, d) that share a view: rows and similarities (q, number)."""
        options = self.manifest.options
        if options.kind != IVFPQ:
            return self._exact(queries, number, view)
        faiss = library()
        probes = options.probes if probes is None else min(probes, options.lists)
        first = max(number, options.rerank if rerank is None else rerank)
        chosen, kept = self.visibility.selector(view)
        asked = faiss.SearchParametersIVF(nprobe=probes, **({} if chosen is None else {"sel": chosen}))
        similarities, rows = self._index.search(np.ascontiguousarray(queries), min(first, len(self)), params=asked)
        del kept
        if rows.max() >= len(self):
            found = f"found image {rows.max()}, expected a number below {len(self)}"
            raise SearchError(f"{self.folder / self.manifest.lists}: {found}; {manifest.FIX}")
        if (options.rerank if rerank is None else rerank) == 0:
            return rows[:, :number], similarities[:, :number]
        again = np.empty(rows.shape, np.float32)
        step = max(1, AGAIN // (4 * rows.shape[1] * self.vectors.shape[1]))
        for one in range(0, len(rows), step):
            some = slice(one, one + step)
            again[some] = np.einsum("qnd,qd->qn", self.vectors[rows[some].clip(0)].astype(np.float32), queries[some])
        again[rows < 0] = -np.inf
        order = np.argsort(-again, 1, kind="stable")[:, :number]
        return np.take_along_axis(rows, order, 1), np.take_along_axis(again, order, 1)

    def _exact(self, queries: NDArray[np.float32], number: int, view: View) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Compares queries with every image, block by block."""
        asked, hidden = torch.from_numpy(queries), np.array(view.hidden, np.int64)
        best = torch.full((len(queries), 0), -torch.inf), torch.full((len(queries), 0), NOBODY)
        step = max(1, BLOCK // (4 * self.vectors.shape[1]))
        for first in range(0, len(self), step):
            block = torch.from_numpy(self.vectors[first : first + step]).float()
            similarity = asked @ block.T
            if view.cameras is not None:
                seen = np.isin(self.visibility.labels[first : first + step, 1], sorted(view.cameras))
                similarity[:, torch.from_numpy(~seen)] = -torch.inf
            similarity[:, torch.from_numpy(hidden[(hidden >= first) & (hidden < first + step)] - first)] = -torch.inf
            similarity, row = similarity.topk(min(number, len(block)))
            row = torch.where(similarity > -torch.inf, row + first, NOBODY)
            joined = torch.cat([best[0], similarity], 1), torch.cat([best[1], row], 1)
            order = joined[0].argsort(dim=1, descending=True, stable=True)[:, :number]
            best = joined[0].gather(1, order), joined[1].gather(1, order)
        return best[1].numpy(), best[0].numpy()

    def _lists(self, found: Manifest) -> Any:
        book_file = self.folder / "codebook.safetensors"
        with reading(book_file):
            book = codes.read_codebook(book_file, found.options)
        with reading(self.folder / found.sizes):
            sizes = read_sizes(self.folder, found)
        index = book.index(found.options, "IndexFlatIP")
        with reading(self.folder / found.lists):
            codes.open_lists(index, self.folder / found.lists, sizes)
        return index


def _raw(file: Path, kind: type, shape: tuple[int, int]) -> np.ndarray:
    """An array at the start of a file, memory-mapped, or read into memory if the file system cannot map files."""
    if can_map(file):
        return np.memmap(file, kind, "c", shape=shape)  # never written to, but torch warns about read-only arrays
    logger.warning(f"{file.parent} is on a file system that cannot map files; reading {file.name} into memory")
    return np.fromfile(file, kind, shape[0] * shape[1]).reshape(shape)


def _told(origin: Origin) -> str:
    return f"network {origin.network}, weighting {origin.weighting}, {'with' if origin.mirror else 'without'} mirror images"
