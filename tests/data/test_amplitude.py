"""Amplitude swap between the modalities."""

import numpy as np
import pytest
import torch

from fsclib.data.amplitude import swap_amplitudes
from fsclib.data.augment import Augmentation, augment, normalise

OFF = {"padding": 0, "grayscale": 0, "flip": 0, "erase": 0}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=8, height=12, width=10, seed=5):
    return torch.randint(0, 256, (count, height, width, 3), generator=generator(seed), dtype=torch.uint8)


def planes(**sizes):
    return images(**sizes).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("width", [10, 11])
def test_amplitudes_come_from_the_partner_and_phases_from_the_image(width):
    given = planes(width=width)
    found = swap_amplitudes(given, torch.ones(8, dtype=torch.bool)).numpy()
    for place, image in enumerate(given.numpy()):
        own, partner = (np.fft.fft2(each, axes=(1, 2)) for each in (image, given[(place + 4) % 8].numpy()))
        expected = np.fft.ifft2(np.abs(partner) * np.exp(1j * np.angle(own)), axes=(1, 2))
        assert np.abs(expected.imag).max() < 1e-4
        np.testing.assert_allclose(found[place], expected.real.clip(0, 255), atol=0.01)


def test_only_the_chosen_images_change():
    given, chosen = planes(), torch.arange(8) % 2 == 0
    found = swap_amplitudes(given, chosen)
    assert torch.equal(found[~chosen], given[~chosen])
    assert (found[chosen] != given[chosen]).flatten(1).any(1).all()


def test_partners_that_are_alike_change_nothing():
    given = planes(count=4).repeat(2, 1, 1, 1)
    torch.testing.assert_close(swap_amplitudes(given, torch.ones(8, dtype=torch.bool)), given, rtol=0, atol=0.01)


def test_black_and_uniform_images_stay_finite_and_in_range():
    given = planes()
    given[0], given[1], given[5] = 0, 255, 0
    found = swap_amplitudes(given, torch.ones(8, dtype=torch.bool))
    assert found.isfinite().all()
    assert 0 <= found.min() < found.max() <= 255


def test_a_share_of_the_images_is_swapped():
    given = images(count=4000, height=4, width=4)
    found = augment(given, generator(), Augmentation(**OFF, amplitude_swap=0.3))
    share = (found != normalise(given)).flatten(1).any(1).float().mean()
    assert share.item() == pytest.approx(0.3, abs=0.03)


def test_part_of_a_batch_is_swapped_as_in_the_whole_batch():
    settings = Augmentation(amplitude_swap=0.5)
    whole = augment(images(), generator(), settings)
    places = torch.tensor([1, 3, 5, 7])
    torch.testing.assert_close(augment(images()[places], generator(), settings, places, 8), whole[places])


def test_switched_off_it_draws_no_random_number():
    first, second = generator(), generator()
    augment(images(), first, Augmentation())
    augment(images(), second, Augmentation(amplitude_swap=0.0))
    assert torch.equal(first.get_state(), second.get_state())
    augment(images(), second, Augmentation(amplitude_swap=0.1))
    augment(images(), first, Augmentation())
    assert not torch.equal(first.get_state(), second.get_state())
