"""Orthogonality of the generated views, which prevents them from becoming copies. Source: Zhang & Wang, CVPR 2023."""

from torch import Tensor

from fsclib.losses.pairwise import products_of


def orthogonality(features: Tensor) -> Tensor:
    """1/(V·2N) Σ over images of ⟨f₁, f₂⟩, where f₁ and f₂ are the generated views.

    features: (V, 2N, D), not normalised, view 0 is the original one. Any sign; 0 with fewer than two generated views.
    """
    return orthogonality_of(products_of(features.flatten(0, 1)), len(features))


def orthogonality_of(products: Tensor, views: int) -> Tensor:
    """Orthogonality from the products of all rows of all views, (V·2N, V·2N)."""
    rows = len(products) // views
    own = products.view(views, rows, views, rows).diagonal(0, 1, 3).sum(-1)  # (V, V)
    return own[1:, 1:].triu(1).sum() / len(products)
