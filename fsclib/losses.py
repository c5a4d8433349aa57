"""Losses of FSC-Net, DEEN and the baselines: identity, two triplet losses, centre-guided pair mining (CPM), orthogonality.

    FSC-Net, DEEN     identity + triplet + 0.8 Σₖ CPM(0, k) + 0.01 orthogonality
    AGW, two-stream   identity + weighted regularised triplet

A batch holds N visible and N infrared images and V views (embeddings) of each: features (V, 2N, D), logits (V, 2N, C), labels
(2N,), the visible rows first. Labels are any integers, and identities may have unequal numbers of images. Every loss is a
scalar. It is computed in float32 under autocast too (float64 stays): a difference of close distances has no digits left in half
precision. Identities are told apart by comparing labels and never by selecting rows, so nothing loops over samples or waits
for the device.

Sources: Hermans et al., arXiv 1703.07737 (batch-hard triplet); Ye et al., TPAMI 2021 (weighted regularised triplet);
Zhang & Wang, CVPR 2023 (CPM, orthogonality).
"""

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

TRIPLET_MARGIN = 0.3
CPM_MARGIN = 0.2


class Output(Protocol):
    """What a network returns in training: features (V, 2N, D), logits (V, 2N, C)."""

    features: Tensor
    logits: Tensor


@dataclass(frozen=True)
class LossWeights:
    """Factors in the total, identity and triplet have 1; and the margins of the two losses that have one."""

    cpm: float = 0.8
    orthogonality: float = 0.01  # of the published programs; the DEEN paper reports its best at 0.1
    triplet_margin: float = TRIPLET_MARGIN
    cpm_margin: float = CPM_MARGIN


PUBLISHED = LossWeights()


class Parts(NamedTuple):
    """The total to go backward from and, before their factors, the parts of it; all scalars."""

    total: Tensor
    identity: Tensor
    triplet: Tensor
    cpm: Tensor  # summed over view pairs
    orthogonality: Tensor


def identity(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy, the mean over all V·2N rows. logits: (V, B, C); labels: (B,) int64 in [0, C)."""
    _check_rows(logits, labels)
    return F.cross_entropy(_full(logits).flatten(0, 1), labels.repeat(len(logits)))


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float = TRIPLET_MARGIN) -> Tensor:
    """⟨[margin + max d(positives) − min d(negatives)]₊⟩ over anchors, on features that are L2-normalised here.

    features: (M, D), not normalised; labels: (M,). An anchor counts among its own positives; one without a negative adds 0.
    In [0, 2 + margin].
    """
    _check_rows(features, labels)
    distances = _distances(F.normalize(_full(features)))
    same = labels[:, None] == labels
    farthest_positive = distances.masked_fill(~same, -torch.inf).amax(1)
    nearest_negative = distances.masked_fill(same, torch.inf).amin(1)
    return (margin + farthest_positive - nearest_negative).relu().mean()


def weighted_regularised_triplet(features: Tensor, labels: Tensor, normalised: bool = False) -> Tensor:
    """⟨log(1 + exp(Σ w_p d − Σ w_n d))⟩ over anchors, w_p = softmax(d) over positives, w_n = softmax(−d) over negatives.

    features: (M, D), used as they are unless `normalised`; labels: (M,). An anchor counts among its own positives; one
    without a negative has Σ w_n d = 0. At least 0.
    """
    _check_rows(features, labels)
    distances = _distances(F.normalize(_full(features)) if normalised else _full(features))
    same = labels[:, None] == labels
    positive = (_masked_softmax(distances, same) * distances).sum(1)
    negative = (_masked_softmax(-distances, ~same) * distances).sum(1)
    return F.softplus(positive - negative).mean()


def center_pair_mining(view_a: Tensor, view_b: Tensor, labels: Tensor, margin: float = CPM_MARGIN) -> Tensor:
    """(L_v + L_i) / 2 on the centres v, i of each identity's visible and infrared features; ⟨·⟩ is a mean over identities p, and

        L_v = ⟨[m + d(i_a, v_b) − sg d(v_a, v_b)]₊⟩ + ½ Σ over both views w of ⟨[m + d(i_a, v_b) − min_{q≠p} d(v_w(p), v_w(q))]₊⟩;

    L_i is the same with visible and infrared exchanged, sg stops the gradient.
    view_a, view_b: (2N, D), not normalised, visible rows then infrared; labels: (2N,). An identity seen in one modality only
    lacks a centre: its rows are left out, as if they were not in the batch; if nothing is left the loss is 0. A single
    identity has no q ≠ p: the terms with a minimum are 0. At least 0.
    """
    return _center_pair_mining(torch.stack((view_a, view_b)), labels, margin)[0]


def orthogonality(features: Tensor) -> Tensor:
    """1/(V·2N) Σ over images of ⟨f₁, f₂⟩, f₁ and f₂ the generated views.

    features: (V, 2N, D), not normalised, view 0 the original one. Any sign; 0 if fewer than two views are generated.
    """
    generated = _full(features[1:])
    products = [(first * second).sum() for first, second in combinations(generated, 2)]
    return sum(products, start=generated.new_zeros(())) / features.shape[:2].numel()


def fsc_loss(output: Output, labels: Tensor, weights: LossWeights = PUBLISHED) -> Parts:
    """The training loss of FSC-Net and DEEN. With a single view there are no view pairs: identity + triplet.

    output: features (V, 2N, D) and logits (V, 2N, C); labels: (2N,) int64, visible rows first.
    """
    features = output.features
    classified = identity(output.logits, labels)
    triplet = batch_hard_triplet(features.flatten(0, 1), labels.repeat(len(features)), weights.triplet_margin)
    cpm = _center_pair_mining(features, labels, weights.cpm_margin).sum()
    orthogonal = orthogonality(features)
    total = classified + triplet + weights.cpm * cpm + weights.orthogonality * orthogonal
    return Parts(total, classified, triplet, cpm, orthogonal)


def agw_loss(output: Output, labels: Tensor, weights: LossWeights = PUBLISHED, normalised: bool = False) -> Parts:
    """The training loss of AGW and the two-stream network; the published programs do not normalise. Shapes as in `fsc_loss`;
    `weights` has no part in it."""
    features = output.features
    classified = identity(output.logits, labels)
    triplet = weighted_regularised_triplet(features.flatten(0, 1), labels.repeat(len(features)), normalised)
    none = torch.zeros_like(triplet)
    return Parts(classified + triplet, classified, triplet, none, none)


LOSSES = {"fsc": fsc_loss, "agw": agw_loss}  # name → function of (output, labels, weights)


def _center_pair_mining(views: Tensor, labels: Tensor, margin: float) -> Tensor:
    """CPM of view 0 with each other view, (V − 1,), from views (V, 2N, D)."""
    _check_rows(views, labels)
    if len(labels) % 2:
        raise ValueError(f"Found {len(labels)} rows, expected an even number: N visible rows, then N infrared rows.")
    views = _full(views)
    visible, infrared = labels.chunk(2)
    # A row stands for the identity of one visible image: identities repeat, but shapes do not depend on the labels.
    same = visible[:, None] == torch.stack((visible, infrared))[:, None]  # (2, N, N)
    count = same.sum(-1)  # (2, N)
    averages = same.to(views.dtype) / count.clamp_min(1)[..., None]
    centers = _product(averages, views.unflatten(1, (2, -1)))  # (V, 2, N, D), row by row the centre of its identity

    paired = count[1] > 0  # (N,)
    others = ~same[0] & paired
    nearest = _distances(centers).masked_fill(~others, torch.inf).amin(-1)  # (V, 2, N)
    across = _root((centers[0].flip(0) - centers[1:]).square().sum(-1))  # (V − 1, 2, N)
    within = _root((centers[0] - centers[1:]).square().sum(-1)).detach()

    def hinge(bound):
        return (margin + across - bound).relu()

    terms = hinge(within) + (hinge(nearest[1:]) + hinge(nearest[0])) / 2
    weight = paired.to(views.dtype) / count[0]  # an identity counts once, however many rows stand for it
    return (terms * weight).sum(-1).mean(-1) / weight.sum().clamp_min(1)


def _distances(features: Tensor) -> Tensor:
    """Euclidean distances among rows, (…, M, D) → (…, M, M), as √max(|x|² + |y|² − 2⟨x, y⟩, 1e-12).

    The arithmetic of the published programs, where a row's distance to itself is the root of a rounding error: small in
    float32, but not so if matrix products are let down to TF32 (torch.set_float32_matmul_precision).
    """
    norms = features.square().sum(-1)
    return _root(norms[..., :, None] + norms[..., None, :] - 2 * _product(features, features.mT))


def _root(squared: Tensor) -> Tensor:
    """Below the bound the gradient is 0, where that of the root would be infinite."""
    return squared.clamp_min(1e-12).sqrt()


def _masked_softmax(values: Tensor, mask: Tensor) -> Tensor:
    """Softmax along rows over the entries in the mask, with AGW's constants: they show where all exponentials are small."""
    shifted = values - (values * mask).amax(1, keepdim=True)
    exponentials = shifted.masked_fill(~mask, -torch.inf).exp()
    return exponentials / (exponentials.sum(1, keepdim=True) + 1e-6)


def _product(a: Tensor, b: Tensor) -> Tensor:
    with torch.autocast(a.device.type, enabled=False):  # matrix products are what autocast would turn into half precision
        return a @ b


def _full(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _check_rows(rows: Tensor, labels: Tensor) -> None:
    if labels.shape != rows.shape[-2:-1]:
        raise ValueError(
            f"Found labels of shape {tuple(labels.shape)} for rows of shape {tuple(rows.shape)}, expected "
            f"{tuple(rows.shape[-2:-1])}: pass one label a row, for visible and infrared images, once and not per view."
        )
