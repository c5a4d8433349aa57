"""The tables of notebook 04: filters are told from scaling, signal from constants, and intervals cover cameras."""

import dataclasses

import numpy as np
import pytest
from spectra import measured

from fsclib.analysis.frequency import before_after, module_tables, transfer
from fsclib.analysis.frequency.measurement import Spectra
from fsclib.analysis.frequency.noise import products, squared_error
from fsclib.analysis.frequency.spectrum import by_ring, energy

VIEW = {"view 1": ["view 1 before", "view 1 FSA", "view 1 ST"]}
ONE = {"view 1": ["view 1 before", "view 1 FSA"]}


def spectra_of(before, after, noise, identity, camera):
    """Spectra before and after one module of images of one modality, (N, C, H, W), with errors by noise of the same shapes."""
    sides = dict(zip(ONE["view 1"], (before, after), strict=True))
    rings = {name: by_ring(energy(part)) for name, part in sides.items()}
    errors = {name: squared_error(part, 0) for name, part in zip(sides, noise, strict=True)}
    modality = np.full(len(before), "visible")
    inner = {name: products(part) for name, part in sides.items()}
    return Spectra(identity, camera, modality, rings, {}, {}, inner, errors, ONE)


def noisy_people(people=12, channels=6, seed=0):
    """Maps of people with two images each, and equal noise in their features."""
    rng = np.random.default_rng(seed)
    identity, camera = np.repeat(np.arange(people), 2), np.tile([0, 1], people)
    maps = rng.normal(size=(people, channels, 6, 4))[identity] + 0.3 * rng.normal(size=(2 * people, channels, 6, 4))
    return maps, 0.2 * rng.normal(size=maps.shape), identity, camera


def test_suppression_is_computed_from_mean_shares_with_an_interval():
    found = measured(VIEW, people=8)
    table = module_tables.suppression(found, seed=0)
    assert list(table["module"]) == ["view 1 FSA"] * 2 + ["view 1 ST"] * 2
    assert list(table["modality"]) == ["visible", "infrared"] * 2
    own = found.modality == "infrared"
    before, after = (found.share[name][own].mean() for name in ("view 1 FSA", "view 1 ST"))
    assert table["suppression"][3] == pytest.approx(100 * (before - after) / before)
    assert table["share_before"][3] == pytest.approx(100 * before)
    assert (table["low"] < table["suppression"]).all()
    assert (table["suppression"] < table["high"]).all()
    assert set(table["map"]) == {"6×4"}
    assert set(table["box"]) == {"4 of 24"}
    same = dataclasses.replace(found, share=found.share | {"view 1 FSA": found.share["view 1 before"] * 0.8})
    rows = module_tables.suppression(same, seed=0)
    np.testing.assert_allclose(rows.loc[:1, ["suppression", "low", "high"]], 20)


def test_a_constant_added_to_every_feature_gains_no_decibel():
    maps, noise, identity, camera = noisy_people()
    found = spectra_of(maps, maps + 1.7, (noise, noise), identity, camera)
    (row,) = module_tables.under_noise(found, seed=0).to_dict("records")
    assert [row[f"snr_{name}"] for name in ("gain", "low", "high")] == pytest.approx([0, 0, 0], abs=1e-9)
    power = [squared_error(part, 0).mean() for part in (maps, maps + 1.7)]
    assert 10 * np.log10(power[1] / power[0]) > 5  # what the mean square of the maps as signal would gain


def test_a_factor_for_each_channel_gains_no_decibel():
    maps, noise, identity, camera = noisy_people()
    factors = np.geomspace(0.1, 3, maps.shape[1])[:, None, None]
    found = spectra_of(maps, factors * maps, (noise, factors * noise), identity, camera)
    (row,) = module_tables.under_noise(found, seed=0).to_dict("records")
    assert [row[f"snr_{name}"] for name in ("gain", "low", "high")] == pytest.approx([0, 0, 0], abs=1e-9)


def test_less_noise_with_equal_differences_between_people_is_a_gain():
    maps, noise, identity, camera = noisy_people()
    found = spectra_of(maps, maps + 1.7, (noise, noise / 2), identity, camera)
    (row,) = module_tables.under_noise(found, seed=0).to_dict("records")
    assert row["snr_gain"] == pytest.approx(20 * np.log10(2))
    assert row["psnr_gain"] == pytest.approx(20 * np.log10(2))


def test_without_two_images_of_a_person_there_is_no_snr():
    maps, noise, identity, camera = (part[::2] for part in noisy_people())
    (row,) = module_tables.under_noise(spectra_of(maps, maps, (noise, noise), identity, camera), seed=0).to_dict("records")
    assert np.isnan([row["snr_before"], row["snr_gain"], row["snr_low"]]).all()
    assert row["psnr_gain"] == 0


def test_a_factor_is_not_a_filter_and_a_slope_is():
    found = measured(VIEW, 12, 8, people=8)
    before = found.energy["view 1 before"]
    slope = np.geomspace(1, 0.5, before.shape[2] - 1)  # −6 dB from radius 1 to the highest, a straight line in dB
    filtered = before * np.append(1, slope) ** 2
    found = dataclasses.replace(found, energy=found.energy | {"view 1 FSA": before / 4, "view 1 ST": filtered / 4})
    table = module_tables.filtering(dataclasses.replace(found, chains={
        "view 1": ["view 1 before", "view 1 FSA"], "view 2": ["view 1 before", "view 1 ST"]}), seed=0)  # fmt: skip
    np.testing.assert_allclose(table["tilt"], [0, 0] + [20 * np.log10(0.5)] * 2, atol=1e-9)
    np.testing.assert_allclose(table["level"][:2], 20 * np.log10(0.5))
    np.testing.assert_allclose(table["mean"][:2], 0, atol=1e-9)
    assert list(table["verdict"]) == ["no filter: flat to 1 dB"] * 2 + ["low-pass"] * 2
    assert "view 1 ST, infrared: low-pass. Tilt per channel -6.02 dB" in module_tables.sentences(table)


def test_the_interval_of_the_tilt_covers_the_truth_when_cameras_carry_variance():
    rng, covered, people, cameras = np.random.default_rng(0), np.zeros(2), 15, 8
    identity, camera = np.repeat(np.arange(people), cameras), np.tile(np.arange(cameras), people)
    radius = np.arange(5)
    for seed in range(60):
        slopes = rng.normal(0, 0.3, cameras)[camera] + rng.normal(0, 0.1, len(camera))  # 0 on average
        before = rng.uniform(0.5, 2, (len(camera), 3, 5))
        rings = {"view 1 before": before, "view 1 FSA": before * np.exp(slopes[:, None] * radius)[:, None]}
        found = Spectra(identity, camera, np.full(len(camera), "visible"), rings, {}, {}, {}, {}, ONE)
        (row,) = module_tables.filtering(found, seed).to_dict("records")
        alone = dataclasses.replace(found, camera=np.zeros_like(camera))  # as if one camera had taken all images
        (narrow,) = module_tables.filtering(alone, seed).to_dict("records")
        covered += [part["low"] <= 0 <= part["high"] for part in (row, narrow)]
    assert covered[0] / 60 > 0.85
    assert covered[1] / 60 < 0.5


def test_the_interval_of_the_gain_covers_the_truth_and_is_centred_on_the_gain():
    """A module that leaves 0 to 12 dB less noise in an image, 6 dB on average, evenly for people and cameras."""
    rng, covered, centres = np.random.default_rng(0), 0, []
    for seed in range(40):
        people, cameras = 15, 8
        identity, camera = np.repeat(np.arange(people), cameras), np.tile(np.arange(cameras), people)
        maps = rng.normal(size=(people, 4, 3, 2))[identity] + 0.5 * rng.normal(size=(len(camera), 4, 3, 2))
        gain = rng.normal(6, 2, cameras)[camera] + rng.normal(0, 1, people)[identity]
        noise = 0.2 * rng.normal(size=maps.shape)
        found = spectra_of(maps, maps, (noise, noise * 10 ** (-gain / 20)[:, None, None, None]), identity, camera)
        (row,) = module_tables.under_noise(found, seed).to_dict("records")
        covered += row["psnr_low"] <= 6 <= row["psnr_high"]
        centres.append((row["snr_low"] + row["snr_high"]) / 2 - row["snr_gain"])
    assert covered / 40 > 0.85
    assert abs(np.mean(centres)) < 0.2


def test_changes_of_the_gap_are_paired():
    found = measured(VIEW, 12, 8, people=10)
    before = found.energy["view 1 before"]
    same = dataclasses.replace(found, energy=found.energy | {"view 1 FSA": 9 * before})  # a common factor closes no gap
    table = module_tables.gap_changes(same, seed=0)
    assert list(table["module"]) == ["view 1 FSA", "view 1 ST"]
    np.testing.assert_allclose(table.loc[0, ["change", "low", "high"]].astype(float), 0, atol=1e-9)
    mean = before_after.gaps(same, seed=0)["view 1"]["view 1 ST"]["distance"].mean()
    assert table["after"][1] == pytest.approx(mean)
    assert table["change"][1] == pytest.approx(table["after"][1] - table["before"][1])


@pytest.mark.parametrize(
    ("ends", "expected"),
    [((-0.9, 0.9), "no filter: flat to 1 dB"), ((-5, -1.1), "low-pass"), ((1.1, 5), "high-pass"), ((-1.1, 0.5), "undecided")],
)
def test_the_verdict_follows_the_interval(ends, expected):
    assert transfer.verdict(*ends) == expected
    assert transfer.verdict(np.nan, np.nan) == "undecided"
