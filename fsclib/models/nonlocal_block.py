"""AGW's non-local block: attention of rank one over positions, without a softmax.

θ, φ, g map C channels to one; A = θᵀφ / n over n positions, y = A g, out = W(y) + x. Ye et al., TPAMI 2021 (arXiv 2001.04193),
with one inner channel, as in the published program. An untrained block is the identity.
"""

from torch import Tensor, nn

from fsclib.models.aggregation import project, tokens


class NonLocal(nn.Module):
    """(B, C, H, W) → the same shape.

    A has rank one, so y is θ times the mean of φ·g, without the n×n matrix; `published_order` computes the matrix
    (official.use_published_order).
    """

    published_order = False

    def __init__(self, channels: int):
        super().__init__()
        self.g = nn.Conv2d(channels, 1, 1)
        self.theta = nn.Conv2d(channels, 1, 1)
        self.phi = nn.Conv2d(channels, 1, 1)
        self.project = project(1, channels)

    def forward(self, features: Tensor) -> Tensor:
        g, theta, phi = (tokens(conv(features)) for conv in (self.g, self.theta, self.phi))  # (B, 1, n) each
        if self.published_order:
            attention = theta.transpose(1, 2) @ phi / phi.shape[2]  # (B, n, n)
            mixed = (attention @ g.transpose(1, 2)).transpose(1, 2)
        else:
            mixed = theta * (phi * g).mean(2, keepdim=True)
        return self.project(mixed.unflatten(2, features.shape[2:])) + features
