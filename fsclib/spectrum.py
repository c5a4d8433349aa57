"""Spectra of images and feature maps, in cycles per image.

METHOD, section 3: F = fftshift(fft2(map)) per channel and image.
"""

import numpy as np
import pandas as pd


def mean_amplitude(images: np.ndarray) -> np.ndarray:
    """Mean over images of |F|, centred: images (N, H, W, 3) or (N, H, W), any range → (H, W) float64.

    Colour images are averaged to grey first, so that modalities compare. Each image's mean is taken off, which empties the centre:
    brightness is no structure.
    """
    if images.ndim not in (3, 4) or not len(images):
        raise ValueError(f"found images of shape {images.shape}, expected (N, H, W) or (N, H, W, 3) with at least one image")
    total = np.zeros(images.shape[1:3])
    for image in images:  # one at a time: the spectra of a whole split would not fit
        grey = image.mean(-1, dtype=np.float64) if image.ndim == 3 else image.astype(np.float64)
        total += np.abs(np.fft.fft2(grey - grey.mean(), norm="ortho"))
    return np.fft.fftshift(total / len(images))


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
