"""Spectra of random images against a plain Fourier sum, and spectra of waves with known frequencies."""

import cmath
import math

import numpy as np
import pandas as pd
import pytest

from fsclib.analysis.frequency.spectrum import (
    by_ring,
    difference,
    energy,
    high_share,
    low_box,
    mean_amplitude,
    radial_profile,
    rings,
    suppression,
)


def plain_amplitude(images):
    """|F| of (N, H, W) by the defining sum, mean over images, zero frequency in the middle."""
    count, height, width = images.shape
    found = np.zeros((height, width))
    for image in images:
        grey = image - image.sum() / image.size
        for u in range(height):
            for v in range(width):
                total = sum(
                    grey[y, x] * cmath.exp(-2j * math.pi * (u * y / height + v * x / width))
                    for y in range(height)
                    for x in range(width)
                )
                # frequency k is at n // 2 + k, for k from −(n // 2) on
                found[(u + height // 2) % height, (v + width // 2) % width] += abs(total) / math.sqrt(height * width) / count
    return found


@pytest.mark.parametrize("shape", [(2, 6, 4), (1, 5, 7), (1, 3, 1)])
def test_mean_amplitude_matches_the_plain_sum(shape):
    images = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(mean_amplitude(images), plain_amplitude(images), atol=1e-10)


def test_colours_are_averaged_first():
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 4, 3), dtype=np.uint8)
    np.testing.assert_allclose(mean_amplitude(images), plain_amplitude(images.mean(3)), atol=1e-10)


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 4), (1, 2, 3, 4, 5)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        mean_amplitude(np.zeros(shape))


def wave(height, width, down, across, phase=0.3):
    """A sine of `down` cycles along the height and `across` along the width, on a grey of 100."""
    y, x = np.mgrid[:height, :width]
    return 100 + np.sin(2 * np.pi * (down * y / height + across * x / width) + phase)


@pytest.mark.parametrize(("down", "across"), [(0, 3), (5, 0), (4, 2), (-4, 2)])
def test_a_sine_has_its_energy_at_its_frequency(down, across):
    height, width = 24, 12
    amplitude = mean_amplitude(wave(height, width, down, across)[None])
    peaks = {(height // 2 + down, width // 2 + across), (height // 2 - down, width // 2 - across)}
    energy = amplitude**2
    assert sum(energy[peak] for peak in peaks) == pytest.approx(energy.sum())
    assert energy.sum() == pytest.approx(height * width / 2)  # Parseval: a squared sine has mean ½


@pytest.mark.parametrize("size", [(24, 12), (25, 13), (12, 12)])
@pytest.mark.parametrize("across", [1, 3, 5])
def test_the_profile_peaks_at_the_frequency_of_a_wave_in_either_direction(size, across):
    height, width = size
    profile = radial_profile(mean_amplitude(wave(height, width, 0, across)[None]))
    assert profile["frequency"][profile["amplitude"].argmax()] == across
    down = across * height / width  # as many cycles per pixel
    if down == int(down):
        profile = radial_profile(mean_amplitude(wave(height, width, down, 0)[None]))
        assert profile["frequency"][profile["amplitude"].argmax()] == across


@pytest.mark.parametrize("size", [(12, 8), (9, 7), (4, 4)])
def test_the_profile_is_the_mean_over_rings(size):
    height, width = size
    amplitude = np.random.default_rng(0).random(size)
    rings = {}
    for row in range(height):
        for column in range(width):
            radius = math.hypot((row - height // 2) * width / height, column - width // 2)
            rings.setdefault(round(radius), []).append(amplitude[row, column])
    profile = radial_profile(amplitude)
    assert list(profile["frequency"]) == list(range(1, width // 2 + 1))
    np.testing.assert_allclose(profile["amplitude"], [np.mean(rings[f]) for f in profile["frequency"]])


def test_noise_has_a_flat_profile_and_smooth_images_a_falling_one():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(40, 32, 16))
    flat = radial_profile(mean_amplitude(noise))["amplitude"]
    assert flat.max() / flat.min() < 1.3
    smooth = (noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2) + np.roll(noise, (1, 1), (1, 2))) / 4
    falling = radial_profile(mean_amplitude(smooth))["amplitude"]
    assert falling.iloc[-1] < falling.iloc[0] / 2


def photographs(number, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, 24, 12, 3), dtype=np.uint8)


def origins(*numbers, cameras=4):
    """People with five images each, the same ones on both sides, and cameras of their own on each."""
    return tuple(
        pd.DataFrame({"identity": np.arange(number) // 5, "camera": 10 * side + np.arange(number) % cameras})
        for side, number in enumerate(numbers)
    )


def test_equal_images_do_not_differ():
    found = difference(photographs(20), photographs(20), origins(20, 20), seed=0)
    assert list(found["frequency"]) == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(found["decibel"], 0)
    assert (found["low"] < 0).all()
    assert (found["high"] > 0).all()


def test_ten_times_the_contrast_is_twenty_decibels():
    images = photographs(20).astype(float)
    found = difference(10 * images, images, origins(20, 20), seed=0)
    np.testing.assert_allclose(found["decibel"], 20)
    assert found["low"].between(15, 20).all()
    assert found["high"].between(20, 25).all()
    np.testing.assert_allclose(difference(images, 10 * images, origins(20, 20), seed=0)["decibel"], -20)


def test_the_difference_of_the_profiles_peaks_at_the_added_frequency():
    images, others = photographs(15), photographs(10, seed=1).astype(float)
    others += 40 * wave(24, 12, 0, 4)[None, :, :, None]
    found = difference(others, images, origins(10, 15), seed=0)
    above, below = (radial_profile(mean_amplitude(side))["amplitude"] for side in (others, images))
    np.testing.assert_allclose(found["decibel"], 20 * np.log10(above / below))
    assert found["frequency"][found["decibel"].argmax()] == 4
    assert found["low"][3] > 1


def test_the_interval_depends_on_the_seed_and_narrows_with_more_images():
    few = [difference(photographs(10), photographs(10, 1), origins(10, 10), seed) for seed in (0, 0, 1)]
    assert few[0].equals(few[1])
    assert not few[0].equals(few[2])
    many = difference(photographs(400), photographs(400, 1), origins(400, 400), seed=0)
    assert ((many["high"] - many["low"]) < (few[0]["high"] - few[0]["low"])).all()


def test_the_interval_covers_the_truth_when_cameras_differ_in_contrast():
    """Eight cameras a side, each with a contrast of its own, and no other difference: the truth is 0 dB."""
    rng, covered, base = np.random.default_rng(0), 0, photographs(80).astype(float)
    for seed in range(60):
        sides = []
        for _ in range(2):
            contrast = np.exp(rng.normal(0, 0.2, 8))[np.arange(80) % 8]
            sides.append(base[rng.permutation(80)][:, :8, :4] * contrast[:, None, None, None])
        row = difference(*sides, origins(80, 80, cameras=8), seed, resamples=200).iloc[0]
        covered += row["low"] <= 0 <= row["high"]
    assert covered / 60 > 0.85


def test_differences_of_unequal_sizes_or_no_images_are_refused():
    with pytest.raises(ValueError, match="expected the same size"):
        difference(photographs(2), photographs(2)[:, 2:], origins(2, 2), seed=0)
    with pytest.raises(ValueError, match="at least one image"):
        difference(photographs(2), photographs(0), origins(2, 0), seed=0)


def plain_energy(map_):
    """|F|² of one map by the defining sum, zero frequency in the middle, mean included."""
    height, width = map_.shape
    found = np.zeros((height, width))
    for u in range(height):
        for v in range(width):
            total = 0
            for (y, x), value in np.ndenumerate(map_):
                total += value * cmath.exp(-2j * math.pi * (u * y / height + v * x / width))
            found[(u + height // 2) % height, (v + width // 2) % width] = abs(total) ** 2 / (height * width)
    return found


@pytest.mark.parametrize("size", [(6, 3), (5, 4), (1, 2)])
def test_energy_matches_the_plain_sum_and_adds_up_to_that_of_the_map(size):
    maps = np.random.default_rng(0).normal(size=(2, 3, *size)).astype(np.float32)
    found = energy(maps)
    assert found.dtype == np.float64
    for image, channels in zip(maps, found, strict=True):
        for map_, one in zip(image, channels, strict=True):
            np.testing.assert_allclose(one, plain_energy(map_.astype(float)), atol=1e-10)
    np.testing.assert_allclose(found.sum((-2, -1)), (maps.astype(float) ** 2).sum((-2, -1)))


@pytest.mark.parametrize("size", [(24, 9), (6, 3), (5, 4), (12, 12)])
def test_rings_count_cycles_along_the_height_and_square_pixels(size):
    height, width = size
    expected = np.zeros(size, int)
    for row in range(height):
        for column in range(width):
            radius = math.hypot(row - height // 2, (column - width // 2) * height / width)
            expected[row, column] = round(radius) or (1 if radius else 0)
    np.testing.assert_array_equal(rings(height, width), expected)
    assert (rings(height, width) == 0).sum() == 1


@pytest.mark.parametrize("size", [(24, 9), (6, 3), (5, 4)])
def test_by_ring_is_the_mean_over_each_ring(size):
    spectra = np.random.default_rng(0).random((2, 3, *size))
    found = by_ring(spectra)
    assert found.shape == (2, 3, size[0] // 2 + 1)
    for ring in range(size[0] // 2 + 1):
        np.testing.assert_allclose(found[..., ring], spectra[..., rings(*size) == ring].mean(-1))


@pytest.mark.parametrize(("down", "across", "ring"), [(3, 0, 3), (0, 2, 5), (0, 0, 0), (-4, 1, 5)])
def test_a_wave_has_its_energy_in_its_ring(down, across, ring):
    map_ = wave(24, 9, down, across) - 100
    found = by_ring(energy(map_[None, None]))[0, 0]
    assert found.argmax() == ring  # 2 cycles along a width of 9 are 5.3 along a height of 24
    assert found[ring] > 1e6 * np.delete(found, ring).max()


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [((24, 9), (6, 18), (2, 6)), ((48, 18), (12, 36), (5, 13)), ((12, 5), (3, 9), (1, 3)), ((6, 3), (2, 4), (1, 1))],
)
def test_the_low_frequency_box_is_that_of_the_original(size, rows, columns):
    box = low_box(*size)
    assert [(side.start, side.stop) for side in box] == [rows, columns]


def test_high_share_is_the_energy_outside_the_box():
    power = np.random.default_rng(0).random((2, 3, 24, 9))
    outside = total = 0.0
    for row in range(24):
        for column in range(9):
            inside = 12 - 6 <= row < 12 + 6 and 4 - 2 <= column < 4 + 2
            total += power[1, 2, row, column]
            outside += 0.0 if inside else power[1, 2, row, column]
    assert high_share(power)[1, 2] == pytest.approx(outside / total)
    np.testing.assert_allclose(high_share(power * 7), high_share(power))
    np.testing.assert_allclose(high_share(power[..., :6, :3]), 1)  # the box of such a map is empty
    assert np.isnan(high_share(np.zeros((1, 24, 9)))).all()


def test_a_constant_has_no_high_frequencies_and_a_fine_wave_only_those():
    flat, fine = np.ones((24, 9)), wave(24, 9, 10, 0) - 100
    np.testing.assert_allclose(high_share(energy(np.stack([flat, fine]))), [0, 1], atol=1e-12)


def test_suppression_is_relative_to_the_share_before():
    assert suppression(0.4, 0.3) == pytest.approx(25)
    assert suppression(0.2, 0.3) == pytest.approx(-50)
