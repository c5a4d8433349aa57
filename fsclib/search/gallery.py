"""A gallery that is searched: an index, opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fsclib.disk import can_map
from fsclib.search import codes, manifest
from fsclib.search.filling import read_reduction, read_sizes
from fsclib.search.manifest import Manifest, reading
from fsclib.search.options import IVFPQ, Origin, SearchError, library
from fsclib.search.visible import FREE, View, Visibility

BLOCK = 1 << 22  # bytes of vectors, as float32, that queries are compared with at once: few enough to stay near the processor
AGAIN = 1 << 26  # bytes of vectors, as float32, that are compared again at once
NOBODY = -1


@dataclass(frozen=True, eq=False)
class Found:
    """The k nearest of each query, nearest first, (Q, k) each: row int64, the image's number in the order in which it was put in;
    similarity float32; identity and camera int64. Where there are fewer, row, identity and camera are −1 and similarity −inf."""

    row: NDArray[np.int64]
    similarity: NDArray[np.float32]
    identity: NDArray[np.int64]
    camera: NDArray[np.int64]


class Gallery:
    """An index in a folder, mapped into memory. It stays what it is while images are added; open it again to find them."""

    def __init__(self, folder: Path, origin: Origin | None, *, verify: bool = True):
        """Opens the index in `folder`.

        origin: what the queries are made with, None to leave that to the caller. verify: compare every file with its hash, which
        reads all of them once. Lengths, shapes and numbers that stand for places are checked in any case: see manifest.py for what
        a strange folder can do.
        Errors: SearchError for an index of other vectors than `origin`, or one that cannot be used or is still empty.
        """
        self.folder, self.manifest = folder, manifest.read(folder)
        found = self.manifest
        if origin is not None and origin != found.origin:
            raise SearchError(
                f"{folder} holds vectors of {_told(found.origin)}, the queries are of {_told(origin)}: "
                "embed the queries with that network, or build an index with this one"
            )
        if not found.count:
            raise SearchError(f"{folder} is not built to its end; start the same build again, it goes on")
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

        scoring: the protocol that says what a query may not see, "sysu", "llcm" or "regdb" (which hides nothing); the other two
        need identity and camera (Q,) of the queries. cameras: of the gallery, to search in; none: all of them.
        probes, rerank: as in IndexOptions, where the index has lists of codes; by default what it was built with.
        Similarities are those of the half-precision vectors; without re-ranking, those of their codes.
        Errors: ValueError for queries of another dimension or not finite, for an impossible k, scoring or camera.
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
                    there = row[row >= 0]
                    kept = self._firsts(there)[:k] if people else np.arange(min(k, len(there)))
                    if people and len(kept) < k and len(there) == min(wanted, len(self)) and wanted < seen:
                        short.append(query)
                        continue
                    rows[query, : len(kept)] = there[kept]
                    similarities[query, : len(kept)] = similarity[: len(there)][kept] + added[query]
                left, wanted = short, wanted * 4
        labels = np.where((rows >= 0)[..., None], self.visibility.labels[rows.clip(0)], NOBODY).astype(np.int64)
        return Found(rows, similarities, labels[..., 0], labels[..., 1])

    def _checked(self, queries: NDArray[np.float32], k: int) -> NDArray[np.float32]:
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.manifest.dimension or not len(queries):
            found = f"queries: found shape {queries.shape}, expected one or more of dimension {self.manifest.dimension}"
            raise ValueError(f"{found}, as the images of {self.folder}; embed them with the same network")
        if not np.isfinite(queries).all():
            number = np.flatnonzero(~np.isfinite(queries).all(1))[0]
            raise ValueError(f"queries: number {number} is not finite; embed that image again")
        if type(k) is not int or not 1 <= k <= 100_000:
            raise ValueError(f"k: found {k!r}, expected a whole number from 1 to 100,000")
        return queries

    def _firsts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each identity stands first in a list of rows, ascending."""
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
            raise SearchError(f"{self.folder / self.manifest.lists}: found image {rows.max()} of {len(self)}; {manifest.MEND}")
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
        """Every image compared, block by block."""
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
            best = tuple(part.gather(1, order) for part in joined)
        return best[1].numpy(), best[0].numpy()

    def _lists(self, found: Manifest):
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
    """An array at the beginning of a file, mapped into memory, or read where the file system cannot map."""
    if can_map(file):
        return np.memmap(file, kind, "c", shape=shape)  # nobody writes; but torch warns of what cannot be written
    print(f"{file.parent} is on a file system that cannot map files: {file.name} is read into memory", flush=True)
    return np.fromfile(file, kind, shape[0] * shape[1]).reshape(shape)


def _told(origin: Origin) -> str:
    return f"network {origin.network}, weighting {origin.weighting}, {'with' if origin.mirror else 'without'} mirror images"
