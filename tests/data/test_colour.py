"""Colour augmentation: the random draws and their effect on pixels."""

import pytest
import torch

from fsclib.data.augment import Augmentation, augment, normalise
from fsclib.data.colour import LEVEL, LUMA, SPREAD, apply_colours, draw_colours

SHAPE = (64, 16, 8)


def drawn(seed=0, shape=SHAPE, channel=0.0, pseudo_infrared=0.0, jitter=0.0, only_visible=False):
    return draw_colours(shape, torch.Generator().manual_seed(seed), channel, pseudo_infrared, jitter, only_visible)


def pictures(shape=SHAPE, seed=5):
    return torch.randint(0, 256, (shape[0], 3, *shape[1:]), generator=torch.Generator().manual_seed(seed)).float()


def test_with_everything_off_nothing_changes():
    planes = pictures()
    assert torch.allclose(apply_colours(planes, drawn()), planes, atol=1e-3)


def test_a_single_channel_fills_all_three_in_visible_images_only():
    planes = pictures()
    found = apply_colours(planes, drawn(channel=1.0))
    which = [next(c for c in range(3) if torch.allclose(image, whole[c].expand(3, -1, -1), atol=1e-3))
             for image, whole in zip(found[:32], planes[:32], strict=True)]  # fmt: skip
    assert set(which) == {0, 1, 2}
    assert torch.allclose(found[32:], planes[32:], atol=1e-3)


def test_shares_of_altered_images_match_the_probabilities():
    draws = drawn(shape=(4000, 2, 2), channel=0.3, pseudo_infrared=0.2)
    assert len(draws.pseudo) / 2000 == pytest.approx(0.2, abs=0.03)
    assert draws.pseudo.max() < 2000
    plain = (draws.mix == torch.eye(3)).all(2).all(1)
    assert float(plain[:2000].float().mean()) == pytest.approx(0.7 * 0.8, abs=0.04)


def test_pseudo_infrared_images_are_grey_with_levels_of_their_own():
    planes = pictures((400, 16, 8))
    draws = drawn(shape=(400, 16, 8), pseudo_infrared=1.0)
    found = apply_colours(planes, draws)
    visible = found[:200]
    assert torch.equal(visible[:, 0], visible[:, 1])
    assert torch.equal(visible[:, 0], visible[:, 2])
    assert torch.allclose(found[200:], planes[200:], atol=1e-3)
    means = visible.mean((1, 2, 3))
    assert LEVEL[0] - 30 < float(means.min()) < float(means.max()) < LEVEL[1] + 40
    assert float(means.std()) > 20
    assert SPREAD[0] / 2 < float(visible.std((1, 2, 3)).mean()) < SPREAD[1]
    # some are inverted, as brightness in infrared depends on the fibre rather than on the dye
    gray = (planes[:200] * torch.tensor(LUMA)[:, None, None]).sum(1).flatten(1)
    corr = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(gray, visible[:, 0].flatten(1), strict=True)])
    assert float((corr < -0.2).float().mean()) > 0.05
    assert float((corr > 0.2).float().mean()) > 0.4


def test_only_visible_makes_the_whole_second_half_pseudo_infrared():
    draws = drawn(only_visible=True)
    assert draws.pseudo.tolist() == list(range(32, 64))


def test_each_image_follows_the_formulas():
    planes, draws = pictures(), drawn(channel=0.3, pseudo_infrared=0.5, jitter=0.2)
    found, pseudo = apply_colours(planes.clone(), draws), set(draws.pseudo.tolist())
    assert 5 < len(pseudo) < 27
    for number, image in enumerate(planes):
        mixed = torch.einsum("ij,jhw->ihw", draws.mix[number], image)
        if number in pseudo:
            level, factor = draws.level[number], draws.spread[number] / mixed.std()
        else:
            level, factor = mixed.mean() * draws.brightness[number], draws.contrast[number]
        expected = ((mixed - mixed.mean()) * factor + level).clamp(0, 255)
        if number in pseudo:
            expected = (255 * (expected / 255) ** draws.gamma[number] + draws.noise[number] * draws.grain[0]).clamp(0, 255)
        torch.testing.assert_close(found[number], expected, rtol=1e-4, atol=2e-3)


def test_jitter_changes_brightness_and_contrast_within_its_bounds():
    planes = pictures().mul_(0.3).add_(80)  # far from black and white
    draws = drawn(jitter=0.15)
    found = apply_colours(planes, draws)
    brightness = found.mean((1, 2, 3)) / planes.mean((1, 2, 3))
    contrast = found.std((1, 2, 3)) / planes.std((1, 2, 3))
    assert torch.allclose(brightness, draws.brightness, atol=1e-3)
    assert torch.allclose(contrast, draws.contrast, atol=1e-3)
    assert 0.85 <= float(brightness.min()) < 0.9
    assert 1.1 < float(brightness.max()) <= 1.15


def test_part_of_a_batch_is_augmented_as_in_the_whole_batch():
    images = torch.randint(0, 256, (8, 32, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    settings = Augmentation(padding=2, channel=0.5, pseudo_infrared=0.5, jitter=0.2)
    whole = augment(images, torch.Generator().manual_seed(3), settings)
    places = torch.tensor([1, 2, 6])
    part = augment(images[places], torch.Generator().manual_seed(3), settings, places, 8)
    assert torch.equal(whole[places], part)


def test_colours_that_are_off_draw_no_random_numbers():
    images = torch.randint(0, 256, (8, 32, 16, 3), dtype=torch.uint8)
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    augment(images, generators[0], Augmentation(padding=2))
    augment(images, generators[1], Augmentation(padding=2, jitter=0.1))
    plain, coloured = (torch.rand(1, generator=generator) for generator in generators)
    assert plain != coloured


def test_extreme_pictures_stay_finite():
    for value in (0, 255):
        images = torch.full((4, 32, 16, 3), value, dtype=torch.uint8)
        settings = Augmentation(padding=0, erase=0, pseudo_infrared=1.0, jitter=0.3)
        assert augment(images, torch.Generator().manual_seed(0), settings).isfinite().all()
    assert normalise(torch.zeros(1, 2, 2, 3, dtype=torch.uint8)).isfinite().all()


@pytest.mark.parametrize("name", ["channel", "pseudo_infrared", "jitter"])
def test_impossible_shares_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}=1.5"):
        Augmentation(**{name: 1.5})
