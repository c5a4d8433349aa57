"""The losses against the published programs' numbers and plain loops, on unusual batches too."""

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import plain
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from fsclib import losses

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE, BDTR = (np.load(FOLDER / name, allow_pickle=False) for name in ("losses.npz", "bdtr.npz"))


def normalised_triplet(features, labels):
    return losses.weighted_regularised_triplet(F.normalize(features), labels)


def plain_normalised_triplet(features, labels):
    return plain.weighted_regularised_triplet(plain.normalised(features), labels)


ON_ROWS = {
    "batch_hard": (losses.batch_hard_triplet, plain.batch_hard_triplet),
    "top_ranking": (losses.top_ranking, plain.top_ranking),
    "weighted": (losses.weighted_regularised_triplet, plain.weighted_regularised_triplet),
    "weighted_normalised": (normalised_triplet, plain_normalised_triplet),
}
ON_VIEWS = {
    "cpm": (
        lambda views, labels: losses.center_pair_mining(views[0], views[1], labels),
        lambda views, labels: plain.center_pair_mining(views[0], views[1], labels),
    ),
    "orthogonality": (
        lambda views, labels: losses.orthogonality(views),
        lambda views, labels: plain.orthogonality(views),
    ),
    "identity": (losses.identity, plain.identity),
}


def random_views(seed, labels, scale=1.0, views=3, dim=5):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(views, len(labels), dim, generator=generator, dtype=torch.float64)


def value_and_gradient(loss, features, *args):
    features = features.detach().clone().requires_grad_()
    value = loss(features, *args)
    (gradient,) = torch.autograd.grad(value, features)
    return value.detach(), gradient


@st.composite
def batches(draw):
    """(views, labels): N visible then N infrared rows, any labels below 5 in any number, features of several sizes."""
    half = draw(st.integers(1, 6))
    labels = draw(st.lists(st.integers(0, 4), min_size=2 * half, max_size=2 * half))
    return random_views(draw(st.integers(0, 2**31)), labels, draw(st.sampled_from([0.1, 1.0, 6.0]))), torch.tensor(labels)


@pytest.mark.parametrize("case", ["P6K4", "P4K3", "P2K4"])
@pytest.mark.parametrize(
    ("name", "loss", "gradient_error"),
    [
        ("tri", losses.batch_hard_triplet, 1e-5),
        ("wrt", losses.weighted_regularised_triplet, 1e-5),
        # An anchor's distance to itself is the root of a rounding error and has a weight: float64 differs by as much.
        ("wrt_norm", normalised_triplet, 5e-5),
        ("cpm_12", lambda rows, labels: losses.center_pair_mining(*rows.chunk(3)[:2], labels[: len(rows) // 3]), 1e-5),
        ("cpm_13", lambda rows, labels: losses.center_pair_mining(*rows.chunk(3)[::2], labels[: len(rows) // 3]), 1e-5),
    ],
)
def test_published_values_and_gradients(case, name, loss, gradient_error):
    features, labels = torch.tensor(REFERENCE[f"{case}_feat"]), torch.tensor(REFERENCE[f"{case}_label"])
    value, gradient = value_and_gradient(loss, features, labels.repeat(6))
    expected = torch.tensor(REFERENCE[f"{case}_{name}_grad"])
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(float(REFERENCE[f"{case}_{name}"]), rel=1e-5)
    assert (gradient - expected).abs().max() <= gradient_error * expected.abs().max()


@pytest.mark.parametrize("case", ["P8K1", "P4K3", "P5K2"])
def test_the_ranking_loss_of_bdtr_has_the_published_values_and_gradients(case):
    """The reference was computed before its features were rounded to float32."""
    features, labels = torch.tensor(BDTR[f"{case}_feat"]).double(), torch.tensor(BDTR[f"{case}_label"])
    value, gradient = value_and_gradient(losses.top_ranking, features, labels.repeat(2))
    assert value.item() == pytest.approx(float(BDTR[f"{case}_bdtr"]), rel=1e-7)
    np.testing.assert_allclose(gradient, BDTR[f"{case}_bdtr_grad"], atol=1e-6)
    within = value - losses.top_ranking(features, labels.repeat(2), intra_weight=0)
    assert within > 0  # the reference tests the second term too


@pytest.mark.parametrize("name", [*ON_ROWS, *ON_VIEWS])
@settings(max_examples=25, deadline=None)
@given(batch=batches())
def test_agrees_with_plain_loops(name, batch):
    views, labels = batch
    if name in ON_ROWS:
        views, (fast, slow) = views[0], ON_ROWS[name]
    else:
        fast, slow = ON_VIEWS[name]
    value, gradient = value_and_gradient(fast, views, labels)
    expected, expected_gradient = value_and_gradient(slow, views, labels)
    torch.testing.assert_close(value, expected, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("weights", [losses.LossWeights(), losses.LossWeights(cpm=0.3, orthogonality=0.2)])
def test_total_of_fsc(weights):
    labels = torch.tensor([2, 2, 0, 0, 1, 1] * 2)
    views, logits = random_views(1, labels), random_views(2, labels)
    parts = losses.fsc_loss(SimpleNamespace(features=views, logits=logits), labels, weights)
    assert parts.identity.item() == pytest.approx(plain.identity(logits, labels).item())
    assert parts.triplet.item() == pytest.approx(plain.batch_hard_triplet(views.flatten(0, 1), labels.repeat(3)).item())
    pairs = [plain.center_pair_mining(views[0], views[k], labels).item() for k in (1, 2)]
    assert parts.cpm.item() == pytest.approx(sum(pairs))
    assert parts.orthogonality.item() == pytest.approx(plain.orthogonality(views).item())
    summed = parts.identity + parts.triplet + weights.cpm * parts.cpm + weights.orthogonality * parts.orthogonality
    assert parts.total.item() == pytest.approx(summed.item())


def test_total_of_a_network_with_one_view():
    labels = torch.tensor([2, 2, 0, 0] * 2)
    output = SimpleNamespace(features=random_views(1, labels, views=1), logits=random_views(2, labels, views=1))
    parts = losses.fsc_loss(output, labels)
    assert parts.cpm == 0
    assert parts.orthogonality == 0
    assert parts.total.item() == pytest.approx((parts.identity + parts.triplet).item())
    parts = losses.agw_loss(output, labels)
    expected = plain.weighted_regularised_triplet(output.features[0], labels) + plain.identity(output.logits, labels)
    assert parts.total.item() == pytest.approx(expected.item())


def test_total_of_bdtr():
    labels = torch.tensor([2, 2, 0, 0, 1, 1] * 2)
    views, logits = random_views(1, labels), random_views(2, labels)
    parts = losses.bdtr_loss(SimpleNamespace(features=views, logits=logits), labels)
    ranking = plain.mean([plain.top_ranking(view, labels) for view in views]).item()
    assert parts.triplet.item() == pytest.approx(ranking)
    assert parts.total.item() == pytest.approx(plain.identity(logits, labels).item() + ranking)
    assert 0 < parts.triplet_active <= 1


def test_total_of_the_identity_loss():
    labels = torch.tensor([2, 2, 0, 0, 1, 1] * 2)
    views, logits = random_views(1, labels), random_views(2, labels)
    parts = losses.identity_loss(SimpleNamespace(features=views, logits=logits), labels)
    assert parts.total.item() == parts.identity.item() == pytest.approx(plain.identity(logits, labels).item())
    assert parts.triplet == 0


@pytest.mark.parametrize("loss", [losses.fsc_loss, losses.agw_loss, losses.bdtr_loss])
def test_triplets_on_the_neck_use_neck_features_only(loss):
    labels = torch.tensor([2, 2, 0, 0, 1, 1] * 2)
    views, logits, neck = (random_views(seed, labels) for seed in (1, 2, 3))
    parts = loss(SimpleNamespace(features=views, logits=logits, neck=neck), labels, losses.LossWeights(metric_on="neck"))
    if loss is losses.bdtr_loss:
        expected = plain.mean([plain.top_ranking(view, labels) for view in neck])
    else:
        slow = plain.batch_hard_triplet if loss is losses.fsc_loss else plain.weighted_regularised_triplet
        expected = slow(neck.flatten(0, 1), labels.repeat(3))
    assert parts.triplet.item() == pytest.approx(expected.item())


def test_label_smoothing_spreads_a_share_of_the_target_over_all_classes():
    labels = torch.tensor([2, 2, 0, 0, 1, 1] * 2)
    logits = random_views(2, labels)
    log = logits.log_softmax(2)
    expected = -(0.9 * log.gather(2, labels[None, :, None].expand(3, -1, 1))[..., 0] + 0.1 * log.mean(2)).mean()
    assert losses.identity(logits, labels, 0.1).item() == pytest.approx(expected.item())


def test_shares_of_active_hinges_are_counted():
    labels = torch.tensor([2, 2, 0, 0, 1, 1] * 2)
    views, logits = random_views(1, labels), random_views(2, labels)
    parts = losses.fsc_loss(SimpleNamespace(features=views, logits=logits), labels)
    rows, people = plain.normalised(views.flatten(0, 1)), labels.repeat(3)
    distances = torch.cdist(rows, rows)
    same = people[:, None] == people
    active = 0.3 + distances.masked_fill(~same, 0).amax(1) > distances.masked_fill(same, 9).amin(1)
    assert parts.triplet_active.item() == pytest.approx(active.double().mean().item())
    hinges = []
    center = lambda view, modality, i: views[view].view(2, 6, -1)[modality, labels[:6] == i].mean(0)  # noqa: E731
    for k, own, i in product((1, 2), (0, 1), (0, 1, 2)):
        across = plain.distance(center(0, 1 - own, i), center(k, own, i))
        others = [j for j in (0, 1, 2) if j != i]
        bounds = [min(plain.distance(center(view, own, i), center(view, own, j)) for j in others) for view in (0, k)]
        bounds.append(plain.distance(center(0, own, i), center(k, own, i)))
        hinges += [0.2 + across > bound for bound in bounds]
    assert 0 < sum(hinges) < len(hinges) == 36
    assert parts.cpm_active.item() == pytest.approx(sum(hinges) / 36)


def test_cpm_leaves_out_identities_seen_in_one_modality_only():
    labels = torch.tensor([0, 0, 1, 7, 7, 1, 0, 0, 8, 8])  # 7 visible only, 8 infrared only
    views = random_views(3, labels)
    both = labels < 7
    loss = losses.center_pair_mining(views[0], views[1], labels)
    assert loss > 0
    assert loss.item() == pytest.approx(losses.center_pair_mining(views[0, both], views[1, both], labels[both]).item())


def test_cpm_without_any_identity_in_both_modalities_is_zero():
    labels = torch.tensor([0, 1, 2, 3])
    value, gradient = value_and_gradient(ON_VIEWS["cpm"][0], random_views(4, labels), labels)
    assert value == 0
    assert (gradient == 0).all()


def test_cpm_does_not_depend_on_the_order_of_rows():
    labels = torch.tensor([0, 0, 1, 2, 2, 1, 1, 2, 0, 1])
    views, generator = random_views(5, labels), torch.Generator().manual_seed(0)
    order = torch.cat([torch.randperm(5, generator=generator), 5 + torch.randperm(5, generator=generator)])
    shuffled = losses.center_pair_mining(views[0, order], views[1, order], labels[order])
    assert shuffled.item() == pytest.approx(losses.center_pair_mining(views[0], views[1], labels).item())


def test_a_single_identity_has_no_negatives():
    labels = torch.zeros(6, dtype=torch.int64)
    views = random_views(6, labels)
    assert losses.batch_hard_triplet(views[0], labels) == 0
    for fast, slow in (ON_ROWS["weighted"], ON_VIEWS["cpm"]):
        rows = views[0] if slow is plain.weighted_regularised_triplet else views
        value, gradient = value_and_gradient(fast, rows, labels)
        assert value.item() == pytest.approx(slow(rows, labels).item())
        assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("same", ["all rows", "all views", "rows of an identity"])
def test_gradients_are_finite_where_distances_are_zero(dtype, same):
    labels = torch.tensor([0, 0, 1, 1] * 2)
    views = random_views(7, labels).to(dtype)
    views = {
        "all rows": views[:1, :1].expand_as(views),
        "all views": views[:1].expand_as(views),
        "rows of an identity": views[:, labels],
    }[same]
    for fast, _ in ON_ROWS.values():
        value, gradient = value_and_gradient(fast, views.flatten(0, 1), labels.repeat(3))
        assert value.isfinite()
        assert gradient.isfinite().all()
    value, gradient = value_and_gradient(ON_VIEWS["cpm"][0], views, labels)
    assert value.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_features_of_any_size_give_finite_losses(scale):
    labels = torch.tensor([0, 0, 1, 1] * 2)
    features = random_views(8, labels, scale).float()
    value, gradient = value_and_gradient(lambda f: losses.fsc_loss(SimpleNamespace(features=f, logits=f), labels).total, features)
    assert value.isfinite()
    assert gradient.isfinite().all()
    value, gradient = value_and_gradient(losses.weighted_regularised_triplet, features[0], labels)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_autocast_and_half_precision_features_do_not_lower_the_precision():
    labels = torch.tensor([0, 0, 1, 1, 2, 2] * 2)
    half = random_views(9, labels).bfloat16()
    output = SimpleNamespace(features=half, logits=half)
    exact = SimpleNamespace(features=half.float(), logits=half.float())
    for loss in (losses.fsc_loss, losses.agw_loss):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            parts = loss(output, labels)
        for found, expected in zip(parts, loss(exact, labels), strict=True):
            assert found.dtype == torch.float32
            assert found.item() == expected.item()


def test_control_flow_and_shapes_do_not_depend_on_the_labels():
    """vmap rejects whatever synchronises with a device: reading a number from a tensor, selecting rows, data-dependent shapes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (3, 12), generator=generator)
    views = torch.randn(3, 2, 12, 4, generator=generator)
    for fast, features in [(loss, views[:, 0]) for loss, _ in ON_ROWS.values()] + [(ON_VIEWS["cpm"][0], views)]:
        together = torch.func.vmap(fast)(features, labels)
        alone = torch.stack([fast(f, y) for f, y in zip(features, labels, strict=True)])
        torch.testing.assert_close(together, alone)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_losses_do_not_synchronise_with_the_gpu():
    labels = torch.tensor([0, 0, 1, 1] * 2, device="cuda")
    features = torch.randn(3, 8, 16, device="cuda", requires_grad=True)
    output = SimpleNamespace(features=features, logits=features)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        (losses.fsc_loss(output, labels).total + losses.agw_loss(output, labels).total).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("loss", [losses.batch_hard_triplet, losses.weighted_regularised_triplet, losses.identity])
def test_labels_must_fit_the_rows(loss):
    features = torch.randn(2, 6, 4) if loss is losses.identity else torch.randn(6, 4)
    with pytest.raises(ValueError, match=r"labels of shape \(3,\).*expected \(6,\).*one label per row"):
        loss(features, torch.tensor([0, 1, 2]))


def test_cpm_needs_as_many_visible_as_infrared_rows():
    with pytest.raises(ValueError, match=r"Found 3 rows, expected an even number"):
        losses.center_pair_mining(torch.randn(3, 4), torch.randn(3, 4), torch.tensor([0, 0, 0]))
