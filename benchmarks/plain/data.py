"""Image handling as in the published programs: all images are decoded at each start and augmented one by one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def open_all(files: Sequence[Path], height: int, width: int) -> np.ndarray:
    """Decodes all files, uint8 (N, height, width, 3)."""
    pixels = []
    for file in files:
        image = Image.open(file).convert("RGB")
        pixels.append(np.array(image.resize((width, height), Image.Resampling.LANCZOS)))
    return np.array(pixels)


def augmentation(height: int, width: int, padding: int = 10, gray: float = 0.5, flip: float = 0.5, erase: float = 0.5):
    """PIL image → normalised float32 (3, height, width)."""
    return transforms.Compose(
        [
            transforms.Pad(padding),
            transforms.RandomGrayscale(gray),
            transforms.RandomCrop((height, width)),
            transforms.RandomHorizontalFlip(flip),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
            transforms.RandomErasing(erase, (0.02, 0.4), (0.3, 1 / 0.3), value=MEAN),
        ]
    )


def batch(pixels: np.ndarray, rows: np.ndarray, augment) -> Tensor:
    """Augmented images of some rows of pixels, float32 (B, 3, H, W)."""
    return torch.stack([augment(Image.fromarray(pixels[row])) for row in rows])
