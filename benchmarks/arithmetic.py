"""Floating-point operations: how many a work takes, and how many a second the machine can do.

Counted are those of convolutions and matrix products, backward passes included, two a multiply-add, as torch.utils.flop_counter
counts them. The peak is the fastest product of two square matrices of the same precision, as a product or as a convolution with
kernels of 1×1: on a processor they come from different libraries.
"""

import time

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.case import Work
from benchmarks.timing import waiting

PRODUCTS = 12  # of which the fastest counts


def flops(work: Work) -> int:
    """Floating-point operations of a call of `work`, which is made."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def matrix_peak(device: str, precision: str, size: int) -> float:
    """FLOP/s of the fastest product of two size × size matrices in "float32" or "bfloat16"."""
    a, b = torch.randn(2, size, size, device=device).to(getattr(torch, precision)).unbind()
    image, kernels = a.view(1, 1, size, size).permute(0, 3, 1, 2), b[:, :, None, None]  # rows of a are positions, channels last
    wait, seconds, before = waiting(device), [], torch.get_float32_matmul_precision()
    if device == "cuda" and torch.backends.cudnn.allow_tf32:  # as convolutions, which are most of the work, are then multiplied
        torch.set_float32_matmul_precision("high")
    try:
        for product in (lambda: a @ b, lambda: F.conv2d(image, kernels)) * PRODUCTS:
            wait()
            start = time.perf_counter()
            product()
            wait()
            seconds.append(time.perf_counter() - start)
    finally:
        torch.set_float32_matmul_precision(before)
    return 2 * size**3 / min(seconds)
