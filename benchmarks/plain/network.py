"""FSC-Net with four stages, in the published order of multiplication and with all unused weights.

Each modality's stem is a whole ResNet-50 of which only conv1 and bn1 are used; the trunk is another one without these two. The
attentions of MFA are not re-associated, FSA has a forward and an inverse transform, and there are six dilated convolutions. Entries
have the published names, so fsclib.models.official reads this network's state.
"""

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

DROPOUT = DROP_PATH = 0.01


class CNL(nn.Module):
    """A = θ(high) φ(low)ᵀ / c over positions, out = W(A g(low)) + high."""

    def __init__(self, high: int, low: int, stride: int):
        super().__init__()
        self.g = nn.Conv2d(low, low, 1)
        self.theta = nn.Conv2d(high, low, 1)
        self.phi = nn.Conv2d(low, low, 1, stride=stride)
        self.W = silent(nn.Conv2d(low, high, 1, stride=stride))

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        g = self.g(low).reshape(len(low), self.g.out_channels, -1)
        theta = self.theta(high).reshape(len(low), self.g.out_channels, -1)
        phi = self.phi(low).reshape(len(low), self.g.out_channels, -1).permute(0, 2, 1)
        energy = torch.matmul(theta, phi)
        attention = energy / energy.size(-1)
        return self.W(torch.matmul(attention, g).reshape(low.shape)) + high


class PNL(nn.Module):
    """A = θ(high)ᵀ φ(low) / m over half-maps, an n_high/2 × m matrix per image; out = W(A gᵀ) + high."""

    def __init__(self, high: int, low: int):
        super().__init__()
        self.low = low
        self.g = nn.Conv2d(low, low // 2, 1)
        self.theta = nn.Conv2d(high, low // 2, 1)
        self.phi = nn.Conv2d(low, low // 2, 1)
        self.W = silent(nn.Conv2d(low // 2, high, 1))

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        # reads low/2 channels as `low` channels of half the length, as the published program does
        g = self.g(low).reshape(len(low), self.low, -1).permute(0, 2, 1)
        theta = self.theta(high).reshape(len(low), self.low, -1).permute(0, 2, 1)
        phi = self.phi(low).reshape(len(low), self.low, -1)
        energy = torch.matmul(theta, phi)
        attention = energy / energy.size(-1)
        mixed = torch.matmul(attention, g).permute(0, 2, 1).contiguous()
        return self.W(mixed.reshape(len(low), self.low // 2, *high.shape[2:])) + high


class MFA(nn.Module):
    def __init__(self, high: int, low: int, stride: int):
        super().__init__()
        self.CNL, self.PNL = CNL(high, low, stride), PNL(high, low)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        return self.PNL(self.CNL(high, low), low)


class FSA(nn.Module):
    """irfft2(w_R·R + i·w_I·I): a forward and an inverse transform."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv_reduce = nn.Conv2d(2 * channels, channels, 1)
        hidden = channels // 16
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def gate(self, part: Tensor) -> Tensor:
        summary = torch.cat([F.adaptive_avg_pool2d(part, 1), F.adaptive_max_pool2d(part, 1)], 1)
        return self.mlp(self.conv_reduce(summary).flatten(1))[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x, norm="ortho")
        real, imaginary = spectrum.real, spectrum.imag
        gated = torch.complex(real * self.gate(real), imaginary * self.gate(imaginary))
        return torch.fft.irfft2(gated, s=x.shape[2:], norm="ortho")


class GCA(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        hidden = int(8 * channels / 3)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.fc1 = nn.Linear(channels, 2 * hidden)
        self.split = (hidden, hidden - channels // 2, channels // 2)
        self.conv = nn.Conv2d(channels // 2, channels // 2, 7, padding=3, groups=channels // 2)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        g, i, c = torch.split(self.fc1(self.norm(x)), self.split, dim=-1)
        c = self.conv(c.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out = (self.fc2(F.gelu(g) * torch.cat((i, c), dim=-1)) + x).permute(0, 3, 1, 2)
        if self.training:
            out = out * x.new_empty(len(x), 1, 1, 1).bernoulli_(1 - DROP_PATH) / (1 - DROP_PATH)
        return out


class ST(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.tanh(self.norm(self.conv(x)))


class DEE(nn.Module):
    """Names as published: FCkd is branch k's convolution of dilation d, FCk maps back to C channels."""

    def __init__(self, channels: int):
        super().__init__()
        quarter = channels // 4
        for k in (1, 2):
            for d in (1, 2, 3):
                setattr(self, f"FC{k}{d}", nn.Conv2d(channels, quarter, 3, padding=d, dilation=d, bias=False))
            setattr(self, f"FC{k}", nn.Conv2d(quarter, channels, 1))
            setattr(self, f"freq_attn{k}", FSA(quarter))
            setattr(self, f"gate{k}", GCA(quarter))
            setattr(self, f"spitial{k}", ST(quarter))

    def forward(self, x: Tensor) -> Tensor:
        views = [x]
        for k in (1, 2):
            u = sum(getattr(self, f"FC{k}{d}")(x) for d in (1, 2, 3)) / 3
            for name in ("freq_attn", "gate", "spitial"):
                u = getattr(self, f"{name}{k}")(u)
            views.append(getattr(self, f"FC{k}")(F.relu(u)))
        return F.dropout(torch.cat(views), DROPOUT, self.training)


class PlainFSCNet(nn.Module):
    """Images of both modalities (N, 3, H, W) → features (3·2N, 2048) and logits (3·2N, C) in training, view-major."""

    def __init__(self, num_classes: int):
        super().__init__()
        resnet50 = torchvision.models.resnet50
        self.thermal_module = nn.ModuleDict({"thermal": resnet50()})
        self.visible_module = nn.ModuleDict({"visible": resnet50()})
        self.base_resnet = nn.ModuleDict({"base": resnet50()})
        first = self.base_resnet["base"].layer4[0]
        first.conv2.stride = first.downsample[0].stride = (1, 1)
        self.MFA1, self.MFA2, self.MFA3 = MFA(256, 64, 1), MFA(512, 256, 2), MFA(1024, 512, 2)
        self.DEE = DEE(1024)
        self.bottleneck = nn.BatchNorm1d(2048)
        self.bottleneck.bias.requires_grad_(False)
        self.classifier = nn.Linear(2048, num_classes, bias=False)

    def pooled(self, low: Tensor) -> Tensor:
        base = self.base_resnet["base"]
        for layer, aggregate in ((base.layer1, self.MFA1), (base.layer2, self.MFA2), (base.layer3, self.MFA3)):
            low = aggregate(layer(low), low)
        return F.adaptive_avg_pool2d(base.layer4(self.DEE(low)), 1).flatten(1)

    def forward(self, visible: Tensor, infrared: Tensor) -> tuple[Tensor, Tensor]:
        low = torch.cat((stem(self.visible_module["visible"], visible), stem(self.thermal_module["thermal"], infrared)))
        features = self.pooled(low)
        return features, self.classifier(self.bottleneck(features))

    def embed(self, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Visible images (B, 3, H, W) → features before and after the neck, (3·B, 2048) each."""
        features = self.pooled(stem(self.visible_module["visible"], visible))
        return features, self.bottleneck(features)


def stem(resnet: nn.Module, x: Tensor) -> Tensor:
    return resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(x))))


def silent(conv: nn.Conv2d) -> nn.Sequential:
    """The convolution and a BatchNorm whose weight and bias start at 0."""
    norm = nn.BatchNorm2d(conv.out_channels)
    nn.init.zeros_(norm.weight)
    return nn.Sequential(conv, norm)
