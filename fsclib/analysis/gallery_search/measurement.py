"""Measures recall against exact search, speed and resources of an index on this machine."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsclib.analysis.gallery_search.crowd import Crowd
from fsclib.retrieval.gallery.building import build
from fsclib.retrieval.gallery.entries import Entries, Shards
from fsclib.retrieval.gallery.gallery import Gallery
from fsclib.retrieval.gallery.manifest import PARTS
from fsclib.retrieval.gallery.options import IndexOptions, Origin
from fsclib.retrieval.gallery.reduction import Reduction
from fsclib.system.device import peak_memory
from fsclib.system.progress import progress

DEPTH = 100  # exactly known neighbours of a query
WARM, TIMED = 10, 100  # single queries: untimed warm-up, and timed


class Neighbours(NamedTuple):
    """The DEPTH nearest of each query in a whole gallery, nearest first, (Q, DEPTH): by the reduced vectors in float32, and by the
    full vectors; similarity, of the latter; middle, (Q,), the median similarity over a block of the gallery."""

    reduced: NDArray[np.int64]
    whole: NDArray[np.int64]
    similarity: NDArray[np.float32]
    middle: NDArray[np.float32]


def neighbours(shards: Shards, queries: Entries, reduction: Reduction | None) -> Neighbours:
    """Compares every query with every image, one shard in memory at a time; without a reduction, by the full vectors only."""
    asked, images = torch.from_numpy(queries.vectors), 0
    best = {False: _nothing(len(queries)), True: _nothing(len(queries))}  # whether reduced
    small = asked if reduction is None else torch.from_numpy(reduction.queries(queries.vectors)[0])
    with progress(len(shards), f"exact search in {shards.images:,}") as bar:
        for number in range(len(shards)):
            block = shards[number].vectors
            similarity = asked @ torch.from_numpy(block).T
            if not images:
                middle = similarity.median(1).values.numpy()
            best[False] = _nearer(best[False], similarity, images)
            if reduction is not None:
                best[True] = _nearer(best[True], small @ torch.from_numpy(reduction.images(block)).T, images)
            images += len(block)
            bar.update()
    whole, reduced = best[False], best[reduction is not None]
    return Neighbours(reduced[1].numpy(), whole[1].numpy(), whole[0].numpy(), middle)


def _nothing(queries: int) -> tuple[Tensor, Tensor]:
    return torch.zeros((queries, 0)), torch.zeros((queries, 0), dtype=torch.int64)


def _nearer(best: tuple[Tensor, Tensor], similarity: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """Updates the nearest so far, (Q, ≤ DEPTH) similarities and images, with a block (Q, n) of images numbered from `first`."""
    near, row = similarity.topk(min(DEPTH, similarity.shape[1]))
    near, row = torch.cat([best[0], near], 1), torch.cat([best[1], row + first], 1)
    near, order = near.topk(min(DEPTH, near.shape[1]))
    return near, row.gather(1, order)


def recall(found: NDArray[np.int64], expected: NDArray[np.int64], k: int) -> float:
    """The share of the k nearest of each query (Q, ≥ k) that is among the first k found, 0 to 1."""
    return float((found[:, :k, None] == expected[:, None, :k]).any(1).mean())


def measure(
    crowd: Crowd, folder: Path, origin: Origin, options: IndexOptions, queries: Entries, learnt: NDArray, near: Neighbours | None
) -> tuple[dict[str, object], Neighbours]:
    """Builds or resumes the index of a crowd and searches it: returns a table row and the exact neighbours (computed if not given).

    learnt: queries that the index learns from. The row: kind, images, threads; lists, probes, code (bytes); recall1 and recall10
    against exact search on reduced vectors, and reduced10, the recall@10 of the latter against exact search on full vectors;
    median_ms and p95_ms of single queries, batch_ms per query when all are searched together; seconds of each part of the build and
    in total, build_s, summed over interrupted attempts; bytes per image on disk: codes, vectors, total; memory in MB without mapped
    files: build_mb, the peak of the process so far, and held_mb, the increase from opening the index (nan if the system does not
    report it).
    """
    found = build(folder, crowd, origin, options, learnt)
    peak, before = peak_memory("cpu") / 2**20, _held()
    gallery = Gallery(folder, origin)
    rows, times, batch = timed(gallery.search, queries)
    held = _held() - before
    near = near or neighbours(crowd, queries, gallery.reduction)
    settled, lengths = found.options, found.lengths()
    listed = {"lists": settled.lists, "probes": settled.probes, "code": settled.code} if found.lists in lengths else {}
    size = sum(file.stat().st_size for file in folder.iterdir())
    row: dict[str, object] = {
        "kind": settled.kind, "images": crowd.images, "threads": torch.get_num_threads(), **listed,
        "recall1": recall(rows, near.reduced, 1), "recall10": recall(rows, near.reduced, 10),
        "reduced10": recall(near.reduced, near.whole, 10),
        "median_ms": 1e3 * np.median(times), "p95_ms": 1e3 * np.quantile(times, 0.95), "batch_ms": 1e3 * batch,
        **{f"{part}_s": found.seconds.get(part, 0.0) for part in PARTS}, "build_s": sum(found.seconds.values()),
        "code_bytes": lengths.get(found.lists, 0) / crowd.images, "vector_bytes": lengths["vectors.bin"] / crowd.images,
        "bytes": size / crowd.images, "build_mb": peak, "held_mb": held,
    }  # fmt: skip
    return row, near


def curve(gallery: Gallery, queries: Entries, near: Neighbours, factors: Sequence[float] = (0.25, 0.5, 1, 2, 4)) -> pd.DataFrame:
    """Recall and latency for other numbers of probes, multiples of the index's own.

    Columns: images, probes, recall1, recall10, median_ms.
    """
    options, rows = gallery.manifest.options, []
    for probes in sorted({min(options.lists, max(1, round(factor * options.probes))) for factor in factors}):
        found, times, _ = timed(gallery.search, queries, probes=probes)
        figures = {f"recall{k}": recall(found, near.reduced, k) for k in (1, 10)}
        rows.append({"images": len(gallery), "probes": probes} | figures | {"median_ms": 1e3 * np.median(times)})
    return pd.DataFrame(rows)


def timed(search: Callable, queries: Entries, **options: int) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """The ten nearest of each query, (Q, 10); seconds of TIMED single queries; and seconds per query of one joint search."""
    times = []
    for number in range(WARM + TIMED):
        one = number % len(queries)
        start = time.perf_counter()
        search(queries.vectors[one : one + 1], **options)
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    rows = search(queries.vectors, **options).row
    return rows, np.array(times[WARM:]), (time.perf_counter() - start) / len(queries)


def closeness(near: Neighbours, scale: float) -> dict[str, float]:
    """Similarity of the first, tenth and hundredth neighbour and of the median image, divided by `scale`: means over queries."""
    ranks, means = {"nearest": 0, "10th": 9, "100th": 99}, near.similarity.mean(0) / scale
    found = {name: float(means[rank]) for name, rank in ranks.items() if rank < len(means)}
    return found | {"median": float(near.middle.mean()) / scale}


def _held() -> float:
    """Memory of this process without file mappings, in MB; nan if the system does not report it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")), float("nan"))
