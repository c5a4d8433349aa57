"""The effect of input noise on feature maps: the PSNR of the original program, and the ratio of signal to noise.

    PSNR = 10 log₁₀(1 / MSE) dB against the maps of the clean image, data range 1 (FSC-Net's program)
    SNR  = 10 log₁₀(mean over channels of V / MSE) dB, V the variance between people of their mean map

A module that halves its maps adds 6 dB to the PSNR, whatever it does to noise, and nothing to the SNR. Neither does one that adds a
constant to every feature, which raises the mean square of the maps, or multiplies each channel by a constant, which the next
normalisation undoes: only what tells people apart is signal. The original program compared files with themselves; here noise of a
given level is added.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsclib.models.imagenet import STD


def disturbed(images: Tensor, rows: np.ndarray, level: float, seed: int) -> Tensor:
    """Normalised images (B, 3, H, W) of records `rows` with white Gaussian noise added.

    level: its standard deviation, as a share of the range from black to white. The noise is equal in all three channels, so that an
    infrared image stays grey, and is neither clipped nor rounded. Equal seeds give a record the same noise in any batch.
    """
    drawn = [np.random.default_rng([seed, row]).standard_normal(images.shape[2:], np.float32) for row in rows.tolist()]
    noise = level * torch.from_numpy(np.stack(drawn)).to(images.device)[:, None]
    return images + noise / torch.tensor(STD, device=images.device)[:, None, None]


def squared_error(maps: np.ndarray, clean: np.ndarray | float) -> NDArray[np.float64]:
    """MSE of each channel of maps (N, C, H, W) against those of the clean images: (N, C)."""
    return np.mean((maps.astype(np.float64) - clean) ** 2, axis=(2, 3))


def products(maps: np.ndarray) -> NDArray[np.float64]:
    """Inner products of the maps (N, C, H, W) of any two images, less their mean over images, per position: (C, N, N)."""
    channels = np.moveaxis(maps.reshape(*maps.shape[:2], -1), 1, 0)  # (C, N, H·W)
    centred = (one - one.mean(0) for one in (part.astype(np.float64) for part in channels))
    return np.stack([part @ part.T / part.shape[1] for part in centred])


def between_people(products: np.ndarray, identity: np.ndarray) -> NDArray[np.float64]:
    """The part of each image in the variance between people of their mean maps, which is the mean of these parts: (N, C).

    products: (C, N, N), from `products`; identity: (N,). How much more alike the image is to others of its person than to those of
    other people. Pairs of an image with itself are left out, and with them what differs between images of one person (analysis of
    variance); the variance may be negative by chance. nan for the only image of a person, and with one person.
    """
    same = identity[:, None] == identity
    pairs = same & ~np.eye(len(same), dtype=bool), ~same
    with np.errstate(invalid="ignore"):
        alike, other = ((products * kept).sum(2) / kept.sum(1) for kept in pairs)
    return (alike - other).T


def psnr(error: np.ndarray) -> np.ndarray:
    """PSNR in dB from the MSE of whole maps, data range 1; infinite for unchanged maps."""
    return decibel(1 / error)


def decibel(ratio: np.ndarray) -> np.ndarray:
    """10 log₁₀ of a ratio of powers."""
    return 10 * np.log10(ratio)
