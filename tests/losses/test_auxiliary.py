"""The auxiliary losses (InfoNCE, attributes) and the mean cosine against plain loops and known values."""

import math

import pytest
import torch

from fsclib.losses import attribute_loss, info_nce
from fsclib.losses.pairwise import mean_cosine


def plain_info_nce(neck, labels, temperature):
    """InfoNCE by its formula, image by image."""
    half = len(labels) // 2
    values = []
    for view in neck:
        unit = [row / row.norm() for row in view]
        for anchors, others in ((range(half), range(half, 2 * half)), (range(half, 2 * half), range(half))):
            for a in anchors:
                scores = {b: math.exp(float(unit[a] @ unit[b]) / temperature) for b in others}
                positive = sum(score for b, score in scores.items() if labels[b] == labels[a])
                values.append(-math.log(positive / sum(scores.values())))
    return sum(values) / len(values)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("views", [1, 3])
def test_info_nce_follows_its_formula(views, temperature):
    generator = torch.Generator().manual_seed(views)
    neck = torch.randn(views, 12, 5, generator=generator, dtype=torch.float64)
    labels = torch.tensor([3, 3, 7, 7, 1, 1]).repeat(2)
    assert float(info_nce(neck, labels, temperature)) == pytest.approx(plain_info_nce(neck, labels, temperature), rel=1e-9)


def test_info_nce_leaves_out_people_seen_in_one_modality_only():
    neck = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 0, 2, 2])  # 1 has no infrared image, 2 no visible one
    unit = torch.nn.functional.normalize(neck[0], dim=1)
    across = unit[:3] @ unit[3:].T / 0.1
    to_infrared = [across[a].logsumexp(0) - across[a, 0] for a in (0, 1)]
    to_visible = across[:, 0].logsumexp(0) - across[:2, 0].logsumexp(0)
    expected = (sum(to_infrared) / 2 + to_visible) / 2
    assert float(info_nce(neck, labels, 0.1)) == pytest.approx(float(expected))


def test_info_nce_without_matches_is_zero_with_finite_gradients():
    neck = torch.randn(1, 4, 3, requires_grad=True)
    loss = info_nce(neck, torch.tensor([0, 1, 2, 3]), 0.1)
    loss.backward()
    assert loss.item() == 0
    assert neck.grad.isfinite().all()


def test_info_nce_falls_when_matches_come_closer():
    labels = torch.arange(4).repeat(2)
    rows = torch.eye(4)
    apart = info_nce(torch.cat([rows, rows.roll(1, 0)])[None], labels, 0.1)
    close = info_nce(torch.cat([rows, rows])[None], labels, 0.1)
    assert float(close) < 1e-3 < 5 < float(apart)


def test_attribute_loss_is_the_mean_over_attributes():
    generator = torch.Generator().manual_seed(1)
    sizes, logits = (2, 3), torch.randn(2, 4, 5, generator=generator, dtype=torch.float64)
    targets = torch.tensor([[0, 2], [1, 1], [1, 0], [0, 0]])
    values = [
        -logits[v, b, start : start + size].log_softmax(0)[targets[b, a]]
        for a, (start, size) in enumerate(((0, 2), (2, 3)))
        for v in range(2)
        for b in range(4)
    ]
    assert float(attribute_loss(logits, targets, sizes)) == pytest.approx(float(sum(values)) / len(values))


def test_mean_cosine_of_equal_rows_is_one_and_skips_pairs_of_one_person():
    labels = torch.tensor([0, 0, 1, 1])
    assert float(mean_cosine(torch.ones(4, 3), labels)) == pytest.approx(1)
    rows = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, 1]])
    assert float(mean_cosine(rows, labels)) == pytest.approx(0, abs=1e-7)
    rows = torch.tensor([[1.0, 0], [1, 0], [1, 0], [-1, 0]])
    assert float(mean_cosine(rows, labels)) == pytest.approx(0, abs=1e-7)
    assert float(mean_cosine(rows, torch.zeros(4))) == 0
