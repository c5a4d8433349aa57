"""Batched augmentation against an implementation that handles one image at a time."""

import math
import random
from dataclasses import astuple

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from fsclib.data.augment import Augmentation, Draws, apply, augment, draw, normalise

MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])


def random_images(count=6, height=40, width=24, seed=0):
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator(seed))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one_image(array, drawn, padding):
    """The published recipe for one image, with Pillow: pad, grayscale, crop, flip, normalise, erase."""
    height, width, _ = array.shape
    image = ImageOps.expand(Image.fromarray(array), border=padding, fill=0)
    if drawn["grayscale"]:
        image = image.convert("L").convert("RGB")
    image = image.crop((drawn["left"], drawn["top"], drawn["left"] + width, drawn["top"] + height))
    if drawn["flip"]:
        image = ImageOps.mirror(image)
    result = (np.asarray(image) / 255 - MEAN) / STD
    top, left = drawn["erase_top"], drawn["erase_left"]
    result[top : top + drawn["erase_height"], left : left + drawn["erase_width"]] = MEAN
    return result.transpose(2, 0, 1)


@pytest.mark.parametrize("settings", [Augmentation(), Augmentation(padding=0, erase_area=(0.2, 0.8)), Augmentation(3)])
@pytest.mark.parametrize("size", [(40, 24), (9, 31)])
def test_a_batch_equals_images_augmented_one_by_one(settings, size):
    images = random_images(32, *size)
    draws = draw(32, *size, generator(1), settings)
    result = apply(images, draws, settings.padding)
    assert result.dtype == torch.float32
    assert result.shape == (32, 3, *size)
    for index, array in enumerate(images.numpy()):
        drawn = {name: int(values[index]) for name, values in vars(draws).items()}
        np.testing.assert_allclose(result[index], one_image(array, drawn, settings.padding), atol=2e-6)


def test_grayscale_rounds_as_pillow_does():
    images = random_images(2, 200, 200)
    nothing = torch.zeros(2, dtype=torch.int64)
    draws = Draws(nothing + 1, *[nothing] * 7)
    expected = [np.asarray(Image.fromarray(array).convert("L").convert("RGB")) for array in images.numpy()]
    assert torch.equal(apply(images, draws, 0), normalise(torch.from_numpy(np.stack(expected))))


def test_padding_is_black_before_normalisation():
    white = torch.full((1, 8, 6, 3), 255, dtype=torch.uint8)
    zero = torch.zeros(1, dtype=torch.int64)
    result = apply(white, Draws(*[zero] * 8), 2)  # the crop begins in the upper left corner of the padded image
    torch.testing.assert_close(result[0, :, 0, 0], torch.tensor(-MEAN / STD, dtype=torch.float32))
    torch.testing.assert_close(result[0, :, 2, 2], torch.tensor((1 - MEAN) / STD, dtype=torch.float32))


def test_augmentation_is_reproducible_and_does_not_modify_the_images():
    images = random_images()
    before = images.clone()
    first, second = augment(images, generator(4), Augmentation()), augment(images, generator(4), Augmentation())
    assert torch.equal(first, second)
    assert torch.equal(images, before)
    assert not torch.equal(first, augment(images, generator(5), Augmentation()))


def test_generator_advances_equally_under_all_settings():
    left, right = generator(2), generator(2)
    draw(8, 40, 24, left, Augmentation())
    draw(8, 40, 24, right, Augmentation(0, 0, 0, 0))
    assert torch.equal(left.get_state(), right.get_state())


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    augment(random_images(), generator(), Augmentation())
    assert torch.equal(torch.get_rng_state(), before)


def test_with_zero_probabilities_only_normalisation_remains():
    images = random_images()
    result = augment(images, generator(), Augmentation(padding=0, grayscale=0, flip=0, erase=0))
    assert torch.equal(result, normalise(images))


def test_rates_and_ranges_of_the_draws():
    count, height, width = 20_000, 96, 36
    draws = draw(count, height, width, generator(7), Augmentation(padding=4, grayscale=0.2, flip=0.7, erase=0.4))
    assert abs(draws.grayscale.double().mean() - 0.2) < 0.015
    assert abs(draws.flip.double().mean() - 0.7) < 0.015
    assert abs((draws.erase_height > 0).double().mean() - 0.4) < 0.015
    for offset in (draws.top, draws.left):
        shares = torch.bincount(offset) / count
        assert len(shares) == 9  # 0 … 2·padding
        assert abs(shares - 1 / 9).max() < 0.012
    agreement = np.corrcoef(torch.stack(astuple(draws)[:4]).numpy())
    assert abs(agreement - np.eye(4)).max() < 0.04


@pytest.mark.parametrize("area", [(0.02, 0.4), (0.2, 0.8)])
def test_erased_rectangles_are_distributed_as_published(area):
    count, height, width = 8000, 96, 36
    draws = draw(count, height, width, generator(9), Augmentation(erase=1, erase_area=area))
    tall, wide = draws.erase_height.double(), draws.erase_width.double()
    erased = tall > 0
    assert erased.double().mean() > 0.999
    assert (tall < height).all()
    assert (wide < width).all()
    assert (draws.erase_top + draws.erase_height <= height).all()
    assert (draws.erase_left + draws.erase_width <= width).all()
    share = tall * wide / (height * width)
    assert area[0] * 0.85 < share[erased].min()  # sides are rounded to whole pixels
    assert share.max() < area[1] * 1.08

    plain = np.array([published_rectangle(random.Random(seed), height, width, area) for seed in range(count)])
    ours = torch.stack([draws.erase_top, draws.erase_left, tall, wide], dim=1).numpy()
    error = np.sqrt(plain.var(axis=0) / count + ours.var(axis=0) / count)
    assert (abs(plain.mean(axis=0) - ours.mean(axis=0)) < 4 * error).all()
    np.testing.assert_allclose(ours.std(axis=0), plain.std(axis=0), rtol=0.05)


def published_rectangle(source, height, width, area, ratio=0.3):
    for _ in range(100):
        size = source.uniform(*area) * height * width
        aspect = source.uniform(ratio, 1 / ratio)
        tall, wide = round(math.sqrt(size * aspect)), round(math.sqrt(size / aspect))
        if wide < width and tall < height:
            return source.randint(0, height - tall), source.randint(0, width - wide), tall, wide
    return 0, 0, 0, 0


def test_a_rectangle_that_never_fits_erases_nothing():
    draws = draw(50, 20, 20, generator(), Augmentation(erase=1, erase_area=(1, 1)))
    assert int(draws.erase_height.sum() + draws.erase_width.sum()) == 0


def test_wrong_images_and_impossible_settings_are_refused():
    with pytest.raises(ValueError, match=r"float32 \(2, 3, 8, 8\), expected torch.uint8 \(B, H, W, 3\)"):
        normalise(torch.zeros(2, 3, 8, 8))
    with pytest.raises(ValueError, match=r"expected torch.uint8"):
        augment(torch.zeros(2, 8, 8, 3), generator(), Augmentation())
    for wrong in ({"padding": -1}, {"flip": 1.5}, {"erase_area": (0.4, 0.02)}, {"erase_ratio": 0}):
        with pytest.raises(ValueError, match="expected"):
            Augmentation(**wrong)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_and_cpu_agree_without_synchronising():
    images = random_images(48, 96, 36)
    expected = augment(images, generator(3), Augmentation())
    on_gpu = images.cuda()
    augment(on_gpu, generator(0), Augmentation())  # the first call creates the constants
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = augment(on_gpu, generator(3), Augmentation())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(result.cpu(), expected, atol=1e-6, rtol=0)
