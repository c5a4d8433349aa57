"""Multistage feature aggregation (MFA): enriches the features of a stage with those of the previous stage.

MFA(high, low) = PNL(CNL(high, low), low), from DEEN (Zhang & Wang, CVPR 2023, arXiv 2303.14481), as computed by its published
program (see PositionNonLocal): attention without a softmax, so the products can be computed in the cheaper order. An untrained
MFA is the identity on `high`, because the BatchNorm at the end of each half starts with weight and bias 0.
"""

from torch import Tensor, nn


def tokens(features: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, H·W), without a copy in either memory format."""
    return features.flatten(2)


def halves(features: Tensor) -> Tensor:
    """(B, C, H, W) → (B, 2C, H·W/2): the upper and the lower half of each map as two channels. ValueError if H·W is odd."""
    height, width = features.shape[2:]
    if height * width % 2:
        raise ValueError(f"a map of {height}×{width} cannot be halved; expected images whose height is a multiple of 32")
    return features.reshape(features.shape[0], 2 * features.shape[1], -1)


def project(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """The final 1×1 convolution and BatchNorm, whose output is 0 at initialisation."""
    norm = nn.BatchNorm2d(out_channels)
    nn.init.zeros_(norm.weight)
    nn.init.zeros_(norm.bias)
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride=stride), norm)


class ChannelNonLocal(nn.Module):
    """CNL: A = θ(high) φ(low)ᵀ / c over positions, a c×c matrix; out = W(A g(low)) + high."""

    def __init__(self, high: int, low: int, stride: int):
        super().__init__()
        self.g = nn.Conv2d(low, low, 1)
        self.theta = nn.Conv2d(high, low, 1)
        self.phi = nn.Conv2d(low, low, 1, stride=stride)
        self.project = project(low, high, stride)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        theta, phi = tokens(self.theta(high)), tokens(self.phi(low))  # (B, c, n_high) each
        attention = theta @ phi.transpose(1, 2) / theta.shape[1]  # (B, c, c)
        mixed = attention @ tokens(self.g(low))  # (B, c, n_low)
        return self.project(mixed.unflatten(2, low.shape[2:])) + high


class PositionNonLocal(nn.Module):
    """PNL: A = θ(high)ᵀ φ(low) / m over half-maps, y = A gᵀ, out = W(y) + high.

    The published program gives g, φ and θ low/2 channels but reshapes them to `low` channels: each channel's row-major map is
    split into an upper and a lower half, which become separate channels, so m = n_low / 2 positions remain. Descriptions of the
    method use whole maps (n_high × n_low), but only half-maps reproduce the reference numbers, so they are used here.
    Without a softmax the product is associative, y = ((g φᵀ) / m) θ, with a low×low matrix instead of an n×n one;
    `published_order` computes the n×n matrix, to round as the published program does (official.use_published_order).
    """

    published_order = False

    def __init__(self, high: int, low: int):
        super().__init__()
        self.g = nn.Conv2d(low, low // 2, 1)
        self.theta = nn.Conv2d(high, low // 2, 1)
        self.phi = nn.Conv2d(low, low // 2, 1)
        self.project = project(low // 2, high)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        g, phi, theta = (halves(x) for x in (self.g(low), self.phi(low), self.theta(high)))  # (B, low, m), …, (B, low, n_high/2)
        if self.published_order:
            attention = theta.transpose(1, 2) @ phi / phi.shape[2]  # (B, n_high/2, m)
            mixed = (attention @ g.transpose(1, 2)).transpose(1, 2)
        else:
            mixed = (g @ phi.transpose(1, 2) / phi.shape[2]) @ theta  # (B, low, low) @ (B, low, n_high/2)
        return self.project(mixed.reshape(high.shape[0], -1, *high.shape[2:])) + high  # (B, low/2, H, W) inside


class MultistageFeatureAggregation(nn.Module):
    """high (B, C_high, H, W), low (B, C_low, stride·H, stride·W) → (B, C_high, H, W)."""

    def __init__(self, high: int, low: int, stride: int):
        super().__init__()
        self.channel = ChannelNonLocal(high, low, stride)
        self.position = PositionNonLocal(high, low)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        return self.position(self.channel(high, low), low)
