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
    sums = [0.0] * 3
    for place, value in np.ndenumerate(maps):
        sums[place[0]] += (float(value) - float(clean[place])) ** 2
    expected = [total / 16 for total in sums]
    error = noise.squared_error(maps, clean)
    np.testing.assert_allclose(error, expected, rtol=1e-6)
    np.testing.assert_allclose(noise.psnr(error), [10 * np.log10(1 / e) for e in expected], rtol=1e-6)
    np.testing.assert_allclose(noise.psnr(np.array([1.0, 0.01])), [0, 20])


def test_halving_a_map_adds_six_decibels_to_psnr_and_nothing_to_snr():
    clean, other = np.random.default_rng(0).normal(size=(2, 3, 4, 6, 4))
    before, after = noise.squared_error(other, clean), noise.squared_error(other / 2, clean / 2)
    np.testing.assert_allclose(noise.psnr(after) - noise.psnr(before), 20 * np.log10(2))
    snr = [noise.decibel(noise.squared_error(c, 0) / e) for c, e in ((clean, before), (clean / 2, after))]
    np.testing.assert_allclose(*snr)
