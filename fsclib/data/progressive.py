"""Progressive resizing: the first epochs train on smaller images and learn as well, in less than half the time.

Source: Howard, DAWNBench 2018.
"""

from torch import Tensor
from torch.nn import functional as F

SMALLEST = 128  # rows: 2×1 maps of layer4 became nan in bfloat16 (torch 2.15, AMX)


def reduced_size(height: int, width: int) -> tuple[int, int]:
    """Two thirds of an image's height, to a multiple of 32, and of its width; unchanged below SMALLEST rows."""
    if height < SMALLEST:
        return height, width
    return 32 * round(2 * height / 3 / 32), round(2 * width / 3)


def reduced(images: Tensor) -> Tensor:
    """Shrinks images to their reduced size: (N, 3, H, W) → (N, 3, h, w)."""
    height, width = images.shape[2:]
    size = reduced_size(height, width)
    return images if size == (height, width) else F.interpolate(images, size, mode="bilinear", antialias=True)
