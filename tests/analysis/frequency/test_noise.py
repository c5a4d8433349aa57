"""Added noise has the stated level and is the same for a record in any batch; PSNR and SNR follow their definitions."""

import numpy as np
import pytest
import torch

from fsclib.analysis.frequency import noise
from fsclib.data.augment import normalise
from fsclib.models.imagenet import STD


def test_noise_has_the_stated_level_and_keeps_grey_images_grey():
    grey = torch.full((4, 60, 40, 3), 128, dtype=torch.uint8)
    images = normalise(grey)
    added = (noise.disturbed(images, np.arange(4), 0.1, seed=0) - images) * torch.tensor(STD)[:, None, None]
    torch.testing.assert_close(added[:, 0], added[:, 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(added[:, 0], added[:, 2], atol=1e-6, rtol=0)
    assert added.std() == pytest.approx(0.1, rel=0.03)
    assert added.mean().abs() < 0.005
    spectrum = torch.fft.fft2(added[:, 0]).abs() ** 2
    assert spectrum[:, :15, :10].mean() == pytest.approx(spectrum[:, 15:30, 10:20].mean().item(), rel=0.15)


def test_a_record_has_the_same_noise_in_any_batch():
    images = torch.zeros(3, 3, 8, 4)
    rows = np.array([7, 2, 5])
    together = noise.disturbed(images, rows, 0.2, seed=3)
    alone = noise.disturbed(images[:1], rows[1:2], 0.2, seed=3)
    assert torch.equal(together[1], alone[0])
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(noise.disturbed(images, rows, 0.2, seed=4), together)
    torch.testing.assert_close(noise.disturbed(images, rows, 0.4, seed=3), 2 * together)
    assert torch.equal(images, torch.zeros(3, 3, 8, 4))


def test_the_error_is_the_mean_square_and_psnr_is_in_decibels():
    clean, maps = np.random.default_rng(0).normal(size=(2, 3, 4, 2, 2)).astype(np.float32)
    sums = np.zeros((3, 4))
    for place, value in np.ndenumerate(maps):
        sums[place[:2]] += (float(value) - float(clean[place])) ** 2
    error = noise.squared_error(maps, clean)
    np.testing.assert_allclose(error, sums / 4, rtol=1e-6)
    np.testing.assert_allclose(noise.psnr(error), 10 * np.log10(4 / sums), rtol=1e-6)
    np.testing.assert_allclose(noise.psnr(np.array([1.0, 0.01])), [0, 20])


def people(number=40, each=2, between=1.0, within=0.7, seed=0):
    """Maps of one channel, 3×2, with known standard deviations between people and between images of one person."""
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(number), each)
    maps = between * rng.normal(size=(number, 1, 3, 2))[identity] + within * rng.normal(size=(len(identity), 1, 3, 2))
    return maps, identity


def test_products_are_those_of_the_centred_maps():
    maps, _ = people(4)
    found = noise.products(maps + 100)
    centred = maps - maps.mean(0)
    for first, second in np.ndindex(8, 8):
        assert found[0, first, second] == pytest.approx((centred[first, 0] * centred[second, 0]).mean())


def test_the_variance_between_people_is_unbiased_and_ignores_that_between_their_images():
    found = [noise.between_people(noise.products(maps), who).mean() for maps, who in (people(seed=s) for s in range(100))]
    assert np.mean(found) == pytest.approx(1, abs=0.05)
    none = [noise.between_people(noise.products(maps), who).mean() for maps, who in (people(between=0, seed=s) for s in range(100))]
    assert np.mean(none) == pytest.approx(0, abs=0.02)


def test_the_part_of_an_image_compares_it_with_other_images():
    maps, identity = people(4, each=3)
    inner, found = noise.products(maps), noise.between_people(noise.products(maps), identity)
    assert found.shape == (12, 1)
    for image in range(12):
        alike = [inner[0, image, other] for other in range(12) if other != image and identity[other] == identity[image]]
        others = [inner[0, image, other] for other in range(12) if identity[other] != identity[image]]
        assert found[image, 0] == pytest.approx(np.mean(alike) - np.mean(others))
    assert np.isnan(noise.between_people(inner[:, ::3, ::3], identity[::3])).all()
    assert np.isnan(noise.between_people(inner[:, :3, :3], identity[:3])).all()
