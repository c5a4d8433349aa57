"""The bi-directional top-ranking loss of BDTR, between and within the modalities.

Sources: Ye et al., IJCAI 2018; Ye et al., TIFS 2019; the published program.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fsclib.losses.pairwise import at_least_float32, check_modalities, check_rows, product

RANKING_MARGIN, INTRA_MARGIN, INTRA_WEIGHT = 0.5, 0.1, 0.1


def top_ranking(
    features: Tensor,
    labels: Tensor,
    margin: float = RANKING_MARGIN,
    intra_margin: float = INTRA_MARGIN,
    intra_weight: float = INTRA_WEIGHT,
) -> Tensor:
    """⟨[margin + d(x, z_p) − d(x, z_n)]₊⟩ + intra_weight · ⟨[intra_margin − d(z_p, z_n)]₊⟩, the sum over both directions.

    An anchor x of one modality is compared with all images z of the other: z_p is the furthest of the same identity, z_n the
    closest of another. The second term keeps the two apart, which are images of one modality.

    features: (2N, D), visible rows first, normalised here; labels: (2N,). Anchors without a positive or a negative contribute 0.
    In [0, 2 · (2 + margin + intra_weight · intra_margin)].
    """
    ranking, intra = ranking_hinges(features, labels, margin, intra_margin)
    return both_directions(ranking, intra, intra_weight)


def ranking_hinges(features: Tensor, labels: Tensor, margin: float, intra_margin: float) -> tuple[Tensor, Tensor]:
    """The hinges of each anchor between and within the modalities, (2N,) each; 0 without a positive or a negative."""
    check_rows(features, labels)
    check_modalities(labels)
    rows = F.normalize(at_least_float32(features))
    visible = torch.arange(len(labels), device=labels.device) < len(labels) // 2
    across = visible[:, None] != visible
    same = labels[:, None] == labels
    cosines = product(rows.detach(), rows.detach().mT)
    lowest, furthest = cosines.masked_fill(~(across & same), torch.inf).min(1)
    highest, closest = cosines.masked_fill(~across | same, -torch.inf).max(1)
    valid = lowest.isfinite() & highest.isfinite()
    positive, negative = rows[furthest], rows[closest]
    between = margin + _distance(rows, positive) - _distance(rows, negative)
    within = intra_margin - _distance(positive, negative)
    return between.relu() * valid, within.relu() * valid


def both_directions(ranking: Tensor, intra: Tensor, intra_weight: float = INTRA_WEIGHT) -> Tensor:
    """The loss from the hinges of all anchors, of which each direction has half."""
    return 2 * (ranking.mean() + intra_weight * intra.mean())


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Distances of rows, from differences: those of close rows would lose their digits as products in float32."""
    return ((a - b).square().sum(1) + 1e-12).sqrt()
