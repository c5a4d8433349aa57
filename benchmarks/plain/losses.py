"""The losses of FSC-Net as published, with loops over anchors or identities that select rows by label."""

import torch
import torch.nn.functional as F
from torch import Tensor


def euclidean(x: Tensor, y: Tensor) -> Tensor:
    """(M, D), (N, D) → (M, N)."""
    squared = x.pow(2).sum(1, keepdim=True) + y.pow(2).sum(1, keepdim=True).t() - 2 * torch.matmul(x, y.t())
    return squared.clamp(min=1e-12).sqrt()


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float = 0.3) -> Tensor:
    """features (M, D), labels (M,)."""
    distances = euclidean(F.normalize(features), F.normalize(features))
    same = labels[:, None] == labels
    farthest, nearest = [], []
    for anchor in range(len(labels)):
        farthest.append(distances[anchor][same[anchor]].max())
        nearest.append(distances[anchor][~same[anchor]].min())
    return F.relu(margin + torch.stack(farthest) - torch.stack(nearest)).mean()


def center_pair_mining(view_0: Tensor, view_k: Tensor, labels: Tensor, margin: float = 0.2) -> Tensor:
    """views (2N, D), visible rows first; labels (2N,); every identity in both modalities."""
    half = len(labels) // 2
    identities = labels.unique()

    def centers(features: Tensor, own: Tensor) -> Tensor:
        return torch.stack([features[own == identity].mean(0) for identity in identities])

    visible_0, visible_k = (centers(view[:half], labels[:half]) for view in (view_0, view_k))
    infrared_0, infrared_k = (centers(view[half:], labels[half:]) for view in (view_0, view_k))

    def nearest_other(points: Tensor) -> Tensor:
        distances = euclidean(points, points)
        others = ~torch.eye(len(points), dtype=torch.bool, device=points.device)
        return torch.stack([distances[i][others[i]].min() for i in range(len(points))])

    def side(own_0: Tensor, own_k: Tensor, other_0: Tensor) -> Tensor:
        across = torch.stack([(a - b).pow(2).sum().clamp(min=1e-12).sqrt() for a, b in zip(other_0, own_k, strict=True)])
        within = torch.stack([(a - b).pow(2).sum().clamp(min=1e-12).sqrt() for a, b in zip(own_0, own_k, strict=True)])
        bounds = (within.detach(), nearest_other(own_k), nearest_other(own_0))
        first, second, third = (F.relu(margin + across - bound).mean() for bound in bounds)
        return first + (second + third) / 2

    return (side(visible_0, visible_k, infrared_0) + side(infrared_0, infrared_k, visible_0)) / 2


def orthogonality(features: Tensor) -> Tensor:
    """features (3, 2N, D)."""
    return (features[1] * features[2]).sum() / (3 * features.shape[1])


def fsc_loss(features: Tensor, logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Total, identity, triplet, CPM, orthogonality from features (3·2N, D) and logits (3·2N, C), view-major; labels (2N,)."""
    everything = labels.repeat(3)
    views = features.reshape(3, len(labels), -1)
    identity = F.cross_entropy(logits, everything)
    triplet = batch_hard_triplet(features, everything)
    cpm = center_pair_mining(views[0], views[1], labels) + center_pair_mining(views[0], views[2], labels)
    orthogonal = orthogonality(views)
    return identity + triplet + 0.8 * cpm + 0.01 * orthogonal, identity, triplet, cpm, orthogonal
