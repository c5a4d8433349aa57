"""Re-ranking against loops over sets, written like its definition."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsclib import metrics
from fsclib.config.specs import LLCM
from fsclib.config.strict import ConfigError
from fsclib.data.protocols import Protocol, query_and_gallery
from fsclib.retrieval import rerank, tables
from fsclib.retrieval.features import Features
from fsclib.retrieval.rerank import Reranking


def plain(queries, gallery, k1, k2, weight):
    """(Q, G) distances, float64, by the sets of the definition."""
    points = np.concatenate([queries, gallery]).astype(np.float64)
    squared = ((points[:, None] - points) ** 2).sum(-1)
    distance = squared / squared.max(1, keepdims=True)
    order = [sorted(range(len(points)), key=lambda y: distance[x, y]) for x in range(len(points))]

    def near(x, k):
        return set(order[x][: k + 1])

    def mutual(x, k):
        return {y for y in near(x, k) if x in near(y, k)}

    vectors = np.zeros_like(distance)
    for x in range(len(points)):
        core = mutual(x, k1)
        members = set(core)
        for y in core:
            wider = mutual(y, round(k1 / 2))
            if len(wider & core) > 2 / 3 * len(wider):
                members |= wider
        for y in members:
            vectors[x, y] = np.exp(-distance[x, y])
    vectors /= vectors.sum(1, keepdims=True)
    vectors = np.stack([vectors[order[x][:k2]].mean(0) for x in range(len(points))])
    number = len(queries)
    least = np.minimum(vectors[:number, None], vectors[None, number:]).sum(-1)
    most = np.maximum(vectors[:number, None], vectors[None, number:]).sum(-1)
    return (1 - weight) * (1 - least / most) + weight * distance[:number, number:]


def crowd(seed, people, each, spread, dim=8):
    """Features (people · each, D) around one centre per person, and their identities."""
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(people), each)
    features = rng.standard_normal((people, dim))[identity] + spread * rng.standard_normal((len(identity), dim))
    return features, identity


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    queries=st.integers(1, 12),
    gallery=st.integers(10, 30),
    k1=st.integers(1, 9),
    k2=st.integers(1, 9),
    weight=st.floats(0, 1),
    cells=st.sampled_from([1, 100, 10**6]),
)
def test_agrees_with_sets(seed, queries, gallery, k1, k2, weight, cells):
    features, _ = crowd(seed, 8, 6, 0.5)
    features = np.random.default_rng(seed).permutation(features)[: queries + gallery]
    expected = plain(features[:queries], features[queries:], k1, k2, weight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerank, "CELLS", cells)
        parts = (torch.from_numpy(part).float() for part in (features[:queries], features[queries:]))
        found = rerank.rerank(*parts, Reranking(k1=k1, k2=k2, weight=weight))
    assert found.dtype == np.float32
    np.testing.assert_allclose(-found, expected, atol=2e-5)


def test_published_constants():
    assert (rerank.PUBLISHED.k1, rerank.PUBLISHED.k2, rerank.PUBLISHED.weight) == (20, 6, 0.3)


def test_re_ranking_improves_map_if_images_of_a_person_are_neighbours():
    features, identity = crowd(0, 30, 12, 1.1, dim=16)
    queries = np.arange(len(identity)) % 3 == 0
    parts = [torch.from_numpy(features[chosen]).float() for chosen in (queries, ~queries)]
    before = -torch.cdist(*parts).square().numpy()
    after = rerank.rerank(*parts)
    found = [metrics.evaluate(s, identity[queries], identity[~queries], protocol="regdb").map for s in (before, after)]
    assert found[1] > found[0] + 0.05


def test_equal_images_score_above_others():
    """Where many images coincide, distances are 0 and so is the largest of some row."""
    same = torch.ones(30, 4)
    assert np.isfinite(rerank.rerank(same[:3], same[3:])).all()
    found = rerank.rerank(same[:3], torch.cat([same, -same]))
    assert (found[:, :30] > found[:, 30:]).all()


@pytest.mark.parametrize(("queries", "enough"), [(12, True), (1, False)])
def test_figures_with_and_without_re_ranking_are_listed_together(queries, enough):
    features, identity = crowd(1, 6, 6, 0.8)
    camera = np.tile([1, 2, 3, 1, 2, 3], 6)
    modality = np.tile(["infrared"] * 3 + ["visible"] * 3, 6)
    paths = [f"{row:03d}.jpg" for row in range(36)]
    records = pd.DataFrame({"path": paths, "identity": identity, "camera": camera, "modality": modality, "split": "test"})
    records.loc[np.flatnonzero(modality == "infrared")[queries:], "split"] = "train"
    rng = np.random.default_rng(0)
    parts = [torch.from_numpy(rng.permutation(features, axis=1)).float().expand(2, -1, -1) for _ in range(2)]
    protocol = Protocol("paper", "ir2vis", "llcm", trials=2, cameras=LLCM.cameras["visible"])
    found = rerank.evaluate(Features(np.arange(36), *parts), records, [protocol])
    assert found[["mode", "direction", "trial"]].values.tolist() == [["paper", "ir2vis", 0], ["paper", "ir2vis", 1]]
    plain_figures = tables.evaluate(Features(np.arange(36), *parts), records, [protocol], mirrors=[True], weightings=["equal"])
    np.testing.assert_allclose(found[["rank1", "map", "minp"]], plain_figures[["rank1", "map", "minp"]])
    reranked = found[["reranked_rank1", "reranked_map", "reranked_minp"]]
    if not enough:
        assert reranked.isna().all(axis=None)
        return
    query, gallery = query_and_gallery(records, protocol, 1)
    sides = [np.concatenate([2 * part[0, rows].numpy() for part in parts], 1) for rows in (query, gallery)]
    similarity = -plain(*sides, 20, 6, 0.3)
    ids, cams = (records[column].to_numpy() for column in ("identity", "camera"))
    expected = metrics.evaluate(similarity, ids[query], ids[gallery], cams[query], cams[gallery], protocol="llcm")
    np.testing.assert_allclose(reranked.loc[1], 100 * np.array([expected.cmc[0], expected.map, expected.minp]))


def test_too_few_images_and_impossible_options_are_refused():
    with pytest.raises(ValueError, match=r"found 5 queries and 15 gallery images, expected more than 20 together"):
        rerank.rerank(torch.randn(5, 3), torch.randn(15, 3))
    with pytest.raises(ConfigError, match="k1: found 0"):
        Reranking(k1=0)
