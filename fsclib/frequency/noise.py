"""What noise in the input does to feature maps: the original's PSNR, and a ratio that no change of scale can move.

    PSNR = 10 log₁₀(1 / MSE) dB against the maps of the clean image, data range 1 (METHOD, section 3)
    SNR  = 10 log₁₀(mean of the squared clean map / MSE) dB

A module that halves its maps adds 6 dB to the first, whatever it does to noise, and nothing to the second. The original program
compared files with themselves; here noise of a stated level is added.
"""

import numpy as np
import torch
from torch import Tensor

from fsclib.data.augment import STD


def disturbed(images: Tensor, rows: np.ndarray, level: float, seed: int) -> Tensor:
    """Normalised images (B, 3, H, W) of records `rows` with white Gaussian noise added.

    level: its standard deviation, as a share of the range from black to white. It is the same in all three channels, so that an
    infrared image stays grey, and neither clipped nor rounded. Equal seeds give a record equal noise in any batch.
    """
    drawn = [np.random.default_rng([seed, row]).standard_normal(images.shape[2:], np.float32) for row in rows.tolist()]
    noise = level * torch.from_numpy(np.stack(drawn)).to(images.device)[:, None]
    return images + noise / torch.tensor(STD, device=images.device)[:, None, None]


def squared_error(maps: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """MSE of maps (N, C, H, W) against those of the clean images: (N,) float64."""
    return np.mean((maps.astype(np.float64) - clean) ** 2, axis=(1, 2, 3))


def psnr(error: np.ndarray) -> np.ndarray:
    """MSE (N,) → dB, data range 1; infinite where nothing has changed."""
    return decibel(1 / error)


def decibel(ratio: np.ndarray) -> np.ndarray:
    """10 log₁₀ of a ratio of powers."""
    return 10 * np.log10(ratio)
