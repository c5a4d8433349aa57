"""Two triplet losses: batch-hard, and weighted regularised.

Sources: Hermans et al., arXiv 1703.07737 (batch-hard); Ye et al., TPAMI 2021 (weighted regularised).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from fsclib.losses.pairwise import at_least_float32, check_rows, distances_of, normalised, products_of

TRIPLET_MARGIN = 0.3


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float = TRIPLET_MARGIN) -> Tensor:
    """⟨[margin + max d(positives) − min d(negatives)]₊⟩ over anchors, on features that this function L2-normalises.

    features: (M, D), not normalised; labels: (M,). An anchor is one of its own positives; without negatives it contributes 0.
    In [0, 2 + margin].
    """
    check_rows(features, labels)
    return hinges_of(products_of(features), labels, margin).mean()


def weighted_regularised_triplet(features: Tensor, labels: Tensor) -> Tensor:
    """⟨log(1 + exp(Σ w_p d − Σ w_n d))⟩ over anchors, w_p = softmax(d) over positives, w_n = softmax(−d) over negatives.

    features: (M, D), not normalised here; labels: (M,). An anchor is one of its own positives; without negatives,
    Σ w_n d = 0. At least 0.
    """
    check_rows(features, labels)
    return F.softplus(weighted_difference(at_least_float32(features), labels)).mean()


def hinges_of(products: Tensor, labels: Tensor, margin: float) -> Tensor:
    """[margin + max d(positives) − min d(negatives)]₊ of each row after normalisation, from the products of all rows."""
    distances = distances_of(normalised(products))
    same = labels[:, None] == labels
    farthest_positive = distances.masked_fill(~same, -torch.inf).amax(1)
    nearest_negative = distances.masked_fill(same, torch.inf).amin(1)
    return (margin + farthest_positive - nearest_negative).relu()


def weighted_difference(rows: Tensor, labels: Tensor) -> Tensor:
    """Σ w_p d − Σ w_n d of each anchor, (M, D) → (M,)."""
    # |x|² computed separately, as published: each row's distance to itself, which contributes, has the same rounding error
    distances = distances_of(products_of(rows), rows.square().sum(1))
    same = labels[:, None] == labels
    positive = (_masked_softmax(distances, same) * distances).sum(1)
    negative = (_masked_softmax(-distances, ~same) * distances).sum(1)
    return positive - negative


def _masked_softmax(values: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the masked-in entries of each row, with AGW's constants, which matter if all exponentials are small."""
    shifted = values - (values * mask).amax(1, keepdim=True)
    exponentials = shifted.masked_fill(~mask, -torch.inf).exp()
    return exponentials / (exponentials.sum(1, keepdim=True) + 1e-6)
