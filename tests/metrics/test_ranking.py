"""The retrieval measures against the published programs' numbers and plain loops, including ties and queries without a match."""

from pathlib import Path

import numpy as np
import plain
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsclib import metrics
from fsclib.metrics import bootstrap_interval, chance, evaluate, per_query, ranking

REFERENCE = np.load(Path(__file__).parents[1] / "reference" / "metrics.npz", allow_pickle=False)


def integers(low, high, size):
    return st.lists(st.integers(low, high), min_size=size, max_size=size).map(np.array)


@st.composite
def retrievals(draw):
    """Arguments of `evaluate` except the protocol: few people on few cameras, similarities with many ties or with none."""
    queries, gallery, people = draw(st.integers(1, 6)), draw(st.integers(1, 30)), draw(st.sampled_from([1, 4, 25]))
    if draw(st.booleans()):
        similarity = draw(integers(-2, 2, queries * gallery)).reshape(queries, gallery)
    else:
        similarity = np.random.default_rng(draw(st.integers(0, 2**31))).standard_normal((queries, gallery), np.float32)
    ids = draw(integers(0, people, queries)), draw(integers(0, people, gallery))
    return similarity, *ids, draw(integers(1, 4, queries)), draw(integers(1, 4, gallery))


def random_retrieval(seed=0, queries=40, gallery=60, people=12):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, people, queries), rng.integers(0, people, gallery)
    cameras = rng.integers(1, 5, queries), rng.integers(1, 5, gallery)
    return rng.standard_normal((queries, gallery)), *ids, *cameras


def assert_same(found, expected):
    for name in ("average_precision", "inverse_negative_penalty", "first_rank", "valid", "tied"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("case", [0, 1, 2])
@pytest.mark.parametrize("protocol", ["sysu", "regdb", "llcm"])
def test_published_values(case, protocol):
    cameras = [f"{case}_qc", f"{case}_gc"] if protocol == "sysu" else [f"{case}_qc_llcm", f"{case}_gc_llcm"]
    found = evaluate(*(REFERENCE[name] for name in (f"{case}_sim", f"{case}_qp", f"{case}_gp", *cameras)), protocol)
    np.testing.assert_allclose(found.cmc, REFERENCE[f"{case}_{protocol}_cmc"], rtol=0, atol=1e-6)
    assert found.map == pytest.approx(float(REFERENCE[f"{case}_{protocol}_mAP"]), abs=1e-6)
    assert found.minp == pytest.approx(float(REFERENCE[f"{case}_{protocol}_mINP"]), abs=1e-6)


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
@settings(max_examples=80, deadline=None)
@given(arguments=retrievals(), block=st.sampled_from([1, 50, 1 << 18]))
@example(arguments=(np.zeros((1, 1)), np.array([2]), np.array([2]), np.array([3]), np.array([2])), block=1)
@example(arguments=(np.zeros((1, 1)), np.array([2]), np.array([2]), np.array([2]), np.array([2])), block=1)
@example(arguments=(np.zeros((1, 1)), np.array([2]), np.array([1]), np.array([1]), np.array([2])), block=1)
def test_agrees_with_plain_loops(protocol, arguments, block):
    similarity, query_ids, gallery_ids, query_cams, gallery_cams = arguments
    order = np.argsort(ranking.tie_order(len(gallery_ids)))  # plain loops rank ties in gallery order
    sorted_by_tie = similarity[:, order], query_ids, gallery_ids[order], query_cams, gallery_cams[order]
    singles, means = plain.evaluate(*(argument.tolist() for argument in sorted_by_tie), protocol)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "BLOCK", block)
        found = per_query(*arguments, protocol)
        assert found.valid.tolist() == [single is not None for single in singles]
        for query, single in enumerate(singles):
            one = (found.average_precision[query], found.inverse_negative_penalty[query], found.hits(1)[query])
            if single is None:
                assert np.isnan(one).all()
                assert found.first_rank[query] == 0
            else:
                precision, penalty, hits = single
                assert one == pytest.approx((precision, penalty, hits[0]))
                assert [found.hits(k)[query] for k in range(1, 21)] == hits
        if means is None:
            with pytest.raises(ValueError, match=r"None of \d+ queries has a true match"):
                evaluate(*arguments, protocol)
        else:
            mean = evaluate(*arguments, protocol)
            np.testing.assert_allclose(mean.cmc, means[0], atol=1e-12)
            assert (mean.map, mean.minp) == pytest.approx(means[1:])
            assert mean.queries == found.valid.sum()
            assert 0 < mean.minp <= 1
            assert 0 < mean.map <= 1
            assert (np.diff(mean.cmc) >= 0).all()


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_order_of_queries_does_not_matter(protocol):
    similarity, query_ids, gallery_ids, query_cams, gallery_cams = random_retrieval()
    order = np.random.default_rng(1).permutation(len(query_ids))
    found = per_query(similarity[order], query_ids[order], gallery_ids, query_cams[order], gallery_cams, protocol)
    ordered = per_query(similarity, query_ids, gallery_ids, query_cams, gallery_cams, protocol)
    np.testing.assert_array_equal(found.average_precision, ordered.average_precision[order])
    np.testing.assert_array_equal(found.first_rank, ordered.first_rank[order])


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
@pytest.mark.parametrize("transform", [np.exp, lambda s: 3 * s - 7, np.ndarray.tolist, np.asfortranarray])
def test_only_the_order_of_similarities_matters(protocol, transform):
    similarity, *others = random_retrieval()
    assert_same(per_query(transform(similarity), *others, protocol), per_query(similarity, *others, protocol))


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_order_of_the_gallery_matters_to_ties_only(protocol):
    similarity, query_ids, gallery_ids, query_cams, gallery_cams = random_retrieval()
    order = np.random.default_rng(2).permutation(len(gallery_ids))
    found = per_query(similarity[:, order], query_ids, gallery_ids[order], query_cams, gallery_cams[order], protocol)
    assert_same(found, per_query(similarity, query_ids, gallery_ids, query_cams, gallery_cams, protocol))
    last = ranking.tie_order(3) == 2
    tied = per_query(np.zeros((1, 3)), np.array([1]), np.where(last, 1, 2), np.array([1]), np.array([4, 4, 4]), protocol)
    assert tied.first_rank == (2 if protocol in ("sysu", "llcm") else 3)  # after two images of one identity
    assert tied.tied.all()
    assert not found.tied.any()


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_a_collapsed_network_is_at_chance_whatever_the_order_of_the_gallery(protocol):
    people = np.repeat(np.arange(206), 10)  # the numbers of RegDB; a gallery in the order of its people
    cameras = np.full(len(people), 2), np.full(len(people), 5)
    expected = chance.evaluate(people, people, *cameras, protocol)
    for order in (people, people[::-1], np.tile(np.arange(206), 10)):
        found = evaluate(np.zeros((len(people), len(people))), order, order, *cameras, protocol)
        # deviations over 2,000 random orders of the gallery: 0.006 points of mAP, 0.003 of mINP
        assert 100 * found.map == pytest.approx(100 * expected.map, abs=0.025)
        assert 100 * found.minp == pytest.approx(100 * expected.minp, abs=0.012)
        assert found.cmc[0] == pytest.approx(expected.cmc[0])


def test_ties_between_images_of_one_person_do_not_count():
    found = per_query([[0.5, 0.5, 0.1], [0.5, 0.1, 0.5]], [1, 1], [1, 1, 2])
    assert found.tied.tolist() == [False, True]


def test_a_test_with_many_ties_is_warned_of(caplog):
    ids = np.arange(100)
    similarity = np.random.default_rng(0).standard_normal((100, 100))
    similarity[:5] = 0
    evaluate(similarity, ids, ids)
    assert "exactly as similar" not in caplog.text
    similarity[5] = 0
    evaluate(similarity, ids, ids)
    assert "6 of 100 queries have a match exactly as similar as another person's image" in caplog.text


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_arguments_are_not_modified(protocol):
    arguments = random_retrieval()
    before = [argument.copy() for argument in arguments]
    evaluate(*arguments, protocol)
    for argument, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, copy)


def test_matches_at_ranks_one_and_three():
    found = evaluate([[0.9, 0.8, 0.7, 0.6]], [5], [5, 1, 5, 2])
    assert found.map == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found.minp == pytest.approx(2 / 3)
    assert found.cmc.tolist() == [1.0] * 20


def test_cmc_stays_constant_beyond_the_end_of_a_short_gallery():
    found = evaluate([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]], [5, 6], [6, 1, 5])
    assert found.cmc.shape == (20,)
    assert found.cmc.tolist() == [0.5, 0.5] + [1.0] * 18


def test_cameras_that_hide_every_match_are_refused():
    ids, cameras = np.array([4, 4]), np.array([2, 2])
    for protocol, query_cams in (("sysu", np.array([3, 3])), ("llcm", cameras), ("standard", cameras)):
        with pytest.raises(ValueError, match="None of 2 queries has a true match"):
            evaluate(np.eye(2), ids, ids, query_cams, cameras, protocol)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "cuhk"}, "Found protocol 'cuhk', expected one of sysu, regdb, llcm"),
        ({"similarity": np.zeros(3)}, r"similarity of shape \(3,\) and dtype float64, expected real numbers of shape \(queries"),
        ({"similarity": np.zeros((2, 0))}, r"similarity of shape \(2, 0\).*neither empty"),
        ({"similarity": np.zeros((2, 3), np.float16)}, "half precision.* expected float32 or float64: multiply the embeddings"),
        ({"similarity": torch.zeros(2, 3, dtype=torch.bfloat16)}, "half precision.* expected float32 or float64"),
        ({"similarity": np.zeros((2, 3), complex)}, "dtype complex128, expected real numbers"),
        ({"similarity": np.array([[0, 1, 2], [0, np.nan, 2]])}, r"similarity\[1, 1\] = nan, expected finite numbers"),
        ({"similarity": np.array([[0, 1, -np.inf], [0, 1, 2]])}, r"similarity\[0, 2\] = -inf, expected finite numbers"),
        ({"query_ids": [1, 2, 3]}, r"shape \(3,\) and dtype int64 for query_ids, expected 2 integers: pass one for each row"),
        ({"gallery_ids": [1, 2]}, r"shape \(2,\) and dtype int64 for gallery_ids, expected 3 integers.* each column"),
        ({"query_ids": [1.0, 2.0]}, "dtype float64 for query_ids, expected 2 integers"),
        ({"query_cams": None}, "nothing for query_cams, expected 2 integers.*only regdb needs no cameras"),
        ({"gallery_cams": None, "protocol": "sysu"}, "nothing for gallery_cams, expected 3 integers"),
        ({"gallery_cams": [1, 2]}, r"shape \(2,\) and dtype int64 for gallery_cams"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    arguments = {
        "similarity": np.zeros((2, 3)),
        "query_ids": [1, 2],
        "gallery_ids": [1, 2, 1],
        "query_cams": [3, 6],
        "gallery_cams": [1, 4, 5],
        "protocol": "llcm",
    }
    with pytest.raises(ValueError, match=message):
        evaluate(**arguments | change)


def test_tensors_with_gradients_count_like_arrays():
    similarity, *others = random_retrieval()
    tensors = torch.from_numpy(similarity).requires_grad_(), *map(torch.from_numpy, others)
    assert_same(per_query(*tensors, "llcm"), per_query(similarity, *others, "llcm"))
    assert evaluate(*tensors, "standard").map == evaluate(similarity, *others, "standard").map


def test_distances_in_place_of_similarities_are_noticed(caplog):
    ids = np.arange(50) % 10
    centres = np.random.default_rng(0).standard_normal((10, 8))[ids]
    distances = np.linalg.norm(centres[:, None] - centres + 0.1, axis=2)
    evaluate(-distances, ids, ids)
    assert not caplog.records
    evaluate(distances, ids, ids)
    assert "pass -distances, not distances" in caplog.text


def test_interval_contains_the_mean_and_depends_on_its_seed():
    rng = np.random.default_rng(0)
    values, people = rng.random(200), rng.integers(0, 20, 200)
    low, high = bootstrap_interval(values, people, seed=3)
    assert low < values.mean() < high
    assert bootstrap_interval(values, people, seed=3) == (low, high)
    assert bootstrap_interval(values, people, seed=np.random.default_rng(3)) == (low, high)
    assert bootstrap_interval(values, people, seed=4) != (low, high)
    narrower = bootstrap_interval(values, people, seed=3, level=0.5)
    assert low < narrower[0] < narrower[1] < high


def test_interval_counts_people_not_queries():
    values, people = np.random.default_rng(0).random(30), np.arange(30)
    once = bootstrap_interval(values, people)
    assert bootstrap_interval(np.tile(values, 8), np.tile(people, 8)) == pytest.approx(once)
    naive = bootstrap_interval(np.tile(values, 8), np.arange(8 * 30))
    assert naive[1] - naive[0] < (once[1] - once[0]) / 2
    # Three queries of one person, one of another: half of all draws hold both people, and then each query weighs the same.
    assert bootstrap_interval([0.0, 0.0, 0.0, 1.0], [1, 1, 1, 2], level=0.2) == (0.25, 0.25)


def test_interval_leaves_out_queries_without_a_match():
    values, people = np.random.default_rng(0).random(30), np.arange(30) % 7
    values[[4, 11, 18]] = np.nan
    counted = ~np.isnan(values)
    assert bootstrap_interval(values, people) == bootstrap_interval(values[counted], people[counted])


@pytest.mark.parametrize(
    ("values", "people", "level", "message"),
    [
        ([0.1, 0.2], [1], 0.95, r"values of shape \(2,\) and identities of shape \(1,\), expected \(Q,\) for both"),
        ([np.nan, np.nan], [1, 2], 0.95, "Found 2 values, all nan"),
        ([0.1, 0.2], [1, 2], 95, "Found level 95, expected a share between 0 and 1"),
    ],
)
def test_interval_errors(values, people, level, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, people, level=level)
