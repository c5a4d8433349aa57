"""Chance levels equal the averages of the metrics over random similarities."""

from itertools import permutations

import numpy as np
import pytest

from fsclib import metrics
from fsclib.metrics import chance


def sides(seed, queries, gallery, people=4):
    """Identities and cameras of both sides, with unequal numbers of images; the first query has a permitted match."""
    draw = np.random.default_rng(seed)
    gallery_ids = draw.choice(people, gallery, p=np.arange(1, people + 1) / np.arange(1, people + 1).sum())
    query_ids = np.append(gallery_ids[:2], draw.integers(0, people + 1, queries - 2))  # identity `people` has no match
    query_cams, gallery_cams = draw.integers(1, 5, queries), draw.integers(1, 5, gallery)
    query_cams[0], gallery_cams[0] = 3, 1
    return query_ids, gallery_ids, query_cams, gallery_cams


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_all_orders_of_a_small_gallery_average_to_chance(protocol):
    orders = np.array(list(permutations(range(6))), float)
    for seed in range(6):
        query_ids, gallery_ids, query_cams, gallery_cams = sides(seed, 5, 6, people=3)
        every = [np.repeat(side, len(orders)) for side in (query_ids, query_cams)]
        found = metrics.evaluate(np.tile(orders, (5, 1)), every[0], gallery_ids, every[1], gallery_cams, protocol)
        expected = chance.evaluate(query_ids, gallery_ids, query_cams, gallery_cams, protocol)
        np.testing.assert_allclose(expected.cmc, found.cmc, atol=1e-9)
        assert (expected.map, expected.minp) == pytest.approx((found.map, found.minp), abs=1e-9)
        assert expected.queries * len(orders) == found.queries


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_random_similarities_average_to_chance(protocol):
    times, (query_ids, gallery_ids, query_cams, gallery_cams) = 1000, sides(1, 12, 90, people=30)
    every = [np.repeat(side, times) for side in (query_ids, query_cams)]
    similarity = np.random.default_rng(2).random((12 * times, 90), np.float32)
    found = metrics.per_query(similarity, every[0], gallery_ids, every[1], gallery_cams, protocol)
    expected = chance.evaluate(query_ids, gallery_ids, query_cams, gallery_cams, protocol)
    values = [(expected.map, found.average_precision), (expected.minp, found.inverse_negative_penalty)]
    values += [(expected.cmc[rank - 1], found.hits(rank)) for rank in range(1, 21)]
    for value, sample in values:
        sample = sample[found.valid]
        assert abs(sample.mean() - value) < 4.5 * sample.std() / np.sqrt(len(sample)) + 1e-9
    assert expected.queries * times == found.valid.sum()


@pytest.mark.parametrize(("m", "others"), [(1, (1,) * 350), (4, (1, 2, 9) * 100), (1, (80,) * 100), (60, (3,)), (5, ())])
def test_rank_1_over_identities_is_the_share_of_matches(m, others):
    cmc = chance.cmc_over_identities(m, others)
    assert cmc[0] == pytest.approx(m / (m + sum(others)), abs=1e-10)
    assert (np.diff(cmc) > -1e-12).all()
    if len(others) < 20:
        assert cmc[-1] == pytest.approx(1, abs=1e-10)


def test_identities_with_one_image_each_count_like_images():
    np.testing.assert_allclose(chance.cmc_over_identities(1, (1,) * 99), np.arange(1, 21) / 100, atol=1e-10)
    np.testing.assert_allclose(chance.cmc_over_images(1, 100), np.arange(1, 21) / 100, atol=1e-12)
    np.testing.assert_allclose(chance.cmc_over_images(2, 3), [2 / 3, *[1] * 19])


def test_a_large_gallery_does_not_overflow():
    assert chance.inverse_negative_penalty(1000, 10_000) == pytest.approx(0.1, abs=1e-3)
    assert chance.inverse_negative_penalty(1, 10_000) == pytest.approx(chance.average_precision(1, 10_000))


def test_no_match_and_unknown_protocols_are_refused():
    with pytest.raises(ValueError, match="None of 2 queries has a true match"):
        chance.evaluate([1, 2], [3, 4])
    with pytest.raises(ValueError, match="Found protocol 'market'"):
        chance.evaluate([1], [1], protocol="market")
