"""Spectra of images and feature maps, in cycles per image, and the share of energy at high frequencies.

As in FSC-Net's program, F = fftshift(fft2(map)) per channel and image, here divided by √(H·W), so that Σ|F|² is the energy of the
map. Frequencies of images are counted along their width; those of maps along their height, which is a multiple of 32 pixels at the
network's input, so that a map covers it exactly and its rings are as fine as possible.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsclib.metrics.bootstrap import image_multiplicities, interval

CUTOFF = 0.5  # of the original program: the low-frequency box extends half way to the highest frequency in either direction


def mean_amplitude(images: np.ndarray) -> np.ndarray:
    """Mean over images of |F|, centred: images (N, H, W, 3) or (N, H, W), any range → (H, W) float64.

    Colour images are averaged to grey first, so that modalities are comparable. Each image's mean is subtracted, which empties the
    centre: brightness is not structure.
    """
    return sum(_amplitudes(images), np.zeros(())) / len(images)


def radial_profile(amplitude: np.ndarray) -> pd.DataFrame:
    """Mean amplitude by radius of a centred spectrum (H, W): columns `frequency` (cycles per image width) and `amplitude`.

    Frequencies assume square pixels: a cycle along the height counts as W/H of a cycle along the width. Up to W/2.
    """
    height, width = amplitude.shape
    vertical = (np.arange(height) - height // 2) * width / height
    horizontal = np.arange(width) - width // 2
    radius = np.rint(np.hypot(vertical[:, None], horizontal)).astype(int).ravel()
    mean = np.bincount(radius, amplitude.ravel()) / np.maximum(np.bincount(radius), 1)
    frequency = np.arange(1, width // 2 + 1)
    return pd.DataFrame({"frequency": frequency, "amplitude": mean[frequency]})


def difference(
    images: np.ndarray, others: np.ndarray, origins: tuple[pd.DataFrame, pd.DataFrame], seed: int, resamples: int = 1000
) -> pd.DataFrame:
    """Difference of the radial profiles of `images` and `others`, both as for mean_amplitude and of one size, in decibels.

    origins: for either side, the columns identity and camera of its images. Columns: `frequency`, `decibel` = 20 log₁₀ of the ratio
    of mean amplitudes, and `low`, `high`, the 95 % interval over people and cameras, frequency by frequency.
    Errors: ValueError for images of different sizes, or a side without images.
    """
    if images.shape[1:3] != others.shape[1:3]:
        raise ValueError(f"found images of {images.shape[1:3]} and {others.shape[1:3]} pixels, expected the same size")
    profiles = [np.stack([radial_profile(one)["amplitude"] for one in _amplitudes(side)]) for side in (images, others)]
    side = np.repeat([0, 1], [len(part) for part in profiles])
    both = pd.concat(origins)
    times = image_multiplicities(both["identity"], both["camera"], side, resamples, seed)
    mean = [_decibel(part.mean(0)) for part in profiles]
    weights = [times[:, side == number] for number in (0, 1)]
    drawn = [_decibel(w @ part / w.sum(1, keepdims=True)) for w, part in zip(weights, profiles, strict=True)]
    low, high = interval(drawn[0] - drawn[1])
    frequency = np.arange(1, len(low) + 1)
    return pd.DataFrame({"frequency": frequency, "decibel": mean[0] - mean[1], "low": low, "high": high})


def _amplitudes(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields |F| of each image, centred; the spectra of a whole split would not fit into memory at once."""
    if images.ndim not in (3, 4) or not len(images):
        raise ValueError(f"found images of shape {images.shape}, expected (N, H, W) or (N, H, W, 3) with at least one image")
    for image in images:
        grey = image.mean(-1, dtype=np.float64) if image.ndim == 3 else image.astype(np.float64)
        yield np.fft.fftshift(np.abs(np.fft.fft2(grey - grey.mean(), norm="ortho")))


def _decibel(amplitude: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(amplitude, 1e-6))  # avoids log of 0 for a flat image


def energy(maps: np.ndarray) -> NDArray[np.float64]:
    """|F|² of feature maps (…, H, W), centred, with their means: the same shape, float64."""
    return np.fft.fftshift(np.abs(np.fft.fft2(maps.astype(np.float64), norm="ortho")) ** 2, axes=(-2, -1))


def radii(height: int, width: int) -> NDArray[np.float64]:
    """Radius of each frequency of a centred spectrum (H, W), in cycles per image height.

    Assumes square pixels: a cycle along the width counts as H/W of one along the height.
    """
    vertical = np.arange(height) - height // 2
    horizontal = (np.arange(width) - width // 2) * height / width
    return np.hypot(vertical[:, None], horizontal)


def rings(height: int, width: int) -> NDArray[np.int64]:
    """The radii rounded to whole cycles. Only the zero frequency has radius 0."""
    radius = radii(height, width)
    return np.where(radius > 0, np.maximum(np.rint(radius), 1), 0).astype(np.int64)


def by_ring(spectra: np.ndarray) -> NDArray[np.float64]:
    """Mean over each ring of centred spectra (…, H, W): (…, H // 2 + 1), radii 0, 1, … cycles per image height.

    Higher frequencies, in the corners, are left out.
    """
    height, width = spectra.shape[-2:]
    member = rings(height, width).reshape(-1, 1) == np.arange(height // 2 + 1)
    return spectra.reshape(*spectra.shape[:-2], -1) @ (member / member.sum(0))


def low_box(height: int, width: int, cutoff: float = CUTOFF) -> tuple[slice, slice]:
    """Rows and columns of the original program's low-frequency box: H//2 ± int(r·(H//2)) and W//2 ± int(r·(W//2)), end exclusive.

    For maps narrower than 2/r pixels the box is empty, and all their energy counts as high.
    """
    sides = ((size // 2, int(cutoff * (size // 2))) for size in (height, width))
    rows, columns = (slice(middle - reach, middle + reach) for middle, reach in sides)
    return rows, columns


def high_share(spectra: np.ndarray, cutoff: float = CUTOFF) -> NDArray[np.float64]:
    """Share of energy (…, H, W) outside the low-frequency box, from 0 to 1: (…), nan for a zero map."""
    total = spectra.sum((-2, -1))
    height, width = spectra.shape[-2:]
    rows, columns = low_box(height, width, cutoff)
    outside = total - spectra[..., rows, columns].sum((-2, -1))
    return np.divide(outside, total, out=np.full_like(total, np.nan), where=total > 0)


def suppression(before: np.ndarray | float, after: np.ndarray | float) -> np.ndarray | float:
    """The original program's high-frequency suppression, in per cent of the share before; negative if the share has grown."""
    return 100 * (before - after) / before
