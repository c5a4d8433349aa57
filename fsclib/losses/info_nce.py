"""InfoNCE across modalities, on the features after the neck.

    −⟨log Σ_{p: same identity} exp(s_ap/τ) / Σ_b exp(s_ab/τ)⟩,  s the cosine of an anchor a and b of the other modality

averaged over both directions and all views.
Sources: van den Oord et al., arXiv 1807.03748 (InfoNCE); several positives: Miech et al., CVPR 2020 (MIL-NCE).
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(neck: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-modal InfoNCE. neck: (V, 2N, D), not normalised, visible rows first; labels: (2N,). At least 0.

    Anchors whose identity is missing in the other modality are ignored.
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
