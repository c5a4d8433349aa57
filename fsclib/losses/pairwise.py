"""Products, distances and cosines of all pairs of rows, the basis of the losses between images.

All quantities that these losses need, including distances and centres, follow from the products ⟨x, y⟩ of rows, which are computed
once per step: two matrix products, one forward and one backward. They are computed in float32 even under autocast (float64 is
kept), because the difference of close distances has no significant digits in half precision. Identities are distinguished by
comparing labels, never by selecting rows, so there are no loops over samples and no synchronisation with the device.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class _Products(torch.autograd.Function):
    """⟨x, y⟩ of all rows. The backward pass of a gradient G is (G + Gᵀ)x: one matrix product, where autograd needs two."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor) -> Tensor:
        return product(rows, rows.mT)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (rows,) = ctx.saved_tensors
        return (gradient + gradient.mT) @ rows


def products_of(features: Tensor) -> Tensor:
    """⟨x, y⟩ of all rows, (M, D) → (M, M), at least float32."""
    return _Products.apply(at_least_float32(features))


def product(a: Tensor, b: Tensor) -> Tensor:
    with torch.autocast(a.device.type, enabled=False):  # autocast would compute matrix products in half precision
        return a @ b


def normalised(products: Tensor) -> Tensor:
    """Products of all rows → products of the rows scaled to unit length, (M, M) → (M, M)."""
    lengths = products.diagonal().clamp_min(1e-24).sqrt()
    return products / (lengths[:, None] * lengths)


def distances_of(products: Tensor, squares: Tensor | None = None) -> Tensor:
    """Euclidean distances from products, (M, M) → (M, M), as √max(|x|² + |y|² − 2⟨x, y⟩, 1e-12).

    `squares` is |x|², (M,), by default the diagonal of the products.
    Differences of close rows need float32: do not allow TF32 for matrix products (torch.set_float32_matmul_precision).
    """
    squares = products.diagonal() if squares is None else squares
    return _root(squares[:, None] + squares - 2 * products)


def _root(squared: Tensor) -> Tensor:
    """Square root; below the bound its gradient is 0 instead of infinite."""
    return squared.clamp_min(1e-12).sqrt()


def at_least_float32(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def share_above_zero(values: Tensor) -> Tensor:
    """Share of values above 0."""
    return (values.detach() > 0).to(values.dtype).mean()


def mean_cosine(rows: Tensor, labels: Tensor) -> Tensor:
    """Mean cosine between rows of different people. rows: (B, D); labels: (B,). In [−1, 1]; 1 if all rows have one direction."""
    unit = F.normalize(rows.float())
    same = (labels[:, None] == labels).float()
    return ((unit @ unit.T) * (1 - same)).sum() / (1 - same).sum().clamp_min(1)


def check_rows(rows: Tensor, labels: Tensor) -> None:
    if labels.shape != rows.shape[-2:-1]:
        raise ValueError(
            f"Found labels of shape {tuple(labels.shape)} for rows of shape {tuple(rows.shape)}, expected "
            f"{tuple(rows.shape[-2:-1])}: pass one label per row, for visible and infrared images, once and not per view."
        )


def check_modalities(labels: Tensor) -> None:
    if len(labels) % 2:
        raise ValueError(f"Found {len(labels)} rows, expected an even number: pass N visible rows, then N infrared rows.")
