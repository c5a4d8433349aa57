"""Scaling of time with batch size, image size, gallery size and number of processes.

A curve is a case at other sizes, so it times the same work as the cases.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch

from benchmarks.case import FSCLIB, PLAIN, Case, Setting, Work
from benchmarks.cases import CASES
from benchmarks.cases.images import corpus, decoding, plain_opening
from benchmarks.cases.retrieval import FEATURES, VIEWS, Scored, scored
from benchmarks.plain import metrics as plain_metrics
from benchmarks.sizes import Search, Sizes
from fsclib import metrics
from fsclib.retrieval import features as embedding_features

SCORED = 1 << 25  # bytes of similarities scored at once; memory does not grow with the gallery
MOST = 1000  # queries scored at once
PER_PERSON = 10  # gallery images of each person


@dataclass(frozen=True)
class Scaling:
    """Curves over a growing quantity.

    x        the quantity; `sizes`: from the sizes of a setting to those of each point
    unit     "images/s", or "ms/query"
    curves   the case and the side of each curve
    needed   bytes of main memory that a point takes; points that need more than half of the memory are skipped
    """

    title: str
    x: str
    unit: str
    curves: Mapping[str, tuple[Case, str]]
    sizes: Callable[[Sizes], Mapping[int, Sizes]]
    needed: Callable[[Setting], float] = lambda setting: 0.0


def memory() -> int:
    """Bytes of main memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def both_precisions(name: str) -> dict[str, tuple[Case, str]]:
    """The curves of a network case; curves that name no precision are in float32."""
    single, half = CASES[f"{name}-float32"], CASES[f"{name}-bfloat16"]
    return {"plain": (single, PLAIN), "fsclib": (single, FSCLIB), "fsclib, bfloat16": (half, FSCLIB)}


def _rows(bytes_each: int) -> int:
    return int(max(1, min(MOST, SCORED // bytes_each)))


def _of_chunk(setting: Setting) -> Scored:
    """A chunk of queries; the rest of the matrix is never in memory."""
    (gallery,) = setting.sizes.galleries
    return scored("llcm", Search(_rows(4 * gallery), gallery, max(25, gallery // PER_PERSON)))


def _features(setting: Setting) -> tuple[torch.Tensor, ...]:
    """Pooled and neck features of queries, then of the gallery, (Q, V·D) and (G, V·D)."""
    (gallery,) = setting.sizes.galleries
    generator = torch.Generator().manual_seed(0)
    numbers = (_rows(4 * gallery),) * 2 + (gallery,) * 2
    return tuple(torch.randn(number, VIEWS * FEATURES, generator=generator) for number in numbers)


def _plain_similarity(setting: Setting, given: tuple[torch.Tensor, ...]) -> Work:
    pieces = [[part.numpy()[:, at : at + FEATURES] for at in range(0, VIEWS * FEATURES, FEATURES)] for part in given]
    return partial(plain_metrics.similarity, pieces[0] + pieces[1], pieces[2] + pieces[3])


def _similarity(setting: Setting, given: tuple[torch.Tensor, ...]) -> Work:
    return partial(embedding_features.similarity, given[:2], given[2:])


def _queries(setting: Setting, given: tuple) -> int:
    return len(given[0])


def _nothing(setting: Setting, given: object) -> str:
    return ""


SCORING = Case(
    "metrics",
    _nothing,
    _of_chunk,
    lambda setting, given: partial(plain_metrics.evaluate, *given, "llcm"),
    lambda setting, given: partial(metrics.per_query, *given, "llcm"),
    _queries,
)
COMPARING = Case("similarities", _nothing, _features, _plain_similarity, _similarity, _queries)
DECODING = Case(
    "decoding",
    _nothing,
    corpus,
    plain_opening,
    lambda setting, given: decoding(setting, given, setting.sizes.workers[0]),
    lambda setting, given: min(setting.sizes.decoded, len(given.names)),
)


def _of_steps(sizes: Sizes) -> dict[int, Sizes]:
    return {2 * p * k: replace(sizes, identities=p, images=k) for p, k in sizes.steps}


def _of_batches(sizes: Sizes) -> dict[int, Sizes]:
    return {number: replace(sizes, embedded=number) for number in sizes.batches}


def _of_scales(sizes: Sizes) -> dict[int, Sizes]:
    return {height: replace(sizes, height=height, width=width) for height, width in sizes.scales}


def _of_galleries(sizes: Sizes) -> dict[int, Sizes]:
    return {number: replace(sizes, galleries=(number,)) for number in sizes.galleries}


def _of_workers(sizes: Sizes) -> dict[int, Sizes]:
    return {number: replace(sizes, workers=(number,)) for number in sizes.workers}


def _feature_bytes(setting: Setting) -> float:
    """Pooled and neck features in float32."""
    return 2 * 4 * VIEWS * FEATURES * setting.sizes.galleries[0]


def _step_bytes(setting: Setting) -> float:
    """About 2 GB for the three networks and 0.27 GB per image of 384×144; on a GPU, torch reports what does not fit."""
    s = setting.sizes
    return 2e9 + 0.27e9 * 2 * s.identities * s.images * (s.height * s.width) / (384 * 144) if setting.device == "cpu" else 0.0


SCALINGS: dict[str, Scaling] = {
    "train-by-batch": Scaling("training step", "images a step", "images/s", both_precisions("train"), _of_steps, _step_bytes),
    "train-by-size": Scaling(
        "training step", "height of an image, pixels", "images/s", both_precisions("train"), _of_scales, _step_bytes
    ),
    "embed-by-batch": Scaling("embedding", "images a batch", "images/s", both_precisions("embed"), _of_batches),
    "embed-by-size": Scaling("embedding", "height of an image, pixels", "images/s", both_precisions("embed"), _of_scales),
    "metrics-by-gallery": Scaling(
        "metrics", "gallery images", "ms/query", {"plain": (SCORING, PLAIN), "fsclib": (SCORING, FSCLIB)}, _of_galleries
    ),
    "similarity-by-gallery": Scaling(
        "similarities",
        "gallery images",
        "ms/query",
        {"plain": (COMPARING, PLAIN), "fsclib": (COMPARING, FSCLIB)},
        _of_galleries,
        _feature_bytes,
    ),
    "decoding-by-workers": Scaling(
        "decoding", "processes", "images/s", {"plain": (DECODING, PLAIN), "fsclib": (DECODING, FSCLIB)}, _of_workers
    ),
}
