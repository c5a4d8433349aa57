"""Training steps on random pixels, to measure their time and memory without a data set."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import torch

from fsclib import losses
from fsclib.data.records import INFRARED, VISIBLE
from fsclib.data.sampler import IdentitySampler
from fsclib.models.base import Network
from fsclib.training.settings import Settings
from fsclib.training.steps import training_steps

STEPS = 100  # per epoch, since nothing is prefetched at its start; LLCM has 707


def random_pixels(number: int, height: int, width: int) -> np.ndarray:
    """uint8 (number, height, width, 3)."""
    return np.random.default_rng(0).integers(0, 256, (number, height, width, 3), np.uint8)


def dry_steps(
    net: Network,
    settings: Settings,
    pixels: np.ndarray,
    identities: int,
    precision: torch.dtype,
    layout: torch.memory_format = torch.channels_last,
) -> Iterator[losses.Parts]:
    """Takes a training step at each `next`, endlessly, on the same images; converts the weights of `net` to the memory layout.

    pixels: uint8 (2N, H, W, 3), N visible images, then N infrared ones, both grouped by identity.
    """
    images = len(pixels) // 2 // identities
    labels = np.tile(np.repeat(np.arange(identities), images), 2 * STEPS)
    modalities = np.tile(np.repeat([VISIBLE, INFRARED], identities * images), STEPS)
    sampler = IdentitySampler(labels, modalities, identities, images, settings.seed)
    optimizer = settings.optimization.build(net.to(memory_format=layout))
    rows = np.tile(np.arange(len(pixels)), STEPS)
    for epoch in count():
        yield from training_steps(net, optimizer, settings, pixels, rows, sampler, epoch, precision)
