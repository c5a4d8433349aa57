"""Amplitude swap: an image takes the amplitude spectrum of an image of the other modality and keeps its own phase.

x ← F⁻¹(|F(x')| · F(x)/|F(x)|), per channel, where x' shows the same person in the other modality: the look of a modality is in the
amplitudes, the shape of a person in the phases. Source: Xu et al., CVPR 2021 (arXiv 2105.11120), who swap between domains.
"""

import torch
from torch import Tensor

SMALLEST = 1e-6  # amplitude whose phase is used, on a scale of 0 to 255: an amplitude of 0 has none


def swap_amplitudes(planes: Tensor, chosen: Tensor) -> Tensor:
    """Swaps amplitudes: float32 (2N, C, H, W) in 0 … 255, visible images first → the same shape and range.

    chosen: (2N,) bool, the images that change; the partner of image i is image i + N or i − N.
    """
    spectrum = torch.fft.rfft2(planes)
    amplitude = spectrum.abs()
    partner = amplitude.roll(len(planes) // 2, 0)
    swapped = torch.fft.irfft2(spectrum * (partner / amplitude.clamp_min(SMALLEST)), planes.shape[2:])
    return torch.where(chosen[:, None, None, None], swapped.clamp(0, 255), planes)
