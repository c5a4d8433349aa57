"""Distances within and between people: histograms against a plain loop, statistics against scipy and closed forms."""

import numpy as np
import pytest
from pointing import points, unseen
from scipy import stats

from fsclib.analysis.embedding_space import separation

EDGES = np.linspace(0, 2, 401)


def counted(samples, edges=EDGES):
    return np.histogram(samples, edges)[0].astype(float)


@pytest.mark.parametrize("scoring", ["sysu", "regdb", "llcm"])
def test_histograms_match_a_plain_loop(scoring):
    found = points(people=4, scoring=scoring)
    kinds = separation.pairs(found)
    x = found.vectors.double().numpy()
    ends = {kind: set(both) for kind, both in separation.KINDS.items()}
    expected = {kind: {name: [] for name in (separation.SAME, separation.OTHER, separation.MOMENT)} for kind in ends}
    for i in range(len(x)):
        for j in range(len(x)):
            kind = next(kind for kind, both in ends.items() if both == {found.modality[i], found.modality[j]})
            if i == j or (kind == "visible–infrared" and found.modality[i] == "visible"):
                continue
            same, hidden = found.identity[i] == found.identity[j], unseen(found, i, j)
            if same or not hidden:
                name = (separation.MOMENT if hidden else separation.SAME) if same else separation.OTHER
                expected[kind][name].append(1 - x[i] @ x[j])
    for kind, groups in expected.items():
        edges = kinds[kind].edges
        assert len(edges) == separation.BINS + 1
        for name, distances in groups.items():
            ours = kinds[kind].totals[name]
            assert ours.sum() == len(distances)
            # a distance on an edge may fall on either side of it
            np.testing.assert_allclose(ours.cumsum(), counted(distances, edges + 1e-6).cumsum(), atol=2)


def test_with_one_camera_per_modality_nothing_compares_within_it():
    kinds = separation.pairs(points(scoring="regdb"))
    table = separation.table({"a": kinds}).set_index(["kind", "pairs", "figure"])["value"].sort_index()
    assert table["visible–visible", separation.SAME].isna().all()
    assert table["visible–visible", separation.MOMENT].notna().all()
    assert table["visible–infrared", separation.SAME].notna().all()
    assert table["visible–infrared", separation.MOMENT].isna().all()
    shares = separation.histograms({"a": kinds}).set_index(["kind", "pairs"])["share"].sort_index()
    assert shares["visible–visible", separation.SAME].isna().all()


def test_statistics_match_scipy_and_normal_distributions():
    rng = np.random.default_rng(0)
    same, other = rng.normal(0.8, 0.1, 40_000), rng.normal(1.0, 0.15, 40_000)
    found = separation.separation(counted(same), counted(other), EDGES)
    assert found["AUC"] == pytest.approx(1 - stats.mannwhitneyu(same, other).statistic / (len(same) * len(other)), abs=1e-4)
    assert found["d'"] == pytest.approx(0.2 / np.sqrt((0.1**2 + 0.15**2) / 2), abs=0.03)
    x = np.linspace(0, 2, 100_001)
    shared = np.trapezoid(np.minimum(stats.norm.pdf(x, 0.8, 0.1), stats.norm.pdf(x, 1.0, 0.15)), x)
    assert found["overlap"] == pytest.approx(shared, abs=0.02)


def test_fifty_bins_are_accurate_to_three_decimals():
    rng = np.random.default_rng(0)
    same, other = rng.normal(0.2, 0.08, 20_000).clip(0), rng.normal(0.42, 0.1, 20_000).clip(0)
    coarse = np.linspace(0, max(same.max(), other.max()) + 1e-9, separation.BINS + 1)
    found = separation.separation(counted(same, coarse), counted(other, coarse), coarse)
    assert found["AUC"] == pytest.approx(1 - stats.mannwhitneyu(same, other).statistic / 4e8, abs=1e-3)


def test_equal_distances_overlap_and_distant_ones_do_not():
    near, far = counted([0.1, 0.12, 0.2]), counted([0.9, 1.0])
    assert {name: float(value) for name, value in separation.separation(near, near, EDGES).items()} == pytest.approx(
        {"AUC": 0.5, "overlap": 1, "d'": 0}
    )
    apart = separation.separation(near, far, EDGES)
    assert (apart["AUC"], apart["overlap"]) == (pytest.approx(1), pytest.approx(0))
    assert np.isnan(list(separation.separation(near, 0 * far, EDGES).values())).all()


def test_a_resample_is_a_test_set_of_the_drawn_people():
    kinds = separation.pairs(points(people=5, noise=1.0))["visible–infrared"]
    measure = separation.Separation(kinds.edges, kinds.same, kinds.other)
    m = np.array([[2, 0, 1, 1, 1]])
    people = np.repeat(np.arange(5), m[0])
    same = sum(kinds.same[i] for i in people)
    other = sum(kinds.other[:, i, j] for i in people for j in people)
    expected = separation.separation(same, other, kinds.edges)
    for name, value in measure(m).items():
        np.testing.assert_allclose(value, [expected[name]])
    assert measure(np.ones((1, 5)))["AUC"] != pytest.approx(expected["AUC"])


def test_histograms_are_shares_in_per_cent_for_every_run():
    table = separation.histograms({"a": separation.pairs(points()), "b": separation.pairs(points(seed=1))})
    assert table["run"].unique().tolist() == ["a", "b"]
    np.testing.assert_allclose(table.groupby(["run", "kind", "pairs"])["share"].sum(), 100)
    assert (table.groupby(["run", "kind", "pairs"]).size() == separation.BINS).all()
