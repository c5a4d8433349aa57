"""Features belong to their records in whatever order they were computed, and similarities follow the formula."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from fsclib.data.augment import normalise
from fsclib.models.base import Embedding
from fsclib.retrieval.features import WEIGHTINGS, Features, embed, read_features, similarity, write_features

ORIGIN = {"checkpoint": "c1", "data": "d1"}
CPU = torch.device("cpu")


@pytest.fixture
def features():
    """Features of records 7, 2, 9, 4: two views of three numbers each, for image and mirror image."""
    draws = torch.Generator().manual_seed(0)
    pool, neck = (torch.randn(2, 4, 6, generator=draws) for _ in range(2))
    return Features(np.array([7, 2, 9, 4]), pool, neck)


def test_rows_may_be_repeated_and_in_any_order(features):
    pool, neck = features.of(np.array([4, 7, 4, 2]), mirror=False)
    torch.testing.assert_close(pool, features.pool[0, [3, 0, 3, 1]], rtol=0, atol=0)
    torch.testing.assert_close(neck, features.neck[0, [3, 0, 3, 1]], rtol=0, atol=0)


def test_mirror_images_are_added(features):
    pool, neck = features.of(np.array([9, 2]), mirror=True)
    torch.testing.assert_close(pool, features.pool[0, [2, 1]] + features.pool[1, [2, 1]], rtol=0, atol=0)
    torch.testing.assert_close(neck, features.neck[0, [2, 1]] + features.neck[1, [2, 1]], rtol=0, atol=0)


def test_no_rows(features):
    assert features.of(np.array([], dtype=np.int64), mirror=True)[0].shape == (0, 6)


@pytest.mark.parametrize("rows", [[3], [2, 100], [-1]])
def test_a_row_without_features_is_refused(features, rows):
    with pytest.raises(ValueError, match="have no features"):
        features.of(np.array(rows), mirror=False)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_similarity_is_the_sum_over_views(weighting):
    rng = np.random.default_rng(0)
    views, size = 3, 5
    queries, gallery = ([rng.standard_normal((n, views, size), np.float32) for _ in range(2)] for n in (4, 6))
    weights = {"equal": (1, 1), "neck": (0.1, 0.9)}[weighting]
    expected = np.zeros((4, 6))
    for q in range(4):
        for g in range(6):
            for view in range(views):
                for weight, a, b in zip(weights, queries, gallery, strict=True):
                    expected[q, g] += weight * float(np.dot(a[q, view].astype(float), b[g, view].astype(float)))
    found = similarity(*(tuple(torch.from_numpy(x).flatten(1) for x in side) for side in (queries, gallery)), weighting)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_features_are_read_back(tmp_path, features):
    file = tmp_path / "embeddings" / "test.safetensors"
    write_features(file, features, ORIGIN)
    found = read_features(file, dict(reversed(ORIGIN.items())))
    np.testing.assert_array_equal(found.rows, features.rows)
    assert found.rows.dtype == np.int64
    assert torch.equal(found.pool, features.pool)
    assert torch.equal(found.neck, features.neck)
    assert [f.name for f in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("origin", [{}, {"checkpoint": "c1"}, ORIGIN | {"data": "d2"}, ORIGIN | {"more": "x"}])
def test_features_of_another_origin_are_not_used(tmp_path, features, origin):
    write_features(tmp_path / "f", features, ORIGIN)
    assert read_features(tmp_path / "f", origin) is None


@pytest.mark.parametrize("content", [b"", b"rows", b"\x80\x04N."])
def test_a_broken_file_is_not_used(tmp_path, features, content):
    (tmp_path / "f").write_bytes(content)
    assert read_features(tmp_path / "f", ORIGIN) is None
    write_features(tmp_path / "f", features, ORIGIN)
    (tmp_path / "f").write_bytes((tmp_path / "f").read_bytes()[:-4])
    assert read_features(tmp_path / "f", ORIGIN) is None
    assert read_features(tmp_path / "missing", ORIGIN) is None


class Stub(nn.Module):
    """A network with two views of three numbers, which differ between image and mirror image and between modalities."""

    def __init__(self):
        super().__init__()
        self.modes, self.sizes = [], []

    def embed(self, images, modality):
        self.modes.append((self.training, modality))
        self.sizes.append(len(images))
        left = images[:, :, :, 0].mean(2)  # (B, 3), different for the mirror image
        pool = torch.stack([left, left * 2 + 1], 1)
        return Embedding(pool, pool + (1 if modality == "visible" else -1))


@pytest.fixture
def images():
    """Seven random images of 4 × 2 pixels, modalities mixed."""
    pixels = np.random.default_rng(0).integers(0, 256, (7, 4, 2, 3), dtype=np.uint8)
    records = pd.DataFrame({"modality": ["visible", "infrared", "infrared", "visible", "visible", "infrared", "visible"]})
    return SimpleNamespace(records=records, take=lambda rows: pixels[rows])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch", [1, 2, 64])
def test_embed_gives_each_record_its_own_features(images, batch, training, monkeypatch, capsys):
    monkeypatch.setenv("FSCLIB_HEADLESS", "1")
    net, rows = Stub().train(training), np.array([5, 0, 6, 1, 3])
    found = embed(net, images, rows, CPU, torch.float32, batch=batch)
    assert net.training == training
    assert {mode for mode, _ in net.modes} == {False}
    assert max(net.sizes) <= 2 * batch
    assert sorted(found.rows) == sorted(rows)
    assert "embedding images: 5" in capsys.readouterr().out
    for row in rows:
        picture = normalise(torch.from_numpy(images.take([row])))
        both = [Stub().embed(x, images.records["modality"][row]) for x in (picture, picture.flip(3))]
        for part in ("pool", "neck"):
            expected = torch.stack([nn.functional.normalize(getattr(x, part), dim=2).flatten() for x in both])
            place = list(found.rows).index(row)
            torch.testing.assert_close(getattr(found, part)[:, place], expected)
            norms = getattr(found, part)[:, place].view(2, 2, 3).norm(dim=2)
            torch.testing.assert_close(norms, torch.ones(2, 2))


def test_embed_without_mirror_images(images):
    rows = np.arange(7)
    both = embed(Stub(), images, rows, CPU, torch.float32)
    alone = embed(Stub(), images, rows, CPU, torch.float32, mirror=False)
    assert alone.pool.shape == (1, 7, 6)
    torch.testing.assert_close(alone.of(rows, False), both.of(rows, False))
    with pytest.raises(ValueError, match="mirror: found features without mirror images"):
        alone.of(rows, True)


def test_half_precision_keeps_half_the_bytes_and_compares_in_float32(images):
    rows = np.arange(7)
    whole, half = (embed(Stub(), images, rows, CPU, precision) for precision in (torch.float32, torch.bfloat16))
    assert (whole.pool.dtype, half.pool.dtype, half.neck.dtype) == (torch.float32, torch.float16, torch.float16)
    for found, expected in zip(half.of(rows, True), whole.of(rows, True), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-3)


def test_one_modality_alone(images):
    found = embed(Stub(), images, np.array([1, 2]), CPU, torch.float32)
    assert list(found.rows) == [1, 2]
