"""The modality gap by frequency: its formula, and intervals over people and cameras that neither invent a gap nor miss one."""

import numpy as np
import pytest

from fsclib.analysis.frequency import spectral_gap


def by_radius(energy, identity, modality, seed, resamples=1000):
    """As if one camera per modality had taken all images."""
    return spectral_gap.by_radius(energy, identity, np.zeros(len(identity)), modality, seed, resamples)


def drawn(people, channels=6, rings=3, gap=0.0, seed=0, each=2):
    """Energies of `each` images per person and modality; infrared amplitudes are larger by `gap` in channel 0 of the last ring."""
    rng = np.random.default_rng(seed)
    person = 2 + rng.normal(0, 0.2, (people, 1, 1, channels, rings))
    amplitude = person + rng.normal(0, 0.2, (people, 2, each, channels, rings))
    amplitude[:, 1, :, 0, -1] += gap
    identity = np.repeat(np.arange(people), 2 * each)
    modality = np.tile(np.repeat(["visible", "infrared"], each), people)
    return amplitude.reshape(-1, channels, rings) ** 2, identity, modality


def test_the_distance_follows_its_formula():
    energy, identity, modality = drawn(5, gap=1.0, each=3)
    sides = {name: [] for name in ("visible", "infrared")}
    for name, side in sides.items():
        for who in range(5):
            chosen = [np.sqrt(energy[i]) for i in range(len(energy)) if identity[i] == who and modality[i] == name]
            side.append(sum(chosen) / len(chosen))
    table = by_radius(energy, identity, modality, seed=0)
    for ring in range(3):
        squared = length = 0.0
        for channel in range(6):
            differences = [v[channel, ring] - i[channel, ring] for v, i in zip(*sides.values(), strict=True)]
            squared += np.mean(differences) ** 2 - np.var(differences, ddof=1) / 5
            length += sum(np.mean([person[channel, ring] for person in side]) ** 2 for side in sides.values()) / 2
        assert table["distance"][ring] == pytest.approx(np.sqrt(max(squared, 0) / length))
    assert list(table["frequency"]) == [0, 1, 2]


def test_without_noise_the_distance_is_exact():
    energy = np.array([[[4.0, 1.0]], [[4.0, 9.0]]] * 3)  # (6, 1, 2): amplitudes 2 and 2, 1 and 3
    table = by_radius(energy, np.repeat([3, 5, 8], 2), np.array(["visible", "infrared"] * 3), seed=0)
    expected = [0, 2 / np.sqrt((1 + 9) / 2)]
    for column in ("distance", "low", "high"):
        np.testing.assert_allclose(table[column], expected)


def test_without_a_common_channel_the_distance_is_the_root_of_two():
    energy = np.array([[[1.0], [0.0]], [[0.0], [1.0]]] * 2)
    table = by_radius(energy, np.repeat([0, 1], 2), np.array(["visible", "infrared"] * 2), seed=0)
    assert table["distance"][0] == pytest.approx(np.sqrt(2))


def test_a_common_factor_and_silent_channels_change_nothing():
    energy, identity, modality = drawn(6, gap=0.5)
    expected = by_radius(energy, identity, modality, seed=0)
    np.testing.assert_allclose(by_radius(9 * energy, identity, modality, seed=0), expected)
    silent = np.concatenate([energy, np.zeros_like(energy)], 1)
    np.testing.assert_allclose(by_radius(silent, identity, modality, seed=0), expected)
    assert (by_radius(0 * energy, identity, modality, seed=0)["distance"] == 0).all()


def test_people_seen_in_one_modality_do_not_count():
    energy, identity, modality = drawn(5)
    expected = by_radius(energy, identity, modality, seed=0)
    more = by_radius(np.append(energy, [energy[0] * 50], 0), np.append(identity, 9), np.append(modality, "visible"), seed=0)
    np.testing.assert_allclose(more, expected)
    with pytest.raises(ValueError, match="found 1 people in both modalities, expected at least two"):
        by_radius(energy[:4], identity[:4], modality[:4], seed=0)


def test_without_a_gap_the_distance_and_its_interval_reach_zero():
    tables = [by_radius(*drawn(20, seed=seed), seed=0, resamples=200) for seed in range(60)]
    distances = np.array([table["distance"].to_numpy() for table in tables])
    assert (distances == 0).mean() > 0.3  # where the square minus its bias is negative
    assert np.mean([(table["low"] == 0).mean() for table in tables]) > 0.85


def test_intervals_cover_a_true_gap():
    true = 0.6 / np.sqrt((6 * 2**2 + 5 * 2**2 + 2.6**2) / 2)
    tables = [by_radius(*drawn(20, gap=0.6, seed=seed), seed=0, resamples=200) for seed in range(60)]
    last = [table.iloc[-1] for table in tables]
    assert np.mean([row["distance"] for row in last]) == pytest.approx(true, rel=0.03)
    assert np.mean([row["low"] <= true <= row["high"] for row in last]) > 0.85


def test_the_interval_depends_on_the_seed():
    first, again, other = (by_radius(*drawn(8, gap=1.0), seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def filmed(seed, people=20, cameras=6, spread=0.3):
    """Energies of people by cameras that differ in amplitude, in both modalities, which do not differ on average."""
    rng = np.random.default_rng(seed)
    shape = people, cameras, 2
    camera = rng.normal(0, spread, (cameras, 2, 8, 1))
    amplitude = 4 + camera + rng.normal(0, 0.3, (people, 1, 1, 8, 1)) + rng.normal(0, 0.2, (*shape, 8, 1))
    identity, place, side = np.indices(shape).reshape(3, -1)
    return (amplitude**2).reshape(-1, 8, 1), identity, place + 10 * side, np.array(["visible", "infrared"])[side]


def test_differences_between_cameras_are_not_taken_for_a_gap():
    found = [spectral_gap.by_radius(*filmed(seed), seed, resamples=200).iloc[0] for seed in range(40)]
    energies = [filmed(seed) for seed in range(40)]
    blind = [by_radius(energy, who, side, seed, resamples=200).iloc[0] for seed, (energy, who, _, side) in enumerate(energies)]
    assert np.mean([row["low"] == 0 for row in found]) > 0.85
    assert np.mean([row["low"] == 0 for row in blind]) < 0.3
