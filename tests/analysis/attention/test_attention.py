"""Attention maps: they highlight what a network uses, follow the formula of Grad-CAM, and are refused if they would be noise."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import nn

from fsclib.analysis.attention.maps import above_mean, eigen_cam, grad_cam, likeness, unit_rows
from fsclib.models.base import Embedding
from fsclib.models.networks import build_model
from fsclib.retrieval.features import similarity


class Eye(nn.Module):
    """A network with one view: its block passes on two channels of an image unchanged, and its features are their means."""

    views = 1

    def __init__(self, after=lambda maps: maps):
        super().__init__()
        conv = nn.Conv2d(3, 2, 1, bias=False)
        conv.weight.data = torch.eye(3)[:2, :, None, None].clone()
        self.layers, self.after = nn.ModuleList([nn.Sequential(conv)]), after

    def embed(self, images, modality):
        features = self.after(self.layers[-1](images)).mean((2, 3))[:, None]
        return Embedding(features, features)


def scene(height=6, width=4):
    """An image that is bright in channel 0 at the upper left and in channel 1 elsewhere."""
    image = torch.zeros(1, 3, height, width)
    image[0, 0, :2, :2], image[0, 1] = 3.0, 1.0
    image[0, 1, :2, :2] = 0.0
    return image


FIRST = torch.tensor([[1.0, 0.0, 1.0, 0.0]]) / 2**0.5  # the embedding of an image with channel 0 only


def test_the_map_highlights_the_corner_that_matches_the_reference():
    image = scene()
    found = grad_cam(Eye(), image, "visible", FIRST)
    a, b = image[0, :2].mean((1, 2)).tolist()
    length = (a * a + b * b) ** 0.5
    alpha = np.array([b * b, -a * b]) / length**3 / 24  # ∂(a / √(a² + b²)) by a and by b, spread over 24 positions
    expected = alpha[0] * image[0, 0].numpy() + alpha[1] * image[0, 1].numpy()
    np.testing.assert_allclose(found.maps[0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(found.cosine, [[a / length]], rtol=1e-6)
    seen = above_mean(found.maps)[0, 0]
    assert (seen[:2, :2] > 0).all()
    assert seen[:2, :2].sum() == pytest.approx(seen.sum())


def test_the_map_for_the_opposite_reference_excludes_that_corner():
    second = torch.tensor([[0.0, 1.0, 0.0, 1.0]]) / 2**0.5
    seen = above_mean(grad_cam(Eye(), scene(), "visible", second).maps)[0, 0]
    assert (seen[:2, :2] == 0).all()
    assert (seen[2:] > 0).all()


def test_an_in_place_relu_after_the_block_changes_nothing():
    image = scene() - 0.5
    plain, in_place = (grad_cam(Eye(after), image, "visible", FIRST) for after in (torch.relu, torch.relu_))
    np.testing.assert_array_equal(in_place.maps, plain.maps)
    np.testing.assert_array_equal(eigen_cam(Eye(torch.relu_), image, "visible"), eigen_cam(Eye(torch.relu), image, "visible"))


def tiny(name="fsc", stages=4, **options):
    """A network whose running statistics differ from their initial values."""
    torch.manual_seed(0)
    net = build_model(name, 5, stages=stages, backbone="resnet18", **options)
    with torch.no_grad():
        net.train()
        for _ in range(3):
            net(torch.randn(4, 3, 64, 32), torch.randn(4, 3, 64, 32))
    return net.eval()


@pytest.fixture(scope="module")
def net():
    return tiny()


@pytest.fixture
def images():
    return torch.randn(3, 3, 64, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def references(net):
    others = torch.randn(3, 3, 64, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return unit_rows(*net.embed(others, "infrared"))


def plain(net, images, modality, score):
    """Grad-CAM written out for the number score(embedding): its α and the last block's output."""
    kept = []
    handle = net.layers[-1][-1].register_forward_hook(lambda module, given, output: kept.append(output))
    value = score(net.embed(images, modality))
    handle.remove()
    (gradient,) = torch.autograd.grad(value, kept)
    return gradient.mean((2, 3), keepdim=True).detach(), kept[0].detach()


def by_view(maps, net):
    return maps.sum(1).unflatten(0, (net.views, -1)).numpy()


def test_maps_follow_the_formula(net, images, references):
    found = grad_cam(net, images, "visible", references)
    alpha, maps = plain(net, images, "visible", lambda e: (unit_rows(*e) * references).sum())
    np.testing.assert_allclose(found.maps, by_view(alpha * maps, net), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("backbone", ["timm/test_resnet", "timm/test_convnext", "timm/test_vit"])
def test_maps_follow_the_formula_on_backbones_of_timm(backbone, images):
    pytest.importorskip("timm", reason="backbones of timm need the extra timm")
    torch.manual_seed(0)
    net = build_model("twostream", 5, backbone=backbone).eval()
    with torch.no_grad():
        references = unit_rows(*net.embed(images.roll(1, 0), "infrared"))  # of another image: stems start alike
    found = grad_cam(net, images, "visible", references)
    alpha, maps = plain(net, images, "visible", lambda e: (unit_rows(*e) * references).sum())
    np.testing.assert_allclose(found.maps, by_view(alpha * maps, net), rtol=1e-3, atol=1e-6)
    assert eigen_cam(net, images, "visible").shape == found.maps.shape == (1, 3, *maps.shape[2:])


def test_each_view_has_the_map_of_its_own_cosine(net, images, references):
    found = grad_cam(net, images, "infrared", references)
    parts = references.unflatten(1, (2, net.views, -1))
    for view in range(net.views):

        def cosine(embedding, view=view):
            pool, neck = (F.cosine_similarity(e[:, view], parts[:, k, view], dim=1) for k, e in enumerate(embedding))
            return (pool + neck) / 2

        alpha, maps = plain(net, images, "infrared", lambda e, cosine=cosine: cosine(e).sum())
        alone = by_view(alpha * maps, net)
        np.testing.assert_allclose(found.maps[view], alone[view] / net.views, rtol=1e-4, atol=1e-7)
        assert not np.delete(alone, view, 0).any()
        np.testing.assert_allclose(found.cosine[view], cosine(net.embed(images, "infrared")).detach(), rtol=1e-5)


def test_a_map_minus_its_mean_splits_into_a_pool_and_a_neck_part(net, images, references):
    found = grad_cam(net, images, "visible", references).maps
    pool, neck = references.unflatten(1, (2, -1)).unbind(1)
    by_pool, maps = plain(net, images, "visible", lambda e: (unit_rows(*e).unflatten(1, (2, -1))[:, 0] * pool).sum())
    by_neck, _ = plain(net, images, "visible", lambda e: (unit_rows(*e).unflatten(1, (2, -1))[:, 1] * neck).sum())
    expected = by_view(by_pool * maps + by_neck * (maps - net.neck.running_mean[:, None, None]), net)
    np.testing.assert_allclose(expected.sum((2, 3)), 0, atol=1e-4 * np.abs(expected).sum((2, 3)).max())
    np.testing.assert_allclose(found - found.mean((2, 3), keepdims=True), expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max())


def test_the_mean_cosine_is_the_similarity_used_in_retrieval(net, images, references):
    found = grad_cam(net, images, "visible", references)
    with torch.no_grad():
        embedding = net.embed(images, "visible")
    sides = [tuple(F.normalize(part, dim=2).flatten(1) for part in embedding)]
    sides.append(tuple((references * (2 * net.views) ** 0.5).chunk(2, 1)))
    expected = similarity(*sides).diagonal() / (2 * net.views)
    np.testing.assert_allclose(found.cosine.mean(0), expected, rtol=1e-5)


@pytest.mark.parametrize(("name", "stages", "views"), [("agw", 4, 1), ("twostream", 4, 1), ("deen", 3, 3)])
def test_every_network_has_maps(name, stages, views, images):
    net = tiny(name, stages)
    with torch.no_grad():
        references = unit_rows(*net.embed(images.flip(0), "infrared"))
    found = grad_cam(net, images, "visible", references)
    assert found.maps.shape[:2] == (views, 3)
    assert found.cosine.shape == (views, 3)
    assert np.ptp(above_mean(found.maps), axis=(2, 3)).min() > 0
    assert eigen_cam(net, images, "visible").shape == found.maps.shape


def test_the_network_is_left_unchanged(net, images, references):
    mine = copy.deepcopy(net).train()
    before = copy.deepcopy(mine.state_dict())
    grad_cam(mine, images, "visible", references)
    eigen_cam(mine, images, "visible")
    assert mine.training
    assert all(parameter.grad is None for parameter in mine.parameters())
    assert not any(module._forward_hooks for module in mine.modules())
    for name, value in mine.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_an_image_compared_with_itself_is_refused_as_noise(net, images):
    with torch.no_grad():
        own = unit_rows(*net.embed(images, "visible"))
    with pytest.raises(ValueError, match=r"rounding noise.* in 9 of 9 maps: image 0 in view 0"):
        grad_cam(net, images, "visible", own)
    alpha, maps = plain(net, images, "visible", lambda e: (unit_rows(*e) * own).sum())
    noise = by_view(alpha * maps, net)
    assert np.abs(noise).max() < 1e-5
    assert scale_cam_image(scale_cam_image(np.maximum(noise[1], 0))).max() > 0.5  # what pytorch_grad_cam would return


def test_one_image_compared_with_itself_among_others_is_found(net, images, references):
    with torch.no_grad():
        references[1] = unit_rows(*net.embed(images, "visible"))[1]
    with pytest.raises(ValueError, match="in 3 of 9 maps: image 1 in view 0"):
        grad_cam(net, images, "visible", references)


def test_fewer_references_than_images_are_refused(net, images, references):
    with pytest.raises(ValueError, match="found 2 references for 3 images"):
        grad_cam(net, images, "visible", references[:2])


def test_an_index_error_of_a_network_is_not_swallowed():
    def broken(maps):
        raise IndexError("from inside")

    net = Eye(broken)
    for look in (lambda: grad_cam(net, scene(), "visible", FIRST), lambda: eigen_cam(net, scene(), "visible")):
        with pytest.raises(IndexError, match="from inside"):
            look()
    assert not net.layers[-1][-1]._forward_hooks


def test_a_block_that_is_called_twice_is_refused():
    net = Eye()
    net.after = lambda maps: maps + net.layers[-1](torch.ones(1, 3, 6, 4))
    with pytest.raises(ValueError, match="expected one tensor"):
        grad_cam(net, scene(), "visible", FIRST)


def test_eigen_cam_is_the_first_component_signed_by_mean_activation(net, images):
    kept = []
    handle = net.layers[-1][-1].register_forward_hook(lambda module, given, output: kept.append(output.detach()))
    found = eigen_cam(net, images, "visible")
    handle.remove()
    for place, maps in zip(np.ndindex(found.shape[:2]), kept[0].double().numpy(), strict=True):
        points = maps.reshape(len(maps), -1).T
        _, _, axes = np.linalg.svd(points - points.mean(0))
        projection = (points - points.mean(0)) @ axes[0]
        sign = np.sign(np.corrcoef(projection, points.mean(1))[0, 1])
        np.testing.assert_allclose(found[place].ravel(), sign * projection, rtol=1e-3, atol=1e-4 * np.abs(projection).max())


def test_autocast_does_not_change_a_map(net, images, references):
    expected = grad_cam(net, images, "visible", references)
    with torch.autocast("cpu", torch.bfloat16):
        found = grad_cam(net, images, "visible", references)
    np.testing.assert_array_equal(found.maps, expected.maps)


def test_attention_is_the_part_above_the_mean():
    maps = np.array([[[-5.0, -1.0], [-3.0, -3.0]]])
    np.testing.assert_array_equal(above_mean(maps), [[[0, 2], [0, 0]]])


def test_likeness_is_a_correlation_and_undefined_for_flat_maps():
    rng = np.random.default_rng(0)
    maps, others = rng.random((2, 4, 6, 3))
    maps[3] = 1.0
    found = likeness(maps, others)
    np.testing.assert_allclose(
        found[:3], [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(maps[:3], others[:3], strict=True)]
    )
    assert np.isnan(found[3])
    np.testing.assert_allclose(likeness(others, 2 - 3 * others), -1)
