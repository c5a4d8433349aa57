"""Augmentation of a whole batch at once, on the training device.

    pad with black → grayscale → crop back to H×W → mirror → colours (colour.py) → amplitude swap (amplitude.py) → normalise
    → erase a rectangle

Random numbers come from a generator on the CPU and are all drawn before the first image is processed, so the augmentation is the
same on CPU and GPU, and GPU steps need no synchronisation. Source: the published program of DEEN; random erasing: Zhong et al.,
AAAI 2020.
"""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fsclib.data.amplitude import swap_amplitudes
from fsclib.data.colour import ColourDraws, apply_colours, draw_colours
from fsclib.models.imagenet import MEAN, STD

LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)  # 0.299, 0.587, 0.114 of ITU-R 601-2, in Pillow's fixed-point form
ATTEMPTS = 100  # rectangles drawn per image until one fits


@dataclass(frozen=True)
class Augmentation:
    """Augmentations of a training image and their probabilities.

    padding      black pixels added on every side before a crop of the original size
    grayscale    probability
    flip         probability
    erase        probability
    erase_area   least and largest share of the image's area to erase (SYSU-MM01: 0.2 to 0.8)
    erase_ratio  least ratio of height to width of the rectangle; its inverse is the largest
    channel      probability that a visible image is reduced to a single channel
    pseudo_infrared  probability that a visible image becomes a pseudo-infrared image
    jitter       range of the contrast and brightness factors, 1 ± jitter
    amplitude_swap  probability that an image gets the amplitudes of its partner in the other modality
    only_visible  whether the images of the infrared stream are visible images too, which all become pseudo-infrared

    Raises ValueError for impossible values.
    """

    padding: int = 10
    grayscale: float = 0.5
    flip: float = 0.5
    erase: float = 0.5
    erase_area: tuple[float, float] = (0.02, 0.4)
    erase_ratio: float = 0.3
    channel: float = 0.0
    pseudo_infrared: float = 0.0
    jitter: float = 0.0
    amplitude_swap: float = 0.0
    only_visible: bool = False

    def __post_init__(self) -> None:
        shares = (self.grayscale, self.flip, self.erase, self.channel, self.pseudo_infrared, self.jitter, self.amplitude_swap)
        if self.padding < 0 or not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"{self}: expected padding of at least 0 and probabilities between 0 and 1")
        if not (0 <= self.erase_area[0] <= self.erase_area[1] <= 1 and 0 < self.erase_ratio <= 1):
            raise ValueError(f"{self}: expected erase_area 0 ≤ least ≤ largest ≤ 1 and erase_ratio above 0 and at most 1")


@dataclass(frozen=True)
class Draws:
    """Random draws for each image of a batch: eight tensors (B,), int64.

    grayscale, flip   0 or 1
    top, left         of the crop in the padded image
    erase_top, …      the erased rectangle in the cropped image; height and width are 0 if nothing is erased
    """

    grayscale: Tensor
    flip: Tensor
    top: Tensor
    left: Tensor
    erase_top: Tensor
    erase_left: Tensor
    erase_height: Tensor
    erase_width: Tensor

    def to(self, device: torch.device | str) -> "Draws":
        """The same draws on another device, in one asynchronous transfer."""
        packed = torch.stack(tuple(vars(self).values()))
        return Draws(*packed.to(device, non_blocking=True).unbind())

    def of(self, places: Tensor) -> "Draws":
        """The draws for some images of the batch."""
        return Draws(*(value[places] for value in vars(self).values()))


def draw(count: int, height: int, width: int, generator: torch.Generator, settings: Augmentation) -> Draws:
    """Random draws for `count` images of height × width, from a generator on the CPU."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    def whole(below: Tensor | int) -> Tensor:
        return (uniform(count) * below).long()

    def happens(probability: float) -> Tensor:
        return (uniform(count) < probability).long()

    gray, flip, erase = happens(settings.grayscale), happens(settings.flip), happens(settings.erase)
    top, left = whole(2 * settings.padding + 1), whole(2 * settings.padding + 1)

    smallest, largest = settings.erase_area
    area = height * width * (smallest + (largest - smallest) * uniform(count, ATTEMPTS))
    ratio = settings.erase_ratio + (1 / settings.erase_ratio - settings.erase_ratio) * uniform(count, ATTEMPTS)
    tall, wide = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()  # (B, attempts)
    fits = (tall < height) & (wide < width)
    first = fits.long().argmax(dim=1, keepdim=True)
    erased = erase * fits.any(dim=1)
    tall, wide = (erased * side.gather(1, first).squeeze(1) for side in (tall, wide))
    return Draws(gray, flip, top, left, whole(height - tall + 1), whole(width - wide + 1), tall, wide)


def apply(images: Tensor, draws: Draws, padding: int, coloured: ColourDraws | None = None, swapped: Tensor | None = None) -> Tensor:
    """Augment images as drawn: uint8 (B, H, W, 3) → normalised float32 (B, 3, H, W), on the device of both.

    swapped: (B,) bool, images whose amplitudes are swapped, of a batch with visible images first; None: none.
    """
    _check(images)
    count, height, width, _ = images.shape
    y, x = (torch.arange(side, device=images.device) for side in (height, width))

    # indexing one 32-bit number per pixel is several times faster than three bytes, and whole rows are faster than single pixels
    padded = functional.pad(images, (0, 1, padding, padding, padding, padding)).view(torch.int32).squeeze(-1)
    rows = padded[torch.arange(count, device=images.device)[:, None], draws.top[:, None] + y]  # (B, H, W + 2·padding)
    columns = draws.left[:, None] + torch.where(draws.flip[:, None] == 1, width - 1 - x, x)  # (B, W)
    cropped = rows.gather(2, columns[:, None].expand(-1, height, -1)).unsqueeze(-1).view(torch.uint8)  # (B, H, W, 4)

    # with weights of 0 and 1, lerp selects in place, without a mask per channel
    planes = _planes(cropped[..., :3])
    planes = planes.lerp_(_luma(planes).expand_as(planes), draws.grayscale.float()[:, None, None, None])
    planes = planes if coloured is None else apply_colours(planes, coloured)
    planes = _normalise(planes if swapped is None else swap_amplitudes(planes, swapped))

    # as published, the fill is the unnormalised MEAN in the normalised image, not the mean colour, which would be 0
    inside_y = (y >= draws.erase_top[:, None]) & (y < (draws.erase_top + draws.erase_height)[:, None])
    inside_x = (x >= draws.erase_left[:, None]) & (x < (draws.erase_left + draws.erase_width)[:, None])
    inside = (inside_y[:, None, :, None] & inside_x[:, None, None, :]).float()  # (B, 1, H, W)
    return planes.lerp_(_column(MEAN, images.device), inside)


def colours(shape: tuple[int, int, int], generator: torch.Generator, settings: Augmentation) -> ColourDraws | None:
    """Random draws for the colours of a batch of `shape`, (B, H, W), visible images first; None if colours are not augmented."""
    if not (settings.channel or settings.pseudo_infrared or settings.jitter or settings.only_visible):
        return None  # and no random number is drawn
    return draw_colours(shape, generator, settings.channel, settings.pseudo_infrared, settings.jitter, settings.only_visible)


def augment(
    images: Tensor, generator: torch.Generator, settings: Augmentation, places: Tensor | None = None, batch: int = 0
) -> Tensor:
    """Augment a batch: uint8 (B, H, W, 3) on any device → normalised float32 (B, 3, H, W) on the same device.

    The generator is on the CPU and always advances by the same amount. If the images are part of a larger batch, `places`, (B,),
    are their positions in it and `batch` is its size; each image is augmented as it would be in the whole batch.
    """
    count, height, width, _ = images.shape
    shape = (batch or count, height, width)
    draws, coloured = draw(*shape, generator, settings), colours(shape, generator, settings)
    swapped = torch.rand(shape[0], generator=generator) < settings.amplitude_swap if settings.amplitude_swap else None
    if places is not None:
        draws, coloured = draws.of(places), coloured and coloured.of(places)
        swapped = None if swapped is None else swapped[places]
    device = images.device
    swapped = None if swapped is None else swapped.to(device, non_blocking=True)
    return apply(images, draws.to(device), settings.padding, coloured and coloured.to(device), swapped)


def normalise(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) → float32 (B, 3, H, W), (value / 255 − mean) / standard deviation of ImageNet."""
    _check(images)
    return _normalise(_planes(images))


def _check(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images are {images.dtype} {tuple(images.shape)}, expected torch.uint8 (B, H, W, 3)")


def _planes(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)


def _normalise(planes: Tensor) -> Tensor:
    return planes.div_(255).sub_(_column(MEAN, planes.device)).div_(_column(STD, planes.device))


def _luma(planes: Tensor) -> Tensor:
    """Gray values (B, 1, H, W) in 0 … 255, rounded as in Pillow; all intermediate values are exact in float32."""
    red, green, blue = planes.split(1, dim=1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).add_(0.5).floor_()


@functools.cache  # created once: a copy to the GPU in each step would block
def _column(values: tuple[float, ...], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)[:, None, None]  # (3, 1, 1)
