"""The two-dimensional Fourier transform of real maps as two products of real matrices, for programs without rfft2.

X[u, v] = Σ_h Σ_w x[h, w] e^{−2πi(uh/H + vw/W)} / √(HW). With C and S, the cosines and sines of 2πuh/H and 2πvw/W,

    Re X = C_H x C_W − S_H x S_W        Im X = −(C_H x S_W + S_H x C_W)
"""

import functools
import math

import numpy as np
import torch
from torch import Tensor


def half_plane(maps: Tensor) -> Tensor:
    """torch.fft.rfft2 with norm="ortho": (B, c, H, W) → real and imaginary part, (B, c, H, W//2+1, 2)."""
    height, width = maps.shape[2:]
    half = width // 2 + 1
    rows, columns = (
        torch.tensor(waves(*sizes), dtype=maps.dtype, device=maps.device) for sizes in ((height, height), (half, width))
    )
    products = rows @ (maps @ columns.T)  # (B, c, 2H, 2·half)
    cosines, sines = products.split(height, 2)
    real = cosines[..., :half] - sines[..., half:]
    imaginary = cosines[..., half:] + sines[..., :half]
    return torch.stack([real, -imaginary], -1)


@functools.cache
def waves(frequencies: int, size: int) -> np.ndarray:
    """Cosines, then sines, of 2πun/size for all u < frequencies and n < size, over √size: (2·frequencies, size) float64."""
    turns = np.outer(np.arange(frequencies), np.arange(size)) % size / size  # whole turns removed while the numbers are exact
    return np.concatenate([np.cos(2 * math.pi * turns), np.sin(2 * math.pi * turns)]) / math.sqrt(size)
