"""The three modules of FSC-Net inside the embedding expansion: frequency, channel and spatial.

Source: the published program (repository Huangsong-code/FSC-Net, first revision). Each maps (B, c, H, W) to the same shape.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsclib.models.dft import half_plane


def mirrored(features: Tensor) -> Tensor:
    """x̃[h, w] = x[−h mod H, −w mod W]: the map whose spectrum is the complex conjugate of x's."""
    return features.flip((2, 3)).roll((1, 1), (2, 3))


class FrequencySemanticAttention(nn.Module):
    """FSA: one gate per channel for the real part of the spectrum and one for the imaginary part.

    The gates depend on the mean and the maximum of each part over the half plane of rfft2. The gated spectrum needs no inverse
    transform: the real part corresponds to the even part of the map and the imaginary part to the odd one, so
    out = ½(w_R + w_I)·x + ½(w_R − w_I)·x̃. `published_order` computes the inverse instead (official.use_published_order);
    `matrix_products` replaces rfft2, which no exporter to ONNX supports, by the same transform as matrix products.
    """

    published_order = False
    matrix_products = False

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        self.reduce = nn.Conv2d(2 * channels, channels, 1)
        hidden = max(1, channels // reduction)  # at least one, for narrow backbones
        self.gate = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def spectrum(self, features: Tensor) -> Tensor:
        """(B, c, H, W) → real and imaginary part of rfft2, (B, c, H, W//2+1, 2), at least float32."""
        with torch.autocast(features.device.type, enabled=False):  # rfft2 has no half-precision kernel
            full = features.to(torch.promote_types(features.dtype, torch.float32))
            return half_plane(full) if self.matrix_products else torch.view_as_real(torch.fft.rfft2(full, norm="ortho"))

    def gates(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """The `spectrum` of a map → w_R, w_I, each (B, c) in (0, 1)."""
        summary = torch.cat([spectrum.mean((2, 3)), spectrum.amax((2, 3))], 1)  # (B, 2c, 2)
        semantic = F.conv1d(summary, self.reduce.weight.flatten(2), self.reduce.bias)  # (B, c, 2)
        real, imaginary = self.gate(semantic.transpose(1, 2)).unbind(1)
        return real, imaginary

    def forward(self, features: Tensor) -> Tensor:
        spectrum = self.spectrum(features)
        real, imaginary = (gate[:, :, None, None] for gate in self.gates(spectrum))
        if self.published_order:
            gated = torch.complex(real * spectrum[..., 0], imaginary * spectrum[..., 1])
            return torch.fft.irfft2(gated, s=features.shape[2:], norm="ortho")
        same, opposite = (real + imaginary) / 2, (real - imaginary) / 2
        return same.to(features.dtype) * features + opposite.to(features.dtype) * mirrored(features)


class DropPath(nn.Module):
    """Sets the whole map of a sample to zero with probability `rate` in training; other maps are divided by 1 − rate."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, features: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return features
        keep = torch.rand(features.shape[0], 1, 1, 1, device=features.device) >= self.rate
        return features * (keep / (1 - self.rate)).to(features.dtype)


class GatedConvAttention(nn.Module):
    """GCA: c/2 channels pass a depth-wise 7×7 convolution, and a GELU gate weights the result.

    [g, i, v] = Linear(LayerNorm(x)) with h, h − c/2 and c/2 channels, h = ⌊8c/3⌋; out = DropPath(Linear(GELU(g)·[i, conv(v)]) + x).
    The drop-path is applied to the sum, so a dropped sample loses its whole map.
    """

    def __init__(self, channels: int, drop_path: float = 0.01):
        super().__init__()
        hidden = int(8 * channels / 3)
        self.split = (hidden, hidden - channels // 2, channels // 2)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 2 * hidden)
        self.conv = nn.Conv2d(channels // 2, channels // 2, 7, padding=3, groups=channels // 2)
        self.shrink = nn.Linear(hidden, channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, features: Tensor) -> Tensor:
        last = features.permute(0, 2, 3, 1)  # (B, H, W, c)
        gate, same, convolved = self.expand(self.norm(last)).split(self.split, -1)
        convolved = self.conv(convolved.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        mixed = self.shrink(F.gelu(gate) * torch.cat([same, convolved], -1))
        return self.drop_path((mixed + last).permute(0, 3, 1, 2))


class SpatialTransform(nn.Module):
    """ST: x + tanh(BN(depth-wise 3×3 convolution(x)))."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        return features + torch.tanh(self.norm(self.conv(features)))


PUBLISHED = ("frequency", "channel", "spatial")  # FSC-Net: all three, in this order
SHORT = {"frequency": "FSA", "channel": "GCA", "spatial": "ST"}  # abbreviations of the paper; other modules have none
MODULES: dict[str, type[nn.Module]] = {  # name → class that takes the number of channels
    "frequency": FrequencySemanticAttention,
    "channel": GatedConvAttention,
    "spatial": SpatialTransform,
}
