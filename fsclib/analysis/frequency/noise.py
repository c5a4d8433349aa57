"""The effect of input noise on feature maps: the PSNR of the original program, and a scale-invariant ratio.

    PSNR = 10 log₁₀(1 / MSE) dB against the maps of the clean image, data range 1 (FSC-Net's program)
    SNR  = 10 log₁₀(mean of the squared clean map / MSE) dB

A module that halves its maps adds 6 dB to the PSNR, whatever it does to noise, and nothing to the SNR. The original program
compared files with themselves; here noise of a given level is added.
"""

import numpy as np
import torch
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


def squared_error(maps: np.ndarray, clean: np.ndarray | float) -> np.ndarray:
    """MSE of maps (N, C, H, W) against those of the clean images: (N,) float64."""
    return np.mean((maps.astype(np.float64) - clean) ** 2, axis=(1, 2, 3))


def psnr(error: np.ndarray) -> np.ndarray:
    """PSNR in dB from the MSE (N,), data range 1; infinite for unchanged maps."""
    return decibel(1 / error)


def decibel(ratio: np.ndarray) -> np.ndarray:
    """10 log₁₀ of a ratio of powers."""
    return 10 * np.log10(ratio)
