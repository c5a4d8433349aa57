"""What needs no training: chance and raw pixels under every protocol, from images alone."""

import numpy as np
import pytest
import torch

from fsclib import baselines
from fsclib.data import protocols
from fsclib.data.images import open_images
from fsclib.features import similarity


@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_rows_are_methods_by_protocols_in_per_cent(home, dataset):
    table = baselines.without_training(open_images(dataset, (48, 24), workers=1, show=False), seed=1)
    assert list(table) == ["method", "mode", "direction", "rank1", "map", "minp"]
    expected = [(m, p.mode, p.direction) for m in ("random order", "raw pixels") for p in protocols.for_layout(dataset)]
    assert list(zip(table["method"], table["mode"], table["direction"], strict=True)) == expected
    figures = table[["rank1", "map", "minp"]].to_numpy()
    assert figures.min() >= 0
    assert figures.max() <= 100


def test_equal_seeds_give_equal_rows(home):
    images = open_images("regdb", (48, 24), workers=1, show=False)
    tables = [baselines.without_training(images, seed) for seed in (1, 1, 2)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
    pixels = [table[table["method"] == "raw pixels"] for table in tables]
    assert pixels[0].equals(pixels[2])


def test_a_random_order_is_chance():
    features = baselines.random_features(np.arange(2000), seed=0)
    close = similarity(features.of(np.arange(1000), True), features.of(np.arange(1000, 2000), True))
    assert (close.argmax(1) % 10 == np.arange(1000) % 10).mean() == pytest.approx(0.1, abs=0.03)


def test_pixels_find_the_same_picture_brighter_and_mirrored(home):
    images = open_images("llcm", (48, 24), workers=1, show=False)
    rows = np.arange(6)
    features = baselines.pixel_features(images, rows)

    class Altered:
        def take(self, chosen):
            return (images.take(chosen)[:, :, ::-1] // 2) + 60

    altered = baselines.pixel_features(Altered(), rows)
    close = similarity(features.of(rows, True), altered.of(rows, True))
    assert close.argmax(1).tolist() == rows.tolist()
    assert torch.allclose(features.pool[0], altered.pool[1], atol=0.02)
