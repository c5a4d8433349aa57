"""Floating-point operations of a benchmark, and the machine's peak per second.

Convolutions and matrix products are counted, including backward passes, two operations per multiply-add, as in
torch.utils.flop_counter. The peak is the fastest product of two square matrices in the same precision, as a matrix product or as a
1×1 convolution: on a CPU these come from different libraries.
"""

import time

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.case import Work
from benchmarks.timing import waiting

PRODUCTS = 12  # the fastest of these counts


def flops(work: Work) -> int:
    """Floating-point operations of one call of `work`, which is executed."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def matrix_peak(device: str, precision: str, size: int) -> float:
    """FLOP/s of the fastest product of two size × size matrices in "float32" or "bfloat16"."""
    a, b = torch.randn(2, size, size, device=device).to(getattr(torch, precision)).unbind()
    image, kernels = a.view(1, 1, size, size).permute(0, 3, 1, 2), b[:, :, None, None]  # rows of a are positions, channels last
    wait, seconds, before = waiting(device), [], torch.get_float32_matmul_precision()
    if device == "cuda" and torch.backends.cudnn.allow_tf32:  # the arithmetic of convolutions, which are most of the work
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
