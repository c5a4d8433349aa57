"""Searching: the same results as a masked matrix product, and nearly the same from lists of codes."""

import numpy as np
import pytest
from searching import ORIGIN, crowd, plain, ranked, some

from fsclib import metrics
from fsclib.analysis.gallery_search.measurement import neighbours, recall
from fsclib.retrieval.gallery import EXACT, IVFPQ, Cut, Gallery, IndexOptions, build
from fsclib.retrieval.gallery.visibility import Visibility

IMAGES, QUERIES = some(700, seed=1), some(30, seed=2)
EVERYTHING = {"probes": 1 << 20, "rerank": 700}


@pytest.fixture(scope="module", params=[EXACT, IVFPQ])
def gallery(request, tmp_path_factory):
    if request.param == IVFPQ:
        pytest.importorskip("faiss", reason="lists of codes need faiss: pip install 'fsclib[gallery]'")
    folder = tmp_path_factory.mktemp("index") / request.param
    build(folder, Cut(IMAGES, 300), ORIGIN, IndexOptions(kind=request.param))
    return Gallery(folder, ORIGIN)


@pytest.mark.parametrize("cameras", [(), (3,), (1, 2)], ids=str)
@pytest.mark.parametrize("scoring", metrics.PROTOCOLS)
def test_a_search_agrees_with_a_masked_matrix_product(gallery, scoring, cameras):
    found = gallery.search(
        QUERIES.vectors, 15, identity=QUERIES.identity, camera=QUERIES.camera, scoring=scoring, cameras=cameras, **EVERYTHING
    )
    similarity = plain(gallery, IMAGES, QUERIES, scoring, cameras)
    np.testing.assert_array_equal(found.row, ranked(similarity, 15))
    there = found.row >= 0
    expected = np.take_along_axis(similarity, found.row.clip(0), 1)
    np.testing.assert_allclose(found.similarity[there], expected[there], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(found.identity[there], IMAGES.identity[found.row[there]])
    np.testing.assert_array_equal(found.camera[there], IMAGES.camera[found.row[there]])
    whole = np.take_along_axis(QUERIES.vectors @ IMAGES.vectors.T, found.row.clip(0), 1)  # no dimension is dropped: nothing is lost
    np.testing.assert_allclose(found.similarity[there], whole[there], atol=0.05)


@pytest.mark.parametrize("cameras", [(3, 3, 3, 3), np.array([2, 1, 2, 2])], ids=["one", "two"])
def test_cameras_may_be_named_twice(gallery, cameras):
    found = gallery.search(QUERIES.vectors, 15, cameras=cameras, **EVERYTHING)
    assert set(found.camera.ravel()) == set(cameras)


def test_many_queries_are_re_ranked_in_blocks(gallery, monkeypatch):
    expected = gallery.search(QUERIES.vectors, 15, **EVERYTHING)
    monkeypatch.setattr("fsclib.retrieval.gallery.gallery.AGAIN", 1)
    found = gallery.search(QUERIES.vectors, 15, **EVERYTHING)
    np.testing.assert_array_equal(found.row, expected.row)
    np.testing.assert_allclose(found.similarity, expected.similarity, rtol=1e-5)


@pytest.mark.parametrize("scoring", metrics.PROTOCOLS)
def test_people_are_found_once_each_by_their_best_image(gallery, scoring):
    labels = {"identity": QUERIES.identity, "camera": QUERIES.camera}
    found = gallery.search(QUERIES.vectors, 20, **labels, scoring=scoring, cameras=(1,), people=True, **EVERYTHING)
    similarity = plain(gallery, IMAGES, QUERIES, scoring, (1,))
    for row, best in zip(found.row, ranked(similarity, 700), strict=True):
        best = best[best >= 0]
        first = np.sort(np.unique(IMAGES.identity[best], return_index=True)[1])
        np.testing.assert_array_equal(row[row >= 0], best[first][:20])
        assert (row[len(first) :] == -1).all()


def test_missing_results_are_padded(gallery):
    where = int(IMAGES.camera[0])
    few = gallery.search(QUERIES.vectors[:2], 700, cameras=(where,), **EVERYTHING)
    number = int((IMAGES.camera == where).sum())
    assert (few.row[:, number:] == -1).all()
    assert (few.identity[:, number:] == -1).all()
    assert np.isneginf(few.similarity[:, number:]).all()
    assert (np.sort(few.row[:, :number], 1) == np.flatnonzero(IMAGES.camera == where)).all()


def test_lists_of_codes_find_nearly_what_an_exact_search_finds(tmp_path):
    pytest.importorskip("faiss", reason="lists of codes need faiss: pip install 'fsclib[gallery]'")
    people = crowd(12_000)
    queries = people.queries(100)
    build(tmp_path / "a", people, ORIGIN, IndexOptions(kind=IVFPQ, dimensions=32, code=16), crowd(seed=1).queries(200).vectors)
    gallery = Gallery(tmp_path / "a", ORIGIN)
    near = neighbours(people, queries, gallery.reduction)
    settled = gallery.manifest.options
    assert settled.probes < settled.lists / 5
    assert recall(gallery.search(queries.vectors).row, near.reduced, 10) > 0.9
    everywhere = {"probes": settled.lists}
    assert recall(gallery.search(queries.vectors, **everywhere).row, near.reduced, 10) > 0.99
    codes_alone = recall(gallery.search(queries.vectors, **everywhere, rerank=0).row, near.reduced, 10)
    assert 0.3 < codes_alone < 0.99  # what re-ranking makes up for
    assert recall(near.reduced, near.whole, 10) > 0.9


@pytest.mark.parametrize("scoring", metrics.PROTOCOLS)
def test_visibility_hides_what_the_protocols_hide(scoring):
    visibility = Visibility(np.stack([IMAGES.identity, IMAGES.camera], 1).astype(np.int32))
    expected = metrics.hidden(QUERIES.identity, IMAGES.identity, QUERIES.camera, IMAGES.camera, scoring)
    met = []
    for view, chosen in visibility.views(len(QUERIES), QUERIES.identity, QUERIES.camera, scoring, ()):
        seen = np.ones(len(IMAGES), bool) if view.cameras is None else np.isin(IMAGES.camera, list(view.cameras))
        seen[list(view.hidden)] = False
        assert (~seen == expected[chosen]).all()
        assert visibility.number(view) == seen.sum()
        met += chosen
    assert sorted(met) == list(range(len(QUERIES)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": QUERIES.vectors[:, :20]}, r"queries: found shape \(30, 20\), expected one or more of dimension 24"),
        ({"queries": QUERIES.vectors[0]}, r"queries: found shape \(24,\)"),
        ({"queries": QUERIES.vectors[:0]}, r"queries: found shape \(0, 24\)"),
        ({"queries": np.where(np.arange(30)[:, None] == 7, np.nan, QUERIES.vectors)}, "queries: number 7 is not finite"),
        ({"k": 0}, "k: found 0, expected a whole number from 1"),
        ({"k": 2.0}, "k: found 2.0"),
        ({"scoring": "LLCM"}, "scoring: found 'LLCM', expected one of sysu, regdb, llcm"),
        ({"scoring": "llcm"}, "identity: found none, expected 30 whole numbers"),
        ({"scoring": "sysu", "identity": QUERIES.identity, "camera": QUERIES.camera[:5]}, r"camera: found shape \(5,\)"),
        ({"cameras": (1, 9)}, "cameras: found 9, expected some of the gallery's cameras 1, 2, 3, 4"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:30],
)
def test_impossible_queries_are_refused(gallery, changes, message):
    with pytest.raises(ValueError, match=message):
        gallery.search(**{"queries": QUERIES.vectors} | changes)
