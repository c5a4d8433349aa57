"""Views: their cosines against a plain loop, and the accuracy of each view alone."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from fsclib.analysis.embedding_space import views
from fsclib.analysis.embedding_space.points import Embedded
from fsclib.config.specs import LLCM
from fsclib.metrics import differences
from fsclib.retrieval.features import Features

MODALITY = np.array(["visible", "infrared"] * 12)
IDENTITY = np.repeat(np.arange(4) + 3, 6)


def embedded(number=3, size=5, seed=0):
    """Random features of 24 images of four people before three cameras, in the form that a tested run has."""
    rng = torch.Generator().manual_seed(seed)
    pool, neck = (F.normalize(torch.randn(2, 24, number, size, generator=rng), dim=3).flatten(2) for _ in range(2))
    camera = np.tile(np.repeat([1, 2, 3], 2), 4)
    records = pd.DataFrame({"identity": IDENTITY, "camera": camera, "modality": MODALITY, "split": "test"})
    records["path"] = [f"{row:04d}.jpg" for row in range(24)]
    images = SimpleNamespace(records=records, protocols=LLCM.protocols)
    return Embedded(None, images, Features(np.arange(24), pool, neck))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_views_are_counted_and_separated(number):
    features = embedded(number).features
    assert views.number(features) == number
    parts = [views.view(features, chosen) for chosen in range(number)]
    assert torch.equal(torch.cat([part.pool for part in parts], 2), features.pool)
    assert torch.equal(torch.cat([part.neck for part in parts], 2), features.neck)


def test_cosines_match_a_plain_loop():
    found = embedded()
    one, two = (views.view(found.features, chosen).pool[0].double().numpy() for chosen in (0, 2))
    ours = views.of_images(torch.from_numpy(one), torch.from_numpy(two), np.unique(IDENTITY, return_inverse=True)[1], MODALITY)
    for i in range(24):
        alike = np.array([name == MODALITY[i] for name in MODALITY])
        assert ours["same image"][i] == pytest.approx(one[i] @ two[i])
        others = [one[i] @ two[j] for j in range(24) if alike[j] and IDENTITY[j] != IDENTITY[i]]
        assert ours["others"][i] == pytest.approx(np.mean(others))
        a, b = one[i] - one[alike].mean(0), two[i] - two[alike].mean(0)
        assert ours["centred"][i] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    table = views.cosines({"a": found}).set_index(["features", "views", "figure"])["value"]
    assert len(table) == 2 * 3 * 3
    for name, values in ours.items():
        assert table["pooled", "0 and 2", name] == pytest.approx(values.mean(), abs=1e-6)


def test_centred_cosines_ignore_what_all_images_have_in_common():
    rng = np.random.default_rng(0)
    person, modality = np.repeat(np.arange(10), 10), np.array(["visible"] * 100)
    common = 50 * np.ones(64)
    one, two = (F.normalize(torch.from_numpy(common + rng.normal(size=(100, 64))), dim=1) for _ in range(2))
    same = views.of_images(one, one, person, modality)
    assert (same["same image"].mean(), same["centred"].mean()) == (pytest.approx(1), pytest.approx(1))
    unrelated = views.of_images(one, two, person, modality)
    assert unrelated["same image"].mean() > 0.99
    assert unrelated["others"].mean() > 0.99
    assert abs(unrelated["centred"].mean()) < 0.05


def test_a_network_of_one_view_has_nothing_to_compare():
    table = views.cosines({"a": embedded(1)})
    assert table.empty
    assert views.alone({"a": embedded(1)})["view"].tolist() == ["all"]
    assert len(views.cosines({"a": embedded(1), "b": embedded(2)})) == 2 * 3


def test_each_view_alone_is_compared_with_all_views():
    found = embedded()
    # view 0 encodes the identity, the others are random
    informed = F.normalize(torch.eye(8)[torch.from_numpy(IDENTITY)], dim=1)
    for side in (found.features.pool, found.features.neck):
        side[:, :, :5] = informed[:, 3:8]
    table = views.alone({"a": found}).set_index("view")
    assert table.index.tolist() == ["all", "0", "1", "2"]
    assert table.loc["0", "map"] == pytest.approx(100)
    for name in ("0", "1", "2"):
        row = table.loc[name]
        assert row["difference"] == pytest.approx(row["map"] - table.loc["all", "map"])
        assert row["low"] <= row["difference"] <= row["high"]
    assert table.loc["1", "map"] < 100
    assert table.loc["all", ["difference", "low", "high"]].isna().all()
    assert set(differences.FIGURES) < set(table)
