"""Chance levels: the expected metrics of a uniformly random order of the gallery, computed exactly instead of simulated.

For a query, g gallery images are visible, of which m match. All orders of them are equally likely. By linearity:

CMC over images (RegDB, standard): none of the first k is a match when all k are drawn from the other g − m,
    rank-k = 1 − C(g − m, k) / C(g, k).

CMC over identities (SYSU-MM01, LLCM): rank-k asks that at most k − 1 other identities appear before the first match. Give each
image an independent exponential clock of rate 1: the clocks go off in a uniformly random order, and the first of an identity with
n images goes off at rate n. Given the time t of the first match, an identity j with n_j images has appeared with probability
1 − exp(−n_j t), independently of the others, so that
    rank-k = ∫₀^∞ m exp(−m t) P(B(t) ≤ k − 1) dt,  B(t) a sum of Bernoulli(1 − exp(−n_j t)) over the other identities;
rank-1 is m / g. The integral is a trapezoidal sum after substituting t = exp(y − exp(−y)) / Σ n_j; its error falls exponentially.

Average precision is 1/m Σ_r [r is a match] (matches up to r) / r. Rank r is a match with probability m / g, and then each of the
r − 1 ranks before it with probability (m − 1) / (g − 1). With H_g = 1 + 1/2 + … + 1/g,
    E = 1/g Σ_r (1 + (r − 1) (m − 1) / (g − 1)) / r = (m − 1) / (g − 1) + (g − m) / (g (g − 1)) H_g,  and 1 for g = 1.

Inverse negative penalty is m / l, where l is the rank of the last match; l = r if the other m − 1 are among the r − 1 before:
    E = Σ_r m / r · P(l = r),  P(l = r) = C(r − 1, m − 1) / C(g, m),  r from m to g.

Source of the substitution: Takahasi & Mori, Publ. RIMS 9 (1974), for integrands that fall exponentially.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fsclib.metrics.ranking import BY_IDENTITY, PROTOCOLS, RANKS, Metrics, hidden

STEP, LOWEST = 0.1, -3.7  # of y: halving the step changes no digit in float64; below -3.7, t is under 1e-18


def evaluate(
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cams: ArrayLike | None = None,
    gallery_cams: ArrayLike | None = None,
    protocol: str = "regdb",
) -> Metrics:
    """Expected CMC, mAP and mINP of a random order: means over the queries with a match that is not hidden.

    Arguments as in metrics.per_query, without the similarity. Errors: ValueError for an unknown protocol, or if no query has a
    match.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"Found protocol {protocol!r}, expected one of {', '.join(PROTOCOLS)}: name the data set's own.")
    gallery_ids = np.asarray(gallery_ids)
    # queries of the same identity and camera have the same visible gallery
    cameras = np.zeros_like(query_ids) if query_cams is None else query_cams
    kinds, queries = np.unique(np.column_stack([query_ids, cameras]), axis=0, return_counts=True)
    gallery_cams = np.zeros_like(gallery_ids) if protocol == "regdb" else np.asarray(gallery_cams)
    seen = ~hidden(kinds[:, 0], gallery_ids, kinds[:, 1], gallery_cams, protocol)
    by_identity = np.argsort(gallery_ids, kind="stable")
    people, starts = np.unique(gallery_ids[by_identity], return_index=True)
    images = np.add.reduceat(seen[:, by_identity], starts, axis=1, dtype=np.int64)  # (kinds, people)
    own = kinds[:, :1] == people
    matches, others = (images * own).sum(1), np.sort(np.where(own, 0, images), axis=1)
    valid = matches > 0
    if not valid.any():
        raise ValueError(
            f"None of {queries.sum()} queries has a true match among its gallery entries, expected at least one: "
            "check that both sides hold the same identities, and that ids and cameras are not swapped."
        )
    distinct, which = np.unique(np.column_stack([matches, others])[valid], axis=0, return_inverse=True)
    weight = np.bincount(which.ravel(), queries[valid]) / queries[valid].sum()
    cmc, precision, penalty = np.zeros(RANKS), 0.0, 0.0
    for share, (m, *rest) in zip(weight, distinct.tolist(), strict=True):
        g = m + sum(rest)
        cmc += share * (cmc_over_identities(m, tuple(n for n in rest if n)) if protocol in BY_IDENTITY else cmc_over_images(m, g))
        precision += share * average_precision(m, g)
        penalty += share * inverse_negative_penalty(m, g)
    return Metrics(cmc=cmc.clip(0, 1), map=precision, minp=penalty, queries=int(queries[valid].sum()))


def cmc_over_images(m: int, g: int) -> NDArray[np.float64]:
    """Expected CMC over images, rank-1 to rank-20, (20,), with m matches among g images; 1 ≤ m ≤ g."""
    drawn = np.arange(RANKS)
    # a factor becomes 0 before g is exhausted, and all later ranks are 1
    return 1 - np.cumprod(np.maximum(g - m - drawn, 0) / np.maximum(g - drawn, 1), dtype=np.float64)


def cmc_over_identities(m: int, others: tuple[int, ...]) -> NDArray[np.float64]:
    """Expected CMC over identities, rank-1 to rank-20, (20,), with m ≥ 1 matches; others: images of each other identity, ≥ 1."""
    times, widths, within = _appearances(others)
    return (widths * m * np.exp(-m * times)) @ within


@lru_cache(maxsize=512)
def _appearances(others: tuple[int, ...]) -> tuple[NDArray[np.float64], ...]:
    """Times t and their weights in the sum, (T,) each, and P(B(t) ≤ k − 1), (T, 20); all independent of m."""
    total = max(1, sum(others))
    y = np.arange(LOWEST, np.log(40 * total) + 1, STEP)  # until m t is above 40 and exp(−m t) is negligible
    times = np.exp(y - np.exp(-y)) / total
    exactly = np.zeros((len(times), RANKS))  # P(B(t) = k)
    exactly[:, 0] = 1
    for n in others:
        absent = np.exp(-n * times)[:, None]
        exactly[:, 1:] = exactly[:, 1:] * absent + exactly[:, :-1] * (1 - absent)
        exactly[:, :1] *= absent
    return times, STEP * times * (1 + np.exp(-y)), np.cumsum(exactly, axis=1)


def average_precision(m: int, g: int) -> float:
    """Expected average precision with m matches among g images; 1 ≤ m ≤ g."""
    if g == 1:
        return 1.0
    return float((m - 1) / (g - 1) + (g - m) / (g * (g - 1)) * (1 / np.arange(1, g + 1)).sum())


def inverse_negative_penalty(m: int, g: int) -> float:
    """Expected m / (rank of the last match) with m matches among g images; 1 ≤ m ≤ g."""
    rank = np.arange(g, m - 1, -1)
    # P(l = g) = m / g, and P(l = r) = P(l = r + 1) (r − m + 1) / r: no binomial coefficient overflows
    last = m / g * np.cumprod(np.append(1, (rank[1:] - m + 1) / rank[1:]))
    return float((m / rank * last).sum())
