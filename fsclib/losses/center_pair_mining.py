"""Centre-guided pair mining (CPM) between the original view and each generated view. Source: Zhang & Wang, CVPR 2023."""

import torch
from torch import Tensor

from fsclib.losses.pairwise import check_modalities, check_rows, distances_of, product, products_of

CPM_MARGIN = 0.2


def center_pair_mining(view_a: Tensor, view_b: Tensor, labels: Tensor, margin: float = CPM_MARGIN) -> Tensor:
    """(L_v + L_i) / 2 on the centres v, i of each identity's visible and infrared features; ⟨·⟩ is a mean over identities p, and

        L_v = ⟨[m + d(i_a, v_b) − sg d(v_a, v_b)]₊⟩ + ½ Σ over both views w of ⟨[m + d(i_a, v_b) − min_{q≠p} d(v_w(p), v_w(q))]₊⟩;

    L_i is the same with visible and infrared exchanged, sg stops the gradient.
    view_a, view_b: (2N, D), not normalised, visible rows then infrared; labels: (2N,). An identity with one modality only lacks a
    centre: its rows are ignored, as if they were not in the batch; if no row remains, the loss is 0. With a single identity
    there is no q ≠ p: the terms with a minimum are 0. At least 0.
    """
    check_rows(view_a, labels)
    check_modalities(labels)
    return mined_pairs(products_of(torch.cat((view_a, view_b))), labels, margin)[0][0]


def mined_pairs(products: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """CPM of view 0 with each other view, (V − 1,), and the share of its hinges above 0, from the products of all rows of all
    views, (V·2N, V·2N)."""
    visible, infrared = labels.chunk(2)
    # One row per visible image represents its identity: identities repeat, but shapes do not depend on the labels.
    same = visible[:, None] == torch.stack((visible, infrared))[:, None]  # (2, N, N)
    count = same.sum(-1)  # (2, N)
    average = same.to(products.dtype) / count.clamp_min(1)[..., None]
    shape = (len(products) // len(labels), 2, len(visible))  # V, 2, N
    # the centre of each row's identity; centres are linear in the rows, and so are products with them
    half = product(average, products.view(*shape, -1))  # (V, 2, N, V·2N)
    centers = product(average, half.view(-1, *shape).permute(1, 2, 3, 0))
    distances = distances_of(centers.reshape(products.shape)).view(*shape, *shape)

    paired = count[1] > 0  # (N,)
    others = ~same[0] & paired
    among = distances.diagonal(0, 0, 3).diagonal(0, 0, 2)  # (N, N, V, 2)
    nearest = among.masked_fill(~others[..., None, None], torch.inf).amin(1).transpose(0, 1)  # (V, N, 2)
    to_first = distances[0].diagonal(0, 1, 4)  # (2, V, 2, N)
    within = to_first.diagonal(0, 0, 2)[1:].detach()  # (V − 1, N, 2)
    across = to_first.flip(0).diagonal(0, 0, 2)[1:]

    def hinge(bound: Tensor) -> Tensor:
        return (margin + across - bound).relu()

    hinges = torch.stack([hinge(within), hinge(nearest[1:]), hinge(nearest[0])])  # (3, V − 1, N, 2)
    terms = hinges[0] + (hinges[1] + hinges[2]) / 2
    weight = paired.to(products.dtype) / count[0]  # each identity counts once, however many rows represent it
    whole = weight.sum().clamp_min(1)
    above = ((hinges.detach() > 0).to(weight.dtype).mean(-1) * weight).sum(-1) / whole  # (3, V − 1)
    return (terms.mean(-1) * weight).sum(-1) / whole, above.sum() / max(1, above.numel())
