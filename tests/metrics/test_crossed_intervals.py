"""Intervals over people and cameras: what is drawn together, and how often they contain the truth."""

import numpy as np
import pytest

from fsclib.metrics.bootstrap import bootstrap_interval, image_multiplicities, interval, multiplicities


def crossed(people, cameras, modalities=1):
    """Labels of one image of each person by each camera and modality; cameras of different modalities have different names."""
    labels = np.indices((people, cameras, modalities)).reshape(3, -1)
    return labels[0], 100 * labels[2] + labels[1], labels[2]


def test_an_image_counts_as_often_as_its_person_times_its_camera():
    people, cameras, modalities = crossed(6, 4, 2)
    times = image_multiplicities(people, cameras, modalities, 50, seed=0).reshape(-1, 6, 4, 2)
    person, camera = times.sum((2, 3)) / (3 * 2), times.sum(1) / 6  # three of four cameras are drawn in each modality
    np.testing.assert_allclose(person.sum(1), 6)
    np.testing.assert_allclose(camera.sum(1), 3)
    np.testing.assert_allclose(times, person[:, :, None, None] * camera[:, None])
    assert not np.array_equal(camera[..., 0], camera[..., 1])


def test_with_one_camera_people_are_resampled():
    people, cameras, modalities = crossed(6, 1)
    times = image_multiplicities(people, cameras, modalities, 50, seed=0)
    np.testing.assert_array_equal(times, multiplicities(6, 50, np.random.default_rng(0)))


def test_resamples_without_an_image_of_a_modality_are_left_out():
    times = image_multiplicities([0, 1, 0, 1], [1, 2, 3, 3], ["visible", "visible", "infrared", "infrared"], 400, seed=0)
    assert 200 < len(times) < 400  # person 0 was seen by camera 1 only, person 1 by camera 2 only
    assert times[:, :2].any(1).all()
    assert times[:, 2:].any(1).all()


def covered(people, cameras, spread, trials=200):
    """How often the interval of a mean contains the truth, 0: over people and cameras, over people, and over images."""
    rng, found = np.random.default_rng(0), np.zeros(3)
    who, camera, _ = crossed(people, cameras)
    for seed in range(trials):
        effects = (rng.normal(0, s, n) for s, n in zip(spread, (people, cameras), strict=True))
        values = sum((effect[label] for effect, label in zip(effects, (who, camera), strict=True)), rng.normal(0, 1, len(who)))
        times = image_multiplicities(who, camera, np.zeros(len(who)), 300, seed)
        both = interval(times @ values / times.sum(1))
        ends = (both, *(bootstrap_interval(values, labels, seed, resamples=300) for labels in (who, np.arange(len(who)))))
        found += [low <= 0 <= high for low, high in ends]
    return found / trials


def test_the_interval_covers_the_truth_when_cameras_carry_variance():
    both, people, images = covered(people=30, cameras=10, spread=(0.5, 1.0))
    assert both > 0.88
    assert people < 0.6
    assert images < 0.6


def test_without_variance_between_cameras_the_interval_is_too_wide_rather_than_too_narrow():
    both, people, _ = covered(people=30, cameras=10, spread=(0.5, 0.0))
    assert both >= people
    assert people == pytest.approx(0.95, abs=0.05)
