"""Paired differences and their intervals against scipy, closed forms and explicit resamples of people."""

from math import nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fsclib import metrics
from fsclib.metrics import differences
from fsclib.metrics.differences import by_identity, holm, paired_difference
from tools.simulations import rows


def searched(seed, queries=60, people=9):
    """Identities of queries and their results; the last person has no image in the gallery."""
    rng = np.random.default_rng(seed)
    query_ids, gallery_ids = rng.integers(0, people, queries), rng.integers(0, people - 1, 25)
    return query_ids, metrics.per_query(rng.standard_normal((queries, 25)), query_ids, gallery_ids)


def test_people_add_up_to_the_mean_over_trials():
    trials = [searched(seed) for seed in range(4)]
    table = by_identity(trials)
    assert set(table["identity"]) == set(range(8))
    assert table["share"].sum() == pytest.approx(1, abs=1e-12)
    means = [metrics.average(found) for _, found in trials]
    for figure, expected in (
        ("rank1", [m.cmc[0] for m in means]), ("map", [m.map for m in means]), ("minp", [m.minp for m in means]),
    ):  # fmt: skip
        assert (table["share"] * table[figure]).sum() == pytest.approx(100 * np.mean(expected), abs=1e-9)


def test_a_resample_of_people_has_the_figure_of_their_queries():
    identity, found = searched(1)
    table = by_identity([(identity, found)]).set_index("identity")
    times = np.random.default_rng(2).multinomial(8, np.full(8, 1 / 8))
    queries = np.concatenate([np.flatnonzero(identity == who).repeat(times[who]) for who in range(8)])
    weights = times * table["share"]
    assert (weights * table["map"]).sum() / weights.sum() == pytest.approx(100 * np.nanmean(found.average_precision[queries]))


def test_one_training_has_the_interval_of_the_cluster_bootstrap():
    (identity, first), (_, second) = searched(3), searched(3)
    second.average_precision[:] = second.average_precision**2
    sides = [
        by_identity([(identity, found)]).rename(columns={"map": "figure"}).assign(replicate="seed 0") for found in (first, second)
    ]
    found = paired_difference(*sides, seed=5)
    difference = 100 * (first.average_precision - second.average_precision)
    assert found.mean == pytest.approx(np.nanmean(difference))
    assert (found.low, found.high) == pytest.approx(metrics.bootstrap_interval(difference, identity, seed=5))
    assert np.isnan([found.low_seeds, found.high_seeds]).all()


def test_the_interval_over_people_matches_scipy():
    rng = np.random.default_rng(0)
    method = rng.gamma(2, 10, 40)
    baseline = method - rng.gamma(1, 3, 40)
    expected = stats.bootstrap(
        (method, baseline), lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True, method="percentile", n_resamples=20_000, rng=1,
    ).confidence_interval  # fmt: skip
    found = paired_difference(rows([method]), rows([baseline]), resamples=20_000)
    width = expected.high - expected.low
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.03 * width)
    assert found.mean == pytest.approx((method - baseline).mean())


def test_trainings_have_the_interval_and_p_value_of_a_t_test():
    each = [4.0, 1.0, 2.5]
    found = paired_difference(rows([[value] * 5 for value in each]), rows(np.zeros((3, 5))))
    expected = stats.ttest_1samp(each, 0)
    assert (found.low, found.high) == (2.5, 2.5)
    assert (found.low_seeds, found.high_seeds) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.p == pytest.approx(expected.pvalue)  # larger than that of people, who agree
    assert found.interval == (found.low_seeds, found.high_seeds)


def test_the_p_value_is_that_of_people_where_they_differ_more_than_trainings():
    people = np.random.default_rng(4).normal(2, 6, 50)
    found = paired_difference(rows([people] * 4 + np.linspace(-0.1, 0.1, 4)[:, None]), rows(np.zeros((4, 50))))
    assert found.p == pytest.approx(stats.ttest_1samp(people, 0).pvalue, abs=0.02)
    assert found.interval == (found.low, found.high)
    assert found.high_seeds - found.low_seeds < 0.5


def test_fewer_than_three_trainings_have_no_p_value():
    for replicates in (1, 2):
        found = paired_difference(rows(np.full((replicates, 5), 9.0)), rows(np.random.default_rng(0).random((replicates, 5))))
        assert found.low > 8
        assert np.isnan([found.p, found.detectable]).all()


@pytest.mark.parametrize("seeds", [0.5, 4.0])
def test_a_detectable_difference_is_found_four_times_in_five(seeds):
    """With that true difference, p is below 0.05 in about 80 %."""
    rng = np.random.default_rng(1)

    def drawn(true):
        table = true + rng.normal(0, seeds, (5, 1)) + rng.normal(0, 8, 60)
        return paired_difference(rows(table), rows(np.zeros((5, 60))), resamples=500)

    size = np.mean([drawn(0.0).detectable for _ in range(60)])
    assert np.mean([drawn(size).p < 0.05 for _ in range(200)]) == pytest.approx(0.8, abs=0.12)


def test_holm_corrects_each_p_value_by_the_number_of_tests_left():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, nan, 0.02]) == pytest.approx([0.5, nan, 0.04], nan_ok=True)
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).tolist() == []


def test_what_both_methods_share_cancels_in_the_difference():
    hard = np.random.default_rng(5).normal(50, 30, 30)
    found = paired_difference(rows([hard + 2, hard + 2]), rows([hard, hard]))
    assert (found.mean, found.low, found.high, found.low_seeds, found.high_seeds) == pytest.approx((2, 2, 2, 2, 2))


def test_people_absent_from_a_trial_have_no_share_in_it():
    figure, share = [[10.0, 30.0, nan, nan], [nan, nan, 50.0, 70.0]], [[0.5, 0.5, nan, nan], [nan, nan, 0.25, 0.75]]
    method = rows(figure, share).dropna()
    found = paired_difference(method, method.assign(figure=0.0))
    assert found.mean == pytest.approx(((10 + 30) / 2 + (50 + 3 * 70) / 4) / 2)
    assert 10 < found.low < found.mean < found.high < 70


def test_rows_are_paired_by_name_and_not_by_position():
    rng = np.random.default_rng(6)
    method, baseline = rows(rng.random((3, 12))), rows(rng.random((3, 12)))
    assert paired_difference(method.sample(frac=1, random_state=1), baseline) == paired_difference(method, baseline)
    assert paired_difference(method, baseline, seed=1) != paired_difference(method, baseline)


def test_everything_that_cannot_be_paired_is_refused_at_once():
    method, baseline = rows(np.zeros((2, 3))), rows(np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"1 repeated rows.*\['0', '1'\] and the baseline \['0', '1', '2'\].*level is 95"):
        paired_difference(pd.concat([method, method[:1]]), baseline, level=95)


def test_columns_include_the_figures_of_the_headline():
    assert list(by_identity([searched(0)]).columns) == ["identity", "share", *differences.FIGURES]
