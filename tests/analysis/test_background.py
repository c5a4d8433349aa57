"""The leak test on made-up data whose leaks are known: it finds what the border reveals and nothing else."""

import numpy as np
import pytest

from fsclib.analysis import background
from fsclib.data.images import open_images

CLASSIFIERS = set(background.CLASSIFIERS)


def walks(people=12, cameras=2, each=6, height=48, width=24, seed=0):
    """Noise images uint8 (N, H, W, 3) of people at cameras, with identities and cameras; the images of a walk are consecutive."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (people * cameras * each, height, width, 3), dtype=np.uint8)
    identities = np.repeat(np.arange(people) + 7, cameras * each)
    return images, identities, np.tile(np.repeat(np.arange(cameras), each), people)


def marked(images, identities, cameras, columns, seed=1):
    """Copies in which these columns hold stripes unique to each walk, and a little noise."""
    rng = np.random.default_rng(seed)
    bands = (images.shape[1] // 4, 1, 3)
    stripes = {walk: rng.integers(20, 230, bands).repeat(4, axis=0) for walk in zip(identities, cameras, strict=True)}
    images = images.copy()
    for image, walk in zip(images, zip(identities, cameras, strict=True), strict=True):
        image[:, columns] = stripes[walk] + rng.integers(-5, 6, image[:, columns].shape)
    return images


@pytest.mark.parametrize("size", [(96, 36), (384, 144), (64, 24), (50, 17), (7, 5)])
def test_borders_depend_on_the_whole_frame_and_nothing_else(size):
    height, width = size
    images = walks(people=2, each=1, height=height, width=width)[0]
    features = background.borders(images)
    assert features.shape == (len(images), 90)
    assert features.dtype == np.float32
    side, top = max(1, round(width / 12)), max(1, round(height / 24))
    inner = images.copy()
    inner[:, top:, side:-side] = 255 - inner[:, top:, side:-side]
    np.testing.assert_array_equal(background.borders(inner), features)
    for y, x in ((height - 1, 0), (height // 2, side - 1), (height - 1, width - side), (0, width // 2), (top - 1, side)):
        other = images.copy()
        other[:, y, x] = 255 - other[:, y, x]
        assert (background.borders(other) != features).any(1).all(), (y, x)


def test_cells_are_means_of_colours():
    image = np.zeros((1, 48, 24, 3), np.uint8)
    image[:, :4, :2] = (10, 20, 30)  # the uppermost cell of the left strip
    np.testing.assert_array_equal(background.borders(image)[0, :6], [10, 20, 30, 0, 0, 0])
    image[:, :, :] = (10, 20, 30)
    np.testing.assert_allclose(background.borders(image), np.tile([10, 20, 30], 30)[None], rtol=1e-6)
    np.testing.assert_allclose(background.wholes(image), np.tile([10, 20, 30], 72)[None], rtol=1e-6)


def test_a_border_that_reveals_the_person_is_found():
    images, identities, cameras = walks()
    leaking = marked(images, identities, cameras, slice(0, 2))
    result = background.leak_test(background.borders(leaking), identities, cameras, seed=0)
    assert set(result["classifier"]) == CLASSIFIERS
    assert result["accuracy"].min() > 95
    assert (result["low"] > 90).all()
    assert (result["images"] == len(images)).all()
    assert (result["identities"] == 12).all()
    assert (result["cameras"] == 2).all()


def test_a_border_that_reveals_nothing_is_at_chance():
    images, identities, cameras = walks()
    inside = marked(images, identities, cameras, slice(4, 20))
    inside[:, :3] = images[:, :3]
    border = background.leak_test(background.borders(inside), identities, cameras, seed=0).set_index("classifier")
    assert ((border["low"] <= border["chance"]) & (border["chance"] <= border["high"])).all()
    whole = background.leak_test(background.wholes(inside), identities, cameras, seed=0)
    assert whole["accuracy"].min() > 90
    halves = border.loc[["nearest neighbour, halves", "logistic regression, halves"], "chance"]
    np.testing.assert_allclose(halves, 100 / 12)
    assert border.loc["nearest neighbour, one left out", "chance"] == pytest.approx(100 * 5 / 71)


def test_differences_between_cameras_are_not_a_leak():
    images, identities, cameras = walks(people=10)
    cameras = np.where(identities % 2, cameras, cameras + 2)  # each half of the people has two cameras of its own
    images[:] = (cameras * 60)[:, None, None, None]
    result = background.leak_test(background.borders(images), identities, cameras, seed=0)
    assert result["accuracy"].max() <= 20 + 1e-6  # each camera sees five people
    np.testing.assert_allclose(result["chance"], [100 * 5 / 29, 20, 20])


def test_neighbouring_frames_help_only_if_a_single_one_is_left_out():
    images, identities, cameras = walks(people=8, cameras=1, each=10)
    features = np.random.default_rng(3).normal(size=(len(images) // 2, 20))
    twins = np.repeat(features, 2, axis=0)  # equal frames in pairs; the pairs of a walk are unrelated
    keep = np.arange(len(images)) % 10 < 8  # an even number of pairs: halving a walk splits none
    result = background.leak_test(twins[keep], identities[keep], cameras[keep], seed=0).set_index("classifier")
    assert result.loc["nearest neighbour, one left out", "accuracy"] == 100
    assert result.loc["nearest neighbour, halves", "accuracy"] < 40
    assert result.loc["logistic regression, halves", "accuracy"] < 40


def test_equal_seeds_give_equal_results_and_the_input_is_bounded():
    identities = np.repeat(np.arange(300), 20)
    cameras = np.repeat(np.arange(2), len(identities) // 2)
    rows = background.draw(identities, cameras, seed=1)
    assert background.LIMIT - background.WALK < len(rows) <= background.LIMIT
    assert (np.unique(identities[rows], return_counts=True)[1] == background.WALK).all()
    np.testing.assert_array_equal(rows, background.draw(identities, cameras, seed=1))
    assert not np.array_equal(rows, background.draw(identities, cameras, seed=2))
    np.testing.assert_array_equal(background.draw(identities[rows], cameras[rows], seed=5), np.arange(len(rows)))


def test_people_who_cannot_be_compared_are_left_out():
    #                     a pair | the only person at camera 2 | a single picture | another pair
    identities = np.array([1, 1, 2, 2, 3, 4, 4])
    cameras = np.array([1, 1, 2, 2, 1, 1, 1])
    np.testing.assert_array_equal(background.draw(identities, cameras, seed=0), [0, 1, 5, 6])
    nothing = background.leak_test(np.zeros((3, 5), np.float32), np.array([1, 2, 2]), np.array([1, 2, 2]))
    assert (nothing["images"] == 0).all()
    assert nothing[["accuracy", "low", "high", "chance"]].isna().to_numpy().all()


@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_the_table_has_a_row_per_modality_pixels_and_classifier(home, dataset):
    images = open_images(dataset, (48, 24), workers=1, show=False)
    table = background.table(images, seed=0)
    assert list(table) == ["modality", "pixels", *background.COLUMN_NAMES]
    found = set(zip(table["modality"], table["pixels"], table["classifier"], strict=True))
    assert found == {(m, p, c) for m in ("visible", "infrared") for p in ("border", "whole image") for c in CLASSIFIERS}
    shown = table[table["images"] > 0]
    assert len(shown)
    assert (shown["low"] <= shown["accuracy"]).all()
    assert (shown["accuracy"] <= shown["high"]).all()
    assert shown[["low", "high", "chance"]].to_numpy().min() >= 0
    assert shown[["low", "high", "chance"]].to_numpy().max() <= 100


def test_the_features_of_no_images_are_empty():
    nothing = np.zeros((0, 192, 72, 3), np.uint8)
    assert background.borders(nothing).shape == (0, 90)
    assert background.wholes(nothing).shape == (0, 216)
