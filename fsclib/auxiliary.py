"""Losses that may be added to any network's own: InfoNCE across modalities, and attributes of people as targets.

    InfoNCE      −⟨log Σ_{p: same identity} exp(s_ap/τ) / Σ_b exp(s_ab/τ)⟩,  s the cosine of an anchor a and b of the other modality
    attributes   ⟨cross entropy of each attribute⟩ over attributes and rows

Both see the features behind the neck; InfoNCE is the mean over both directions and all views.
Sources: van den Oord et al., arXiv 1807.03748 (InfoNCE); several positives: Miech et al., CVPR 2020 (MIL-NCE); Lin et al., Pattern
Recognition 2019 (attributes beside identities).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(neck: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-modal InfoNCE. neck: (V, 2N, D), not normalised, visible rows first; labels: (2N,). At least 0.

    An anchor without its identity in the other modality is left out.
    """
    rows = F.normalize(neck.float() if neck.dtype != torch.float64 else neck, dim=2)
    visible, infrared = rows.chunk(2, 1)
    with torch.autocast(neck.device.type, enabled=False):
        across = visible @ infrared.transpose(1, 2) / temperature  # (V, N, N)
    first, second = labels.chunk(2)
    same = first[:, None] == second
    return (_one_way(across, same) + _one_way(across.transpose(1, 2), same.T)) / 2


def _one_way(logits: Tensor, same: Tensor) -> Tensor:
    matched = same.any(1)  # (N,)
    positive = logits.masked_fill(~same, -torch.inf).logsumexp(2).masked_fill(~matched, 0)
    lost = (logits.logsumexp(2) - positive) * matched
    return lost.sum() / (matched.sum() * len(logits)).clamp_min(1)


def attribute_loss(logits: Tensor, targets: Tensor, sizes: Sequence[int]) -> Tensor:
    """Mean cross entropy of A attributes. logits: (V, B, Σ sizes), the values of each side by side; targets: (B, A) int64."""
    repeated = targets.repeat(len(logits), 1)
    parts = logits.flatten(0, 1).split(tuple(sizes), 1)
    return torch.stack([F.cross_entropy(part, target) for part, target in zip(parts, repeated.unbind(1), strict=True)]).mean()


def mean_cosine(rows: Tensor, labels: Tensor) -> Tensor:
    """Mean cosine between rows of different people. rows: (B, D); labels: (B,). In [−1, 1]; 1 says that all are one point."""
    unit = F.normalize(rows.float())
    same = (labels[:, None] == labels).float()
    return ((unit @ unit.T) * (1 - same)).sum() / (1 - same).sum().clamp_min(1)
