"""Spectra of images and feature maps, in cycles per image.

METHOD, section 3: F = fftshift(fft2(map)) per channel and image.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd


def mean_amplitude(images: np.ndarray) -> np.ndarray:
    """Mean over images of |F|, centred: images (N, H, W, 3) or (N, H, W), any range → (H, W) float64.

    Colour images are averaged to grey first, so that modalities compare. Each image's mean is taken off, which empties the centre:
    brightness is no structure.
    """
    return sum(_amplitudes(images)) / len(images)


def radial_profile(amplitude: np.ndarray) -> pd.DataFrame:
    """Mean amplitude by radius of a centred spectrum (H, W): columns `frequency` (cycles per image width) and `amplitude`.

    Frequencies are those of square pixels: a cycle along the height counts W/H of a cycle along the width. Up to W/2.
    """
    height, width = amplitude.shape
    vertical = (np.arange(height) - height // 2) * width / height
    horizontal = np.arange(width) - width // 2
    radius = np.rint(np.hypot(vertical[:, None], horizontal)).astype(int).ravel()
    mean = np.bincount(radius, amplitude.ravel()) / np.maximum(np.bincount(radius), 1)
    frequency = np.arange(1, width // 2 + 1)
    return pd.DataFrame({"frequency": frequency, "amplitude": mean[frequency]})


def difference(images: np.ndarray, others: np.ndarray, seed: int, level: float = 0.95, resamples: int = 1000) -> pd.DataFrame:
    """How far the radial profile of `images` lies above that of `others`, both as for mean_amplitude and of one size, in decibels.

    Columns: `frequency`, `decibel` = 20 log₁₀ of the ratio of mean amplitudes, and `low`, `high`, the interval of that level,
    frequency by frequency, when the images of both are drawn anew with replacement. Equal seeds give equal intervals.
    """
    if images.shape[1:3] != others.shape[1:3]:
        raise ValueError(f"found images of {images.shape[1:3]} and {others.shape[1:3]} pixels, expected one size")
    rng = np.random.default_rng(seed)
    mean, drawn = [], []
    for side in (images, others):
        profiles = np.stack([radial_profile(amplitude)["amplitude"] for amplitude in _amplitudes(side)])
        times = rng.multinomial(len(side), np.full(len(side), 1 / len(side)), resamples)  # how often each image was drawn
        mean.append(_decibel(profiles.mean(0)))
        drawn.append(_decibel(times @ profiles / len(side)))
    low, high = np.quantile(drawn[0] - drawn[1], ((1 - level) / 2, (1 + level) / 2), axis=0)
    frequency = np.arange(1, len(low) + 1)
    return pd.DataFrame({"frequency": frequency, "decibel": mean[0] - mean[1], "low": low, "high": high})


def _amplitudes(images: np.ndarray) -> Iterator[np.ndarray]:
    """|F| of one image after the other, centred: the spectra of a whole split at once would not fit."""
    if images.ndim not in (3, 4) or not len(images):
        raise ValueError(f"found images of shape {images.shape}, expected (N, H, W) or (N, H, W, 3) with at least one image")
    for image in images:
        grey = image.mean(-1, dtype=np.float64) if image.ndim == 3 else image.astype(np.float64)
        yield np.fft.fftshift(np.abs(np.fft.fft2(grey - grey.mean(), norm="ortho")))


def _decibel(amplitude: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(amplitude, 1e-6))  # a flat image has no amplitude at all
