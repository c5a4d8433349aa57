"""The training losses of the networks, as weighted sums of parts.

    fsc       FSC-Net, DEEN             identity + triplet + 0.8 Σₖ CPM(0, k) + 0.01 orthogonality
    agw       AGW, two-stream           identity + weighted regularised triplet
    bdtr      BDTR                      identity + top ranking
    identity  one-stream, zero-padding  identity

A batch has N visible and N infrared images and V views (embeddings) of each: features (V, 2N, D), logits (V, 2N, C), labels (2N,),
visible rows first. Labels are arbitrary integers, and identities may have different numbers of images. Every loss is a scalar.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from fsclib.losses.center_pair_mining import CPM_MARGIN, mined_pairs
from fsclib.losses.identity import identity
from fsclib.losses.orthogonality import orthogonality_of
from fsclib.losses.pairwise import at_least_float32, check_modalities, check_rows, products_of, share_above_zero
from fsclib.losses.top_ranking import INTRA_MARGIN, RANKING_MARGIN, both_directions, ranking_hinges
from fsclib.losses.triplet import TRIPLET_MARGIN, hinges_of, weighted_difference

ZERO = torch.zeros(())


class Output(Protocol):
    """The output of a network in training: features and neck features (V, 2N, D), logits (V, 2N, C)."""

    @property
    def features(self) -> Tensor: ...

    @property
    def logits(self) -> Tensor: ...

    @property
    def neck(self) -> Tensor: ...  # features after the BN neck


@dataclass(frozen=True)
class LossWeights:
    """Factors of the losses in the total (1 for identity and triplet), margins, and two options that are not published:

    label_smoothing  of the identity loss (Szegedy et al., CVPR 2016)
    metric_on        features that the triplet losses compare: "pooled", as published, or "neck"
    """

    cpm: float = 0.8
    orthogonality: float = 0.01  # of the published programs; the DEEN paper reports its best at 0.1
    triplet_margin: float = TRIPLET_MARGIN
    cpm_margin: float = CPM_MARGIN
    label_smoothing: float = 0.0
    metric_on: str = "pooled"


PUBLISHED = LossWeights()


class Parts(NamedTuple):
    """The total for the backward pass, its parts before weighting, and indicators of a collapse of the training. Scalars."""

    total: Tensor
    identity: Tensor
    triplet: Tensor  # or the top-ranking loss
    cpm: Tensor = ZERO  # summed over view pairs
    orthogonality: Tensor = ZERO
    infonce: Tensor = ZERO
    attributes: Tensor = ZERO
    triplet_active: Tensor = ZERO  # share of anchors with a hinge above 0; for the weighted triplet, of wrongly ordered ones
    cpm_active: Tensor = ZERO  # share of the hinges of pair mining that are above 0
    pooled_cosine: Tensor = ZERO  # mean cosine between different people, of pooled features
    neck_cosine: Tensor = ZERO  # the same for features after the neck


def fsc_loss(output: Output, labels: Tensor, weights: LossWeights = PUBLISHED) -> Parts:
    """The training loss of FSC-Net and DEEN. With a single view there are no view pairs: identity + triplet.

    output: features (V, 2N, D) and logits (V, 2N, C); labels: (2N,) int64, visible rows first.
    """
    features = output.features
    classified = identity(output.logits, labels, weights.label_smoothing)
    check_modalities(labels)
    products = products_of(features.flatten(0, 1))
    compared = products_of(output.neck.flatten(0, 1)) if weights.metric_on == "neck" else products
    hinges = hinges_of(compared, labels.repeat(len(features)), weights.triplet_margin)
    pairs, active = mined_pairs(products, labels, weights.cpm_margin)
    triplet, cpm, orthogonal = hinges.mean(), pairs.sum(), orthogonality_of(products, len(features))
    total = classified + triplet + weights.cpm * cpm + weights.orthogonality * orthogonal
    return Parts(total, classified, triplet, cpm, orthogonal, triplet_active=share_above_zero(hinges), cpm_active=active)


def agw_loss(output: Output, labels: Tensor, weights: LossWeights = PUBLISHED) -> Parts:
    """The training loss of AGW and the two-stream network, on features that are not normalised, as published.

    Shapes as in `fsc_loss`; the margins and factors of `weights` are not used.
    """
    features = output.neck if weights.metric_on == "neck" else output.features
    classified = identity(output.logits, labels, weights.label_smoothing)
    check_rows(features, labels)
    difference = weighted_difference(at_least_float32(features).flatten(0, 1), labels.repeat(len(features)))
    triplet = F.softplus(difference).mean()
    return Parts(classified + triplet, classified, triplet, triplet_active=share_above_zero(difference))


def bdtr_loss(output: Output, labels: Tensor, weights: LossWeights = PUBLISHED) -> Parts:
    """The training loss of BDTR: identity + the top-ranking loss of each view, averaged, as the part `triplet`.

    Shapes as in `fsc_loss`; the margins and factors of `weights` are not used.
    """
    features = output.neck if weights.metric_on == "neck" else output.features
    classified = identity(output.logits, labels, weights.label_smoothing)
    hinges = [ranking_hinges(view, labels, RANKING_MARGIN, INTRA_MARGIN) for view in features]
    between, within = (torch.stack(parts) for parts in zip(*hinges, strict=True))
    ranking = both_directions(between, within)
    return Parts(classified + ranking, classified, ranking, triplet_active=share_above_zero(between))


def identity_loss(output: Output, labels: Tensor, weights: LossWeights = PUBLISHED) -> Parts:
    """The training loss of the one-stream and the zero-padding network: identity alone. Shapes as in `fsc_loss`."""
    classified = identity(output.logits, labels, weights.label_smoothing)
    return Parts(classified, classified, ZERO)


# name → function of (output, labels, weights)
LOSSES = {"fsc": fsc_loss, "agw": agw_loss, "bdtr": bdtr_loss, "identity": identity_loss}
