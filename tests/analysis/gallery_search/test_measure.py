"""Reduction, exact neighbours, recall and the costs extrapolated from measurements."""

import numpy as np
import pandas as pd
import pytest
from searching import ORIGIN, crowd, some

from fsclib.analysis.gallery_search import measurement, projection
from fsclib.retrieval.gallery import EXACT, IVFPQ, Cut, Gallery, IndexOptions, reduction


def test_reduction_keeps_inner_products_with_queries():
    people, queries = crowd(6000)[0], crowd(6000).queries(300)
    learnt = crowd(6000, seed=1).queries(300).vectors
    product = queries.vectors @ people.vectors.T
    errors = {}
    for name, stand_in in (("queries", learnt), ("gallery", people.vectors[:300])):
        for dimensions in (8, 40):
            found = reduction.fit(people.vectors[:2000], stand_in, dimensions, 4)
            reduced, added = found.queries(queries.vectors)
            assert reduced.shape == (300, dimensions)
            again = reduced @ found.images(people.vectors).T + added[:, None]
            errors[name, dimensions] = np.abs(again - product).mean() / product.std()
            assert 0 < found.kept < 1 + 1e-9
            assert (found.images(people.vectors[:2000]) ** 2).sum(1).mean() == pytest.approx(1, abs=0.01)
    assert errors["queries", 40] < 1e-4
    assert errors["queries", 8] < 0.9 * errors["gallery", 8]


def test_reduction_of_fewer_images_than_dimensions():
    images = some(10, 24)
    found = reduction.fit(images.vectors, images.vectors, 10, 5)
    reduced, added = found.queries(images.vectors)
    product = reduced @ found.images(images.vectors).T + added[:, None]
    np.testing.assert_allclose(product, images.vectors @ images.vectors.T, atol=1e-2)
    same = reduction.fit(np.ones((5, 3), np.float32), np.zeros((5, 3), np.float32), 3, 1)
    assert np.isfinite(same.gallery).all()
    assert np.isfinite(same.query).all()


def test_columns_are_dealt_evenly_to_the_bytes_of_a_code():
    assert reduction._dealt(8, 4).tolist() == [0, 7, 1, 6, 2, 5, 3, 4]
    assert reduction._dealt(6, 2).tolist() == [0, 3, 4, 1, 2, 5]
    assert sorted(reduction._dealt(256, 64)) == list(range(256))


def test_neighbours_match_the_whole_matrix_product():
    images, queries = some(700, seed=1), some(20, seed=2)
    near = measurement.neighbours(Cut(images, 130), queries, None)
    product = queries.vectors @ images.vectors.T
    np.testing.assert_array_equal(near.whole, np.argsort(-product, 1, kind="stable")[:, : measurement.DEPTH])
    np.testing.assert_allclose(near.similarity, -np.sort(-product, 1)[:, : measurement.DEPTH], rtol=1e-5)
    assert measurement.recall(near.whole, near.whole, 10) == 1
    assert measurement.recall(near.whole[:, ::-1], near.whole, 10) == 0
    assert measurement.recall(np.array([[1, 2, -1]]), np.array([[2, 3, 4]]), 3) == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", [EXACT, IVFPQ])
def test_a_row_of_measurements(kind, tmp_path):
    if kind == IVFPQ:
        pytest.importorskip("faiss", reason="lists of codes need faiss: pip install 'fsclib[gallery]'")
    people, options = crowd(3000), IndexOptions(kind=kind, dimensions=32, code=16)
    queries = people.queries(30)
    row, near = measurement.measure(people, tmp_path / "a", ORIGIN, options, queries, crowd(seed=1).queries(50).vectors, None)
    again, _ = measurement.measure(people, tmp_path / "a", ORIGIN, options, queries, queries.vectors, near)
    assert (row["kind"], row["images"], row["vector_bytes"]) == (kind, 3000, 64)
    assert row["build_s"] == again["build_s"] > 0
    assert row["recall10"] == again["recall10"] > (0.95 if kind == EXACT else 0.6)
    assert row["code_bytes"] == (16 + 8 if kind == IVFPQ else 0)
    assert row["bytes"] > row["vector_bytes"] + row["code_bytes"] + 8
    assert 0 < row["median_ms"] <= row["p95_ms"]
    if kind == IVFPQ:
        curve = measurement.curve(Gallery(tmp_path / "a", None), queries, near)
        assert curve["probes"].is_monotonic_increasing
        assert curve["recall10"].iloc[-1] > curve["recall10"].iloc[0]


def table(*sizes):
    """Measurements that follow the formulas of projection.py exactly."""
    rows = []
    for images in sizes:
        settled = IndexOptions(kind=IVFPQ).settled(images, 512)
        rows.append({
            "kind": IVFPQ, "images": images, "lists": settled.lists, "probes": settled.probes, "reduction_s": 2.0,
            "training_s": 1 + 1e-6 * settled.lists**2, "filling_s": images * (1e-5 + 1e-8 * settled.lists),
            "merging_s": 1e-7 * images,
            "median_ms": 1 + 1e-3 * (4 * settled.lists + settled.probes * images / settled.lists),
            "code_bytes": 72.0, "vector_bytes": 512.0,
        })  # fmt: skip
    return pd.DataFrame(rows)


def test_extrapolation_follows_the_formulas():
    found = projection.extrapolate(table(10**5, 10**6), 512, IndexOptions(), counts=(10**7, 10**9))
    assert found[["images", "machines"]].values.tolist() == [[10**7, 1], [10**9, 1], [10**9, 10]]
    (expected,) = table(10**7).to_dict("records")
    assert found["latency_ms"][0] == pytest.approx(expected["median_ms"], rel=1e-3)
    seconds = sum(expected[f"{part}_s"] for part in ("reduction", "training", "filling", "merging"))
    assert found["build_h"][0] == pytest.approx(seconds / 3600, rel=1e-3)
    assert found["disk_gb"].tolist() == pytest.approx([5.92, 592, 592])
    assert found["memory_gb"][2] < found["memory_gb"][1] / 9
    one = projection.extrapolate(table(10**6), 512, IndexOptions(), counts=(10**6,))
    assert one["latency_ms"][0] == pytest.approx(table(10**6)["median_ms"][0])
    with pytest.raises(ValueError, match="found no row of kind ivfpq"):
        projection.extrapolate(table(10**6).assign(kind=EXACT), 512, IndexOptions())
