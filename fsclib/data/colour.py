"""Colour augmentation of a batch: jitter, single channels, and pseudo-infrared images made from visible ones.

    visible images         each with its own probability: a single channel; a pseudo-infrared image
    all images             x ← (x − ⟨x⟩)·contrast + ⟨x⟩·brightness, both factors uniform in 1 ± jitter

A pseudo-infrared image is a signed mix of the channels, y = Σ w x with w ~ N(⅓, 0.6²), or a single channel, or gray, scaled to a
random mean and deviation, with a random gamma and noise: as in near infrared, the brightness of a cloth reveals little of its
colour. Sources: random channels: Ye et al., ICCV 2021 (channel exchangeable augmentation); the mix is our own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

MIX = (1 / 3, 0.6)  # mean and deviation of the weights of a pseudo-infrared mix
KINDS = (0.7, 0.9)  # cumulative shares of pseudo-infrared images: mixes, single channels, and gray for the rest
LEVEL, SPREAD = (60.0, 170.0), (25.0, 70.0)  # ranges of the pseudo-infrared mean and deviation, on a scale of 0 to 255
GAMMA, NOISE = (0.7, 1.5), 8.0  # range of its gamma, and the largest noise
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class ColourDraws:
    """Random draws for the colours of each image of a batch: float32 tensors.

    mix (B, 3, 3)            mixing matrix of the channels
    contrast, brightness (B,)  factors
    pseudo (P,)              int64, positions of the images that become pseudo-infrared
    level, spread, gamma, noise (B,)  look of each image if it becomes pseudo-infrared
    grain (1, H, W)          normal noise, the same for all images of the batch
    """

    mix: Tensor
    contrast: Tensor
    brightness: Tensor
    pseudo: Tensor
    level: Tensor
    spread: Tensor
    gamma: Tensor
    noise: Tensor
    grain: Tensor

    def of(self, places: Tensor) -> "ColourDraws":
        """The draws for some images of the batch."""
        values = {name: value if name == "grain" else value[places] for name, value in vars(self).items() if name != "pseudo"}
        return ColourDraws(**values, pseudo=torch.isin(places, self.pseudo).nonzero().flatten())

    def to(self, device: torch.device | str) -> "ColourDraws":
        """The same draws on another device."""
        return ColourDraws(*(value.to(device, non_blocking=True) for value in vars(self).values()))


def draw_colours(
    shape: tuple[int, int, int],
    generator: torch.Generator,
    channel: float,
    pseudo_infrared: float,
    jitter: float,
    only_visible: bool,
) -> ColourDraws:
    """Random draws for images of `shape`, (B, H, W), where B is even and visible images come first.

    only_visible: the second half are visible images too and all become pseudo-infrared.
    """

    count = shape[0]

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    visible = torch.arange(count) < count // 2
    single = (uniform(0, 1) < channel) & visible
    pseudo = torch.where(visible, uniform(0, 1) < pseudo_infrared, torch.tensor(only_visible))
    kind, chosen = uniform(0, 1), torch.eye(3)[torch.randint(3, (count,), generator=generator)]  # (B, 3)
    signed = MIX[0] + MIX[1] * torch.randn(count, 3, generator=generator)
    gray = torch.tensor(LUMA).expand(count, 3)
    weights = torch.where((kind < KINDS[0])[:, None], signed, torch.where((kind < KINDS[1])[:, None], chosen, gray))
    weights = torch.where(pseudo[:, None], weights, chosen)[:, None].expand(-1, 3, -1)
    mix = torch.where((single | pseudo)[:, None, None], weights, torch.eye(3))
    return ColourDraws(
        mix=mix.contiguous(),
        contrast=uniform(1 - jitter, 1 + jitter),
        brightness=uniform(1 - jitter, 1 + jitter),
        pseudo=pseudo.nonzero().flatten(),  # here, on the CPU: on a GPU it would block
        level=uniform(*LEVEL),
        spread=uniform(*SPREAD),
        gamma=uniform(*GAMMA),
        noise=uniform(0, NOISE),
        grain=torch.randn(1, *shape[1:], generator=generator),
    )


def apply_colours(planes: Tensor, draws: ColourDraws) -> Tensor:
    """Augment colours as drawn: float32 (B, 3, H, W) in 0 … 255 → the same shape and range, on the device of both."""
    count, _, height, width = planes.shape
    mixed, chosen = torch.bmm(draws.mix, planes.flatten(2)), draws.pseudo  # (B, 3, H·W)
    mean = mixed.mean((1, 2), keepdim=True)
    pseudo = _pseudo_infrared(mixed[chosen], draws) if len(chosen) else None
    jittered = mixed.sub_(mean).mul_(draws.contrast[:, None, None]).add_(mean * draws.brightness[:, None, None]).clamp_(0, 255)
    if pseudo is not None:
        jittered[chosen] = pseudo
    return jittered.view(count, 3, height, width)


def _pseudo_infrared(mixed: Tensor, draws: ColourDraws) -> Tensor:
    """Applies the drawn look to the mixed channels of the pseudo-infrared images, (P, 3, H·W)."""
    level, spread, gamma, noise = (
        value[draws.pseudo, None, None] for value in (draws.level, draws.spread, draws.gamma, draws.noise)
    )
    deviation, mean = torch.std_mean(mixed, (1, 2), keepdim=True)
    seen = ((mixed - mean) * (spread / deviation.clamp_min(1e-3)) + level).clamp_(0, 255)
    return seen.div_(255).pow_(gamma).mul_(255).add_(draws.grain.flatten() * noise).clamp_(0, 255)
