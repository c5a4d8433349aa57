"""Baselines without training: chance and raw pixels under every protocol."""

import numpy as np
import pytest
import torch

from fsclib.config.specs import DATASETS
from fsclib.data.images import open_images
from fsclib.data.records import select
from fsclib.retrieval import baselines, tables
from fsclib.retrieval.features import Features, similarity


@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_rows_are_methods_by_protocols_in_per_cent(home, dataset):
    images = open_images(dataset, (48, 24), workers=1, show=False)
    table = baselines.without_training(images)
    assert list(table) == ["method", "mode", "direction", "rank1", "rank5", "rank10", "rank20", "map", "minp"]
    tested = (*DATASETS[dataset].protocols, *images.further_protocols)
    expected = [(m, p.mode, p.direction) for m in ("chance", "raw pixels") for p in tested]
    assert list(zip(table["method"], table["mode"], table["direction"], strict=True)) == expected
    figures = table[list(baselines.FIGURES)].to_numpy()
    assert figures.min() > 0
    assert figures.max() <= 100 + 1e-9
    assert (np.diff(figures[:, :4], axis=1) >= -1e-9).all()
    curves = baselines.curves(images)
    drawn = [str(p) for p in DATASETS[dataset].protocols]
    assert list(curves) == drawn
    for row in table.to_dict("records"):
        if " ".join(filter(None, (row["mode"], row["direction"]))) not in drawn:
            continue
        curve = curves[" ".join(part for part in (row["mode"], row["direction"]) if part)][row["method"]]
        assert curve[[0, 4, 9, 19]] == pytest.approx([row[f"rank{rank}"] for rank in (1, 5, 10, 20)])


def test_chance_is_what_random_features_score(home):
    images = open_images("llcm", (48, 24), workers=1, show=False)
    rows, generator = select(images.records, "test"), torch.Generator().manual_seed(0)
    found = []
    for _ in range(30):
        drawn = torch.nn.functional.normalize(torch.randn(2, len(rows), 16, generator=generator), dim=2)
        features = Features(rows, drawn, torch.zeros(2, len(rows), 1))
        trials = tables.evaluate(features, images.records, DATASETS["llcm"].protocols, mirrors=[True], weightings=["equal"])
        found.append(trials.groupby(["mode", "direction"], sort=False)[["rank1", "map", "minp"]].mean().to_numpy())
    chance = baselines.without_training(images)[["rank1", "map", "minp"]].to_numpy()[:3]
    error = np.std(found, axis=0) / len(found) ** 0.5
    assert (np.abs(np.mean(found, axis=0) - chance) < 4 * error).all()


def test_pixels_find_the_same_picture_brighter_and_mirrored(home):
    images = open_images("llcm", (48, 24), workers=1, show=False)
    rows = np.arange(6)
    features = baselines.pixel_features(images, rows)

    class Altered:
        def take(self, chosen):
            return (images.take(chosen)[:, :, ::-1] // 2) + 60

    altered = baselines.pixel_features(Altered(), rows)
    scores = similarity(features.of(rows, True), altered.of(rows, True))
    assert scores.argmax(1).tolist() == rows.tolist()
    assert torch.allclose(features.pool[0], altered.pool[1], atol=0.02)
