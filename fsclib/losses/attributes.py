"""Person attributes as additional targets. Source: Lin et al., Pattern Recognition 2019."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def attribute_loss(logits: Tensor, targets: Tensor, sizes: Sequence[int]) -> Tensor:
    """Mean cross entropy of A attributes. logits: (V, B, Σ sizes), attributes side by side; targets: (B, A) int64."""
    repeated = targets.repeat(len(logits), 1)
    parts = logits.flatten(0, 1).split(tuple(sizes), 1)
    return torch.stack([F.cross_entropy(part, target) for part, target in zip(parts, repeated.unbind(1), strict=True)]).mean()
