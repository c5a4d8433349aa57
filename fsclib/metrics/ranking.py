"""CMC, mAP and mINP of a similarity matrix under the protocols of SYSU-MM01, RegDB and LLCM, and the standard one.

For a query whose true matches are at ranks r₁ < … < rₙ among the gallery entries that are not hidden from it:
    average precision = 1/n Σᵢ i / rᵢ,  inverse negative penalty = n / rₙ,  hit at k = [r₁ ≤ k].
mAP, mINP and the CMC are their means over the queries that have a match. No list is sorted: the rank of a match is one plus the
number of entries before it, those that are more similar and those that are equally similar but come first in a fixed random order
of the gallery. The gallery's own order would favour people listed early: with all similarities equal, RegDB had more than twice
the mAP of chance.

| protocol | hidden from a query                                  | r₁ of the CMC counts                                  |
| sysu     | camera 2, if the query is of camera 3                | identities (each by its first appearance in the list) |
| regdb    | —                                                    | images                                                |
| llcm     | entries of its own identity *and* its own camera     | identities                                            |
| standard | entries of its own identity *and* its own camera     | images                                                |

Sources: Wu et al., ICCV 2017 (SYSU-MM01); Nguyen et al., Sensors 2017 (RegDB); Zhang & Wang, CVPR 2023 (LLCM);
Zheng et al., ICCV 2015 (Market-1501, the standard protocol); Ye et al., TPAMI 2021 (mINP).
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

logger = logging.getLogger(__name__)
TIED = 0.05  # share of queries with ties above which a warning is logged; of an untrained network's features it was 0.02
PROTOCOLS = ("sysu", "regdb", "llcm", "standard")
BY_IDENTITY = ("sysu", "llcm")  # protocols whose CMC counts identities
RANKS = 20
BLOCK = 1 << 18  # similarities per thread and comparison: small enough for a core's cache, large enough to hide numpy's overhead


@dataclass(frozen=True, eq=False)
class Metrics:
    """Means over the queries that have a true match; every figure is in [0, 1].

    cmc: (20,) float64, cmc[k - 1] is rank-k; for shorter galleries the last value is repeated. queries: number of these queries.
    """

    cmc: NDArray[np.float64]
    map: float
    minp: float
    queries: int


@dataclass(frozen=True, eq=False)
class PerQuery:
    """Results per query before averaging, (Q,) each; a query without a true match has nan, nan, 0 and False.

    average_precision and inverse_negative_penalty: float64 in (0, 1]. first_rank: int64 from 1, the rank of the first correct
    match, as counted by the protocol's CMC. tied: bool, whether a match is exactly as similar as an entry of another person.
    """

    average_precision: NDArray[np.float64]
    inverse_negative_penalty: NDArray[np.float64]
    first_rank: NDArray[np.int64]
    valid: NDArray[np.bool_]
    tied: NDArray[np.bool_]

    def hits(self, rank: int = 1) -> NDArray[np.float64]:
        """1 if a true match is among the first `rank`, else 0; nan without any match. The mean is the CMC at `rank`."""
        return np.where(self.valid, self.first_rank <= rank, np.nan)


def evaluate(
    similarity: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cams: ArrayLike | None = None,
    gallery_cams: ArrayLike | None = None,
    protocol: str = "regdb",
) -> Metrics:
    """CMC at ranks 1–20, mAP and mINP of one gallery: means of `per_query`. ValueError if no query has a true match.

    Arguments as in `per_query`. Warnings are logged where many queries have ties, and where true matches have by far the lowest
    similarities: distances in place of similarities would turn every list around.
    """
    similarity = _plain(similarity)  # once: it may come from a GPU
    found = per_query(similarity, query_ids, gallery_ids, query_cams, gallery_cams, protocol)
    if (shift := _shift_of_matches(similarity, _plain(query_ids), _plain(gallery_ids))) < -1:
        found_low = f"true matches have similarities {-shift:.1f} standard deviations below the mean"
        logger.warning(f"{found_low}: pass -distances, not distances")
    if warning := ties(found):
        logger.warning(warning)
    return average(found)


def ties(*results: PerQuery) -> str:
    """What to know about a test in which more than TIED of the queries have matches tied with other people; "" for all others."""
    tied = np.concatenate([found.tied[found.valid] for found in results])
    if tied.sum() <= TIED * len(tied):
        return ""
    return (
        f"{tied.sum()} of {len(tied)} queries have a match exactly as similar as another person's image, and these are ranked at "
        "random: look for embeddings that are constant or coarsely quantised"
    )


def average(results: PerQuery) -> Metrics:
    """Means over valid queries; ValueError if there are none."""
    valid = results.valid
    if not valid.any():
        raise ValueError(
            f"None of {len(valid)} queries has a true match among its gallery entries, expected at least one: "
            "check that both sides hold the same identities, and that ids and cameras are not swapped."
        )
    return Metrics(
        cmc=(results.first_rank[valid, None] <= np.arange(1, RANKS + 1)).mean(axis=0),
        map=float(results.average_precision[valid].mean()),
        minp=float(results.inverse_negative_penalty[valid].mean()),
        queries=int(valid.sum()),
    )


def per_query(
    similarity: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cams: ArrayLike | None = None,
    gallery_cams: ArrayLike | None = None,
    protocol: str = "regdb",
) -> PerQuery:
    """Average precision, inverse negative penalty and first rank of every query, before any mean is taken.

    similarity: (Q, G) real and finite, at least float32, higher is more similar (pass distances with a minus sign); equal ones are
    ranked by `tie_order`. Arrays, lists or tensors.
    query_ids (Q,), gallery_ids (G,), query_cams (Q,), gallery_cams (G,): integers; regdb needs no cameras.
    protocol: "sysu", "regdb", "llcm" or "standard", see the module docstring. Errors: ValueError for invalid arguments.
    """
    similarity, query_ids, gallery_ids, query_cams, gallery_cams = _checked(
        similarity, query_ids, gallery_ids, query_cams, gallery_cams, protocol
    )
    query, column = _same_identity(query_ids, gallery_ids)
    if query_cams is not None and gallery_cams is not None:  # None for regdb
        unseen = hidden(query_ids, gallery_ids, query_cams, gallery_cams, protocol)
        similarity = np.where(unseen, similarity.dtype.type(-np.inf), similarity)
    seen = similarity[query, column] > -np.inf
    query, column = query[seen], column[seen]

    before, tied = _count_before(similarity, query, column, gallery_ids, lambda mask: mask.sum(axis=1))
    rank = 1 + before
    by_rank = np.lexsort((rank, query))  # `query` is sorted already and does not change
    rank, column = rank[by_rank], column[by_rank]

    matches = np.bincount(query, minlength=len(query_ids))
    valid = matches > 0
    end = np.cumsum(matches)
    start = end - matches
    nth = 1 + np.arange(len(query)) - start[query]
    precision = np.bincount(query, weights=nth / rank, minlength=len(query_ids))

    average_precision, inverse_negative_penalty = np.full((2, len(query_ids)), np.nan)
    average_precision[valid] = precision[valid] / matches[valid]
    inverse_negative_penalty[valid] = matches[valid] / rank[end[valid] - 1]
    first_rank = np.zeros(len(query_ids), np.int64)
    first_rank[valid] = rank[start[valid]]
    if protocol in BY_IDENTITY:  # before its first match there are only other identities, which are counted
        first = column[start[valid]]
        people, _ = _count_before(similarity, np.flatnonzero(valid), first, gallery_ids, _identities_in(gallery_ids))
        first_rank[valid] = 1 + people
    any_tied = np.bincount(query[tied], minlength=len(query_ids)) > 0
    return PerQuery(average_precision, inverse_negative_penalty, first_rank, valid, any_tied)


@lru_cache(maxsize=16)
def tie_order(entries: int) -> NDArray[np.int32]:
    """Places by which equally similar gallery entries are ranked, lowest first: a fixed random permutation, (entries,) int32."""
    places = np.random.default_rng(entries).permutation(entries).astype(np.int32)
    places.setflags(write=False)  # shared by all callers
    return places


def hidden(
    query_ids: NDArray[np.int64],
    gallery_ids: NDArray[np.int64],
    query_cams: NDArray[np.int64],
    gallery_cams: NDArray[np.int64],
    protocol: str,
) -> NDArray[np.bool_]:
    """Mask of the gallery entries hidden from each query by a protocol: (Q, G) bool, from (Q,) and (G,) identities and cameras."""
    if protocol == "sysu":  # cameras 3 and 2 are at the same location
        return (query_cams[:, None] == 3) & (gallery_cams == 2)
    if protocol in ("llcm", "standard"):
        return (query_ids[:, None] == gallery_ids) & (query_cams[:, None] == gallery_cams)
    return np.zeros((len(query_ids), len(gallery_ids)), bool)


def _shift_of_matches(similarity: NDArray, query_ids: NDArray, gallery_ids: NDArray) -> float:
    """How far the similarities of true matches lie above all of their query, in its standard deviations: mean over queries."""
    same = query_ids[:, None] == gallery_ids
    known = same.any(1) & (similarity.std(1) > 0)
    rows, same = similarity[known], same[known]
    mean = (rows * same).sum(1) / same.sum(1)
    return float(((mean - rows.mean(1)) / rows.std(1)).mean()) if known.any() else 0.0


def _same_identity(query_ids: NDArray, gallery_ids: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs (query, column) with the same identity, ordered by query."""
    by_identity = np.argsort(gallery_ids, kind="stable")
    first, last = (np.searchsorted(gallery_ids, query_ids, side, sorter=by_identity) for side in ("left", "right"))
    query = np.repeat(np.arange(len(query_ids)), last - first)
    nth = np.arange(len(query)) - np.searchsorted(query, query)
    return query, by_identity[first[query] + nth]


def _count_before(
    similarity: NDArray,
    query: NDArray[np.int64],
    column: NDArray[np.int64],
    gallery_ids: NDArray[np.int64],
    count: Callable[[NDArray[np.bool_]], NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """count(mask) for each pair (query, column), where mask (n, G) marks the entries before `column` in that query's list, and
    whether an entry of another person is exactly as similar as `column`.
    """
    places = tie_order(similarity.shape[1])
    block = max(1, BLOCK // similarity.shape[1])

    def of_block(first: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        q, c = query[first : first + block], column[first : first + block, None]
        rows, own = similarity[q], similarity[q[:, None], c]
        before, equal, tied = rows > own, rows == own, np.zeros(len(q), bool)
        if np.count_nonzero(equal) > len(q):  # more than the entries themselves
            before |= equal & (places < places[c])
            tied = (equal & (gallery_ids != gallery_ids[c])).any(axis=1)
        return count(before), tied

    with ThreadPoolExecutor() as pool:  # numpy releases the GIL while comparing
        counts, tied = zip(
            (np.zeros(0, np.int64), np.zeros(0, bool)), *pool.map(of_block, range(0, len(query), block)), strict=True
        )
    return np.concatenate(counts), np.concatenate(tied)


def _identities_in(gallery_ids: NDArray) -> Callable[[NDArray[np.bool_]], NDArray[np.int64]]:
    """A function: mask (n, G) → number of identities among the marked entries of each row, (n,)."""
    by_identity = np.argsort(gallery_ids, kind="stable")
    _, starts = np.unique(gallery_ids[by_identity], return_index=True)
    return lambda mask: np.logical_or.reduceat(mask[:, by_identity], starts, axis=1).sum(axis=1)


def _checked(
    similarity: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cams: ArrayLike | None,
    gallery_cams: ArrayLike | None,
    protocol: str,
) -> tuple[NDArray, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """The arguments as arrays, or a ValueError that says what was found, what was expected and what to do."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"Found protocol {protocol!r}, expected one of {', '.join(PROTOCOLS)}: name the data set's own.")
    similarity = _plain(similarity)
    if similarity.dtype == np.float16:
        raise ValueError(
            "Found similarity in half precision, in which unequal similarities become equal, expected float32 or float64: "
            "multiply the embeddings as float32."
        )
    if similarity.ndim != 2 or 0 in similarity.shape or similarity.dtype.kind not in "fiub":
        raise ValueError(
            f"Found similarity of shape {similarity.shape} and dtype {similarity.dtype}, expected real numbers of shape "
            "(queries, gallery), neither empty: pass one row per query and one column per gallery entry."
        )
    if similarity.dtype.kind != "f":
        similarity = similarity.astype(np.float64)  # so that hidden entries can become -inf
    if not np.isfinite(similarity).all():
        row, column = np.argwhere(~np.isfinite(similarity))[0]
        raise ValueError(
            f"Found similarity[{row}, {column}] = {similarity[row, column]}, expected finite numbers: look for an embedding "
            "that overflowed or was divided by a norm of zero."
        )
    queries, gallery = similarity.shape
    cameras = protocol != "regdb"
    return (
        similarity,
        _labels("query_ids", query_ids, queries),
        _labels("gallery_ids", gallery_ids, gallery),
        _labels("query_cams", query_cams, queries) if cameras else None,
        _labels("gallery_cams", gallery_cams, gallery) if cameras else None,
    )


def _plain(values: Any) -> NDArray:
    """An array of array-like values, or of a torch tensor, which may require gradients, be on a GPU, or have 16 bits."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":  # which NumPy lacks
            return values.float().numpy().astype(np.float16)
        return values.numpy()
    return np.asarray(values)


def _labels(name: str, labels: ArrayLike | None, length: int) -> NDArray[np.int64]:
    labels = _plain(labels) if labels is not None else None
    if labels is None or labels.shape != (length,) or labels.dtype.kind not in "iu":
        found = "nothing" if labels is None else f"shape {labels.shape} and dtype {labels.dtype}"
        side = "row" if name.startswith("query") else "column"
        raise ValueError(
            f"Found {found} for {name}, expected {length} integers: pass one for each {side} of the similarity matrix"
            + (" (only regdb needs no cameras)." if name.endswith("cams") else ".")
        )
    return labels
