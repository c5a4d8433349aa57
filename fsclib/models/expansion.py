"""Diverse embedding expansion (DEE): adds two feature maps to the given one, each from its own branch.

u_k = ⅓ Σ_d conv3×3 with dilation d (x), C → C/4, d = 1, 2, 3;  x_k = conv1×1(ReLU(modules_k(u_k))), C/4 → C. From DEEN (Zhang &
Wang, CVPR 2023, arXiv 2303.14481); FSC-Net's expansion adds the modules of fsc.py.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fsclib.models.fsc import MODULES, PUBLISHED

DILATIONS = (1, 2, 3)


class Branch(nn.Module):
    """The modules of one branch in order, then ReLU and the 1×1 convolution back to C channels."""

    def __init__(self, channels: int, modules: Sequence[str]):
        super().__init__()
        self.steps = nn.ModuleDict({name: MODULES[name](channels // 4) for name in modules})
        self.restore = nn.Conv2d(channels // 4, channels, 1)
        nn.init.kaiming_normal_(self.restore.weight)
        assert self.restore.bias is not None
        nn.init.zeros_(self.restore.bias)

    def forward(self, features: Tensor) -> Tensor:
        for step in self.steps.values():
            features = step(features)
        return self.restore(torch.relu(features))


class DiverseEmbeddingExpansion(nn.Module):
    """(B, C, H, W) → (V·B, C, H, W) with V = 1 + branches, view-major: all of view 0 (x itself), then view 1, then view 2."""

    def __init__(self, channels: int, modules: Sequence[str] = PUBLISHED, branches: int = 2):
        super().__init__()
        unknown = [name for name in modules if name not in MODULES]
        if unknown or len(set(modules)) != len(modules):
            raise ValueError(f"modules: found {tuple(modules)}, expected each at most once of {', '.join(MODULES)}")
        # All branches have the same input, so the convolutions of a dilation are merged into one.
        convs = [nn.Conv2d(channels, branches * (channels // 4), 3, padding=d, dilation=d, bias=False) for d in DILATIONS]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight)
        self.dilated = nn.ModuleList(convs)
        self.branches = nn.ModuleList(Branch(channels, modules) for _ in range(branches))

    def forward(self, features: Tensor) -> Tensor:
        first, second, third = (conv(features) for conv in self.dilated)
        shared = ((first + second + third) / len(DILATIONS)).chunk(len(self.branches), 1)
        return torch.cat([features, *(branch(u) for branch, u in zip(self.branches, shared, strict=True))])
