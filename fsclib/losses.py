"""Losses of FSC-Net, DEEN and the baselines: identity, two triplet losses, centre-guided pair mining (CPM), orthogonality.

    FSC-Net, DEEN     identity + triplet + 0.8 Σₖ CPM(0, k) + 0.01 orthogonality
    AGW, two-stream   identity + weighted regularised triplet

A batch holds N visible and N infrared images and V views (embeddings) of each: features (V, 2N, D), logits (V, 2N, C), labels
(2N,), the visible rows first. Labels are any integers, and identities may have unequal numbers of images. Every loss is a
scalar. It is computed in float32 under autocast too (float64 stays): a difference of close distances has no digits left in half
precision. Identities are told apart by comparing labels and never by selecting rows, so nothing loops over samples or waits
for the device. All that the losses ask of features, distances and centres included, follows from the products ⟨x, y⟩ of rows,
which are taken once a step: two matrix products, one forward and one backward.

Sources: Hermans et al., arXiv 1703.07737 (batch-hard triplet); Ye et al., TPAMI 2021 (weighted regularised triplet);
Zhang & Wang, CVPR 2023 (CPM, orthogonality).
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

ZERO = torch.zeros(())
TRIPLET_MARGIN = 0.3
CPM_MARGIN = 0.2


class Output(Protocol):
    """What a network returns in training: features and neck features (V, 2N, D), logits (V, 2N, C)."""

    features: Tensor
    logits: Tensor
    neck: Tensor | None  # as features, behind the BN neck


@dataclass(frozen=True)
class LossWeights:
    """Factors in the total, identity and triplet have 1; the margins of the two losses that have one; and what is not published:

    label_smoothing  of the identity loss (Szegedy et al., CVPR 2016)
    metric_on        "pooled", as published, or "neck": which features the triplet losses compare
    """

    cpm: float = 0.8
    orthogonality: float = 0.01  # of the published programs; the DEEN paper reports its best at 0.1
    triplet_margin: float = TRIPLET_MARGIN
    cpm_margin: float = CPM_MARGIN
    label_smoothing: float = 0.0
    metric_on: str = "pooled"


PUBLISHED = LossWeights()


class Parts(NamedTuple):
    """The total to go backward from; before their factors, the parts of it; and what shows whether training collapses. Scalars."""

    total: Tensor
    identity: Tensor
    triplet: Tensor
    cpm: Tensor = ZERO  # summed over view pairs
    orthogonality: Tensor = ZERO
    infonce: Tensor = ZERO
    attributes: Tensor = ZERO
    triplet_active: Tensor = ZERO  # share of anchors whose hinge is above 0; of the weighted triplet, that are wrongly ordered
    cpm_active: Tensor = ZERO  # share of the hinges of pair mining that are above 0
    pooled_cosine: Tensor = ZERO  # mean cosine between different people, of pooled features
    neck_cosine: Tensor = ZERO  # the same of features behind the neck


def identity(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross entropy, the mean over all V·2N rows. logits: (V, B, C); labels: (B,) int64 in [0, C); smoothing: in [0, 1)."""
    _check_rows(logits, labels)
    return F.cross_entropy(_full(logits).flatten(0, 1), labels.repeat(len(logits)), label_smoothing=smoothing)


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float = TRIPLET_MARGIN) -> Tensor:
    """⟨[margin + max d(positives) − min d(negatives)]₊⟩ over anchors, on features that are L2-normalised here.

    features: (M, D), not normalised; labels: (M,). An anchor counts among its own positives; one without a negative adds 0.
    In [0, 2 + margin].
    """
    _check_rows(features, labels)
    return _hinges(_products(features), labels, margin).mean()


def weighted_regularised_triplet(features: Tensor, labels: Tensor, normalised: bool = False) -> Tensor:
    """⟨log(1 + exp(Σ w_p d − Σ w_n d))⟩ over anchors, w_p = softmax(d) over positives, w_n = softmax(−d) over negatives.

    features: (M, D), used as they are unless `normalised`; labels: (M,). An anchor counts among its own positives; one
    without a negative has Σ w_n d = 0. At least 0.
    """
    _check_rows(features, labels)
    return F.softplus(_weighted_difference(F.normalize(_full(features)) if normalised else _full(features), labels)).mean()


def _weighted_difference(rows: Tensor, labels: Tensor) -> Tensor:
    """Σ w_p d − Σ w_n d of each anchor, (M, D) → (M,)."""
    # lengths apart from the products, as published: it leaves a row's distance to itself, which weighs in, the same rounding error
    distances = _distances(_products(rows), rows.square().sum(1))
    same = labels[:, None] == labels
    positive = (_masked_softmax(distances, same) * distances).sum(1)
    negative = (_masked_softmax(-distances, ~same) * distances).sum(1)
    return positive - negative


def center_pair_mining(view_a: Tensor, view_b: Tensor, labels: Tensor, margin: float = CPM_MARGIN) -> Tensor:
    """(L_v + L_i) / 2 on the centres v, i of each identity's visible and infrared features; ⟨·⟩ is a mean over identities p, and

        L_v = ⟨[m + d(i_a, v_b) − sg d(v_a, v_b)]₊⟩ + ½ Σ over both views w of ⟨[m + d(i_a, v_b) − min_{q≠p} d(v_w(p), v_w(q))]₊⟩;

    L_i is the same with visible and infrared exchanged, sg stops the gradient.
    view_a, view_b: (2N, D), not normalised, visible rows then infrared; labels: (2N,). An identity seen in one modality only
    lacks a centre: its rows are left out, as if they were not in the batch; if nothing is left the loss is 0. A single
    identity has no q ≠ p: the terms with a minimum are 0. At least 0.
    """
    _check_rows(view_a, labels)
    _check_modalities(labels)
    return _center_pair_mining(_products(torch.cat((view_a, view_b))), labels, margin)[0][0]


def orthogonality(features: Tensor) -> Tensor:
    """1/(V·2N) Σ over images of ⟨f₁, f₂⟩, f₁ and f₂ the generated views.

    features: (V, 2N, D), not normalised, view 0 the original one. Any sign; 0 if fewer than two views are generated.
    """
    return _orthogonality(_products(features.flatten(0, 1)), len(features))


def fsc_loss(output: Output, labels: Tensor, weights: LossWeights = PUBLISHED) -> Parts:
    """The training loss of FSC-Net and DEEN. With a single view there are no view pairs: identity + triplet.

    output: features (V, 2N, D) and logits (V, 2N, C); labels: (2N,) int64, visible rows first.
    """
    features = output.features
    classified = identity(output.logits, labels, weights.label_smoothing)
    _check_modalities(labels)
    products = _products(features.flatten(0, 1))
    compared = _products(output.neck.flatten(0, 1)) if weights.metric_on == "neck" else products
    hinges = _hinges(compared, labels.repeat(len(features)), weights.triplet_margin)
    pairs, active = _center_pair_mining(products, labels, weights.cpm_margin)
    triplet, cpm, orthogonal = hinges.mean(), pairs.sum(), _orthogonality(products, len(features))
    total = classified + triplet + weights.cpm * cpm + weights.orthogonality * orthogonal
    return Parts(total, classified, triplet, cpm, orthogonal, triplet_active=_share(hinges), cpm_active=active)


def agw_loss(output: Output, labels: Tensor, weights: LossWeights = PUBLISHED) -> Parts:
    """The training loss of AGW and the two-stream network; the published programs do not normalise. Shapes as in `fsc_loss`;
    margins and factors of `weights` have no part in it."""
    features = output.neck if weights.metric_on == "neck" else output.features
    classified = identity(output.logits, labels, weights.label_smoothing)
    _check_rows(features, labels)
    difference = _weighted_difference(_full(features).flatten(0, 1), labels.repeat(len(features)))
    triplet = F.softplus(difference).mean()
    return Parts(classified + triplet, classified, triplet, triplet_active=_share(difference))


LOSSES = {"fsc": fsc_loss, "agw": agw_loss}  # name → function of (output, labels, weights)


class _Products(torch.autograd.Function):
    """⟨x, y⟩ of all rows, whose gradient G gives (G + Gᵀ)x: one matrix product where autograd would take two."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor) -> Tensor:
        return _product(rows, rows.mT)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (rows,) = ctx.saved_tensors
        return (gradient + gradient.mT) @ rows


def _products(features: Tensor) -> Tensor:
    """⟨x, y⟩ of all rows, (M, D) → (M, M), at least float32."""
    return _Products.apply(_full(features))


def _normalised(products: Tensor) -> Tensor:
    """Products of the rows divided by their lengths, (M, M) → (M, M)."""
    lengths = products.diagonal().clamp_min(1e-24).sqrt()
    return products / (lengths[:, None] * lengths)


def _distances(products: Tensor, squares: Tensor | None = None) -> Tensor:
    """Euclidean distances from products, (M, M) → (M, M), as √max(|x|² + |y|² − 2⟨x, y⟩, 1e-12).

    `squares` is |x|², (M,); without it, the diagonal of the products.
    Differences of close rows need float32: do not let matrix products down to TF32 (torch.set_float32_matmul_precision).
    """
    squares = products.diagonal() if squares is None else squares
    return _root(squares[:, None] + squares - 2 * products)


def _hinges(products: Tensor, labels: Tensor, margin: float) -> Tensor:
    """[margin + max d(positives) − min d(negatives)]₊ of each row, on normalised rows; from their products."""
    distances = _distances(_normalised(products))
    same = labels[:, None] == labels
    farthest_positive = distances.masked_fill(~same, -torch.inf).amax(1)
    nearest_negative = distances.masked_fill(same, torch.inf).amin(1)
    return (margin + farthest_positive - nearest_negative).relu()


def _share(values: Tensor) -> Tensor:
    """Share of values above 0."""
    return (values.detach() > 0).to(values.dtype).mean()


def _center_pair_mining(products: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """CPM of view 0 with each other view, (V − 1,), and the share of its hinges that are above 0, from the products of all rows of
    all views, (V·2N, V·2N)."""
    visible, infrared = labels.chunk(2)
    # A row stands for the identity of one visible image: identities repeat, but shapes do not depend on the labels.
    same = visible[:, None] == torch.stack((visible, infrared))[:, None]  # (2, N, N)
    count = same.sum(-1)  # (2, N)
    average = same.to(products.dtype) / count.clamp_min(1)[..., None]
    shape = (len(products) // len(labels), 2, len(visible))  # V, 2, N
    # row by row the centre of its identity, which is linear in the rows, and so are products with it
    half = _product(average, products.view(*shape, -1))  # (V, 2, N, V·2N)
    centers = _product(average, half.view(-1, *shape).permute(1, 2, 3, 0))
    distances = _distances(centers.reshape(products.shape)).view(*shape, *shape)

    paired = count[1] > 0  # (N,)
    others = ~same[0] & paired
    among = distances.diagonal(0, 0, 3).diagonal(0, 0, 2)  # (N, N, V, 2)
    nearest = among.masked_fill(~others[..., None, None], torch.inf).amin(1).transpose(0, 1)  # (V, N, 2)
    to_first = distances[0].diagonal(0, 1, 4)  # (2, V, 2, N)
    within = to_first.diagonal(0, 0, 2)[1:].detach()  # (V − 1, N, 2)
    across = to_first.flip(0).diagonal(0, 0, 2)[1:]

    def hinge(bound):
        return (margin + across - bound).relu()

    hinges = torch.stack([hinge(within), hinge(nearest[1:]), hinge(nearest[0])])  # (3, V − 1, N, 2)
    terms = hinges[0] + (hinges[1] + hinges[2]) / 2
    weight = paired.to(products.dtype) / count[0]  # an identity counts once, however many rows stand for it
    whole = weight.sum().clamp_min(1)
    above = ((hinges.detach() > 0).to(weight.dtype).mean(-1) * weight).sum(-1) / whole  # (3, V − 1)
    return (terms.mean(-1) * weight).sum(-1) / whole, above.sum() / max(1, above.numel())


def _orthogonality(products: Tensor, views: int) -> Tensor:
    """From the products of all rows of all views, (V·2N, V·2N)."""
    rows = len(products) // views
    own = products.view(views, rows, views, rows).diagonal(0, 1, 3).sum(-1)  # (V, V)
    return own[1:, 1:].triu(1).sum() / len(products)


def _product(a: Tensor, b: Tensor) -> Tensor:
    with torch.autocast(a.device.type, enabled=False):  # matrix products are what autocast would turn into half precision
        return a @ b


def _root(squared: Tensor) -> Tensor:
    """Below the bound the gradient is 0, where that of the root would be infinite."""
    return squared.clamp_min(1e-12).sqrt()


def _masked_softmax(values: Tensor, mask: Tensor) -> Tensor:
    """Softmax along rows over the entries in the mask, with AGW's constants: they show where all exponentials are small."""
    shifted = values - (values * mask).amax(1, keepdim=True)
    exponentials = shifted.masked_fill(~mask, -torch.inf).exp()
    return exponentials / (exponentials.sum(1, keepdim=True) + 1e-6)


def _full(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _check_rows(rows: Tensor, labels: Tensor) -> None:
    if labels.shape != rows.shape[-2:-1]:
        raise ValueError(
            f"Found labels of shape {tuple(labels.shape)} for rows of shape {tuple(rows.shape)}, expected "
            f"{tuple(rows.shape[-2:-1])}: pass one label a row, for visible and infrared images, once and not per view."
        )


def _check_modalities(labels: Tensor) -> None:
    if len(labels) % 2:
        raise ValueError(f"Found {len(labels)} rows, expected an even number: N visible rows, then N infrared rows.")
