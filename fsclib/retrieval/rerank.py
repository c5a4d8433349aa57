"""k-reciprocal re-ranking (Zhong et al., CVPR 2017): the more nearest neighbours two images share, the likelier they match.

    N(x, k)     x and its k nearest among all queries and gallery images, by squared distance d
    R(x, k)     those y of N(x, k) that have x in N(y, k)
    R*(x)       R(x, k₁), and every R(y, k₁/2) of a y in it of which more than two thirds lie in R(x, k₁)
    v(x, y)     exp(−d(x, y) / max d(x, ·)) for y in R*(x), else 0, divided by their sum; then the mean of v over N(x, k₂ − 1)
    J(q, g)     1 − Σ min(v(q), v(g)) / Σ max(v(q), v(g))
    distance    (1 − λ) J + λ d(q, g) / max d(q, ·)

The computation is exact but never holds an N×N matrix: distances are computed block by block and v is sparse, so that memory grows
linearly with the gallery and time quadratically. Re-ranking uses all queries at once, which a deployed search cannot do, so its
results have columns of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from fsclib import metrics
from fsclib.config.strict import Strict, option
from fsclib.data.protocols import Protocol, query_and_gallery
from fsclib.retrieval import search, tables
from fsclib.retrieval.features import Features
from fsclib.system.progress import progress

FIGURES = ("rank1", "map", "minp")
CELLS, ROWS = 1 << 26, 4096  # largest block of distances: 256 MB


@dataclass(frozen=True, kw_only=True)
class Reranking(Strict):
    """k₁, k₂ and λ, by default as published."""

    k1: int = option(20, "nearest neighbours that must be mutual", low=1, high=1000)
    k2: int = option(6, "images whose encodings are averaged, the image itself among them", low=1, high=1000)
    weight: float = option(0.3, "λ, the share of the distance itself", low=0, high=1)

    @property
    def fewest(self) -> int:
        """The number of neighbours that an image needs, besides itself."""
        return max(self.k1, self.k2 - 1)


PUBLISHED = Reranking()


def evaluate(features: Features, records: pd.DataFrame, chosen: Sequence[Protocol], options: Reranking = PUBLISHED) -> pd.DataFrame:
    """Every trial of the chosen protocols with and without re-ranking, in per cent; equal weighting, with mirror images.

    Columns: mode, direction, trial (from 0), rank1, map, minp, and the same after re-ranking as reranked_rank1, …. Neighbours come
    from all queries and the whole gallery, including images hidden from a query; only the scores exclude those. A trial with too
    few images for re-ranking has nan in the reranked columns.
    """
    trials = [(protocol, trial) for protocol in chosen for trial in range(protocol.trials)]
    rows = []
    with progress(len(trials), "re-ranking") as bar:
        for protocol, trial in trials:
            query, gallery = query_and_gallery(records, protocol, trial)
            joined = [features.joined(side, mirror=True) for side in (query, gallery)]
            row = {"mode": protocol.mode, "direction": protocol.direction, "trial": trial}
            similarities = {"": (joined[0] @ joined[1].T).numpy()}
            if len(query) + len(gallery) > options.fewest:
                similarities["reranked_"] = rerank(joined[0], joined[1], options)
            for prefix, similarity in similarities.items():
                found = tables.as_row(metrics.average(search.score(similarity, records, query, gallery, protocol.scoring)))
                row |= {prefix + figure: found[figure] for figure in FIGURES}
            rows.append(row)
            bar.update()
    columns = ["mode", "direction", "trial", *(prefix + figure for prefix in ("", "reranked_") for figure in FIGURES)]
    return pd.DataFrame(rows, columns=columns)


@torch.inference_mode()
def rerank(queries: Tensor, gallery: Tensor, options: Reranking = PUBLISHED) -> NDArray[np.float32]:
    """Similarity after re-ranking, the negative of the distance above: (Q, G) float32 in [−1, 0].

    queries (Q, D), gallery (G, D): features whose inner product is the similarity, normalised or not.
    Errors: ValueError for k₁ images or fewer, or k₂ − 1 or fewer.
    """
    everything = torch.cat([queries, gallery]).float()
    number = len(everything)
    if number <= options.fewest:
        raise ValueError(
            f"re-ranking: found {len(queries)} queries and {len(gallery)} gallery images, expected more than {options.fewest} "
            f"together; k1 is {options.k1} and k2 {options.k2}: choose smaller ones"
        )
    squares = everything.square().sum(1)
    each = (options.k1 + 1) * (options.k1 // 2 + 2) ** 2  # neighbours of neighbours in `_encoded`
    size = max(1, min(ROWS, CELLS // number, CELLS // each))
    blocks = [torch.arange(start, min(start + size, number)) for start in range(0, number, size)]

    def distances(rows: Tensor) -> Tensor:  # (B, N), each row divided by its largest
        found = torch.addmm(squares, everything[rows], everything.T, alpha=-2).add_(squares[rows, None]).clamp_min_(0)
        return found.div_(found.amax(1, keepdim=True).clamp_min_(torch.finfo(found.dtype).tiny))

    near = torch.cat([distances(rows).topk(options.fewest + 1, largest=False).indices for rows in blocks])  # the nearest first
    encoded, own = [], []
    for rows in blocks:
        found = distances(rows)
        encoded.append(_encoded(rows, found, near, options.k1))
        own.append(found[rows < len(queries), len(queries) :].numpy())
    vectors = sparse.vstack(encoded, format="csr")
    vectors = _averaged(vectors, near[:, : options.k2].numpy())
    jaccard = _jaccard(vectors[: len(queries)], vectors[len(queries) :])
    return -((1 - options.weight) * jaccard + options.weight * np.concatenate(own)).astype(np.float32)


def _encoded(rows: Tensor, distances: Tensor, near: Tensor, k: int) -> sparse.csr_array:
    """v before averaging, for `rows` (B,) with their distances (B, N) and the nearest of all images (N, ≥ k + 1): sparse (B, N)."""
    reciprocal = _reciprocal(rows, near, k)  # (B, k + 1)
    half = round(k / 2)
    wider = _reciprocal(reciprocal.clamp_min(0).flatten(), near, half).unflatten(0, reciprocal.shape)  # (B, k + 1, half + 1)
    wider = torch.where(reciprocal[..., None] < 0, -1, wider)
    common = torch.stack([(wider[:, :, place, None] == reciprocal[:, None]).any(-1) for place in range(half + 1)], -1)
    number = (wider >= 0).sum(-1)
    accepted = 3 * (common & (wider >= 0)).sum(-1) > 2 * number
    members = torch.cat([reciprocal, torch.where(accepted[..., None], wider, -1).flatten(1)], 1).sort(1).values
    once = members >= 0
    once[:, 1:] &= members[:, 1:] != members[:, :-1]
    weights = torch.where(once, (-distances.gather(1, members.clamp_min(0))).exp(), 0)
    weights /= weights.sum(1, keepdim=True)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), once.sum(1).cumsum(0)])
    return sparse.csr_array((weights[once].numpy(), members[once].numpy(), starts.numpy()), shape=distances.shape)


def _reciprocal(rows: Tensor, near: Tensor, k: int) -> Tensor:
    """R(x, k) of rows (B,): (B, k + 1), −1 where x is not among a neighbour's neighbours."""
    forward = near[rows, : k + 1]
    mutual = (near[forward, : k + 1] == rows[:, None, None]).any(-1)
    return torch.where(mutual, forward, -1)


def _averaged(vectors: sparse.csr_array, near: NDArray[np.int64]) -> sparse.csr_array:
    """Replaces each vector by the mean over its nearest images (N, k): (N, N) sparse → (N, N) sparse."""
    number, k = near.shape
    starts = np.arange(0, number * k + 1, k)
    mean = sparse.csr_array((np.full(number * k, 1 / k, np.float32), near.ravel(), starts), shape=vectors.shape)
    return mean @ vectors


def _jaccard(queries: sparse.csr_array, gallery: sparse.csr_array) -> NDArray[np.float32]:
    """Jaccard distances (Q, G) of rows that each sum to one, so that Σ max is 2 − Σ min."""
    columns = gallery.tocsc()
    found = np.empty((queries.shape[0], gallery.shape[0]), np.float32)
    for place in range(len(found)):
        part = slice(queries.indptr[place], queries.indptr[place + 1])
        own = columns[:, queries.indices[part]]  # gallery entries in the columns of this query
        least = np.minimum(own.data, np.repeat(queries.data[part], np.diff(own.indptr)))
        shared = np.bincount(own.indices, least, minlength=len(gallery.indptr) - 1)
        found[place] = 1 - shared / (2 - shared)
    return found
