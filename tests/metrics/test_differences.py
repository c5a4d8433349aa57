"""Paired differences and their intervals against scipy, closed forms and explicit resamples of people."""

from math import nan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fsclib import metrics
from fsclib.metrics import differences
from fsclib.metrics.differences import Difference, by_identity, paired_difference


def rows_of(figure, share=None):
    """Contributions as paired_difference takes them, from (R, P) figures and shares, by default equal ones."""
    figure = np.asarray(figure, float)
    share = np.full(figure.shape, 1 / figure.shape[1]) if share is None else np.asarray(share, float)
    replicate, identity = np.indices(figure.shape)
    columns = {"replicate": replicate, "identity": identity, "share": share, "figure": figure}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


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
    found = paired_difference(rows_of([method]), rows_of([baseline]), resamples=20_000)
    width = expected.high - expected.low
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.03 * width)
    assert found.mean == pytest.approx((method - baseline).mean())


def test_two_trainings_spread_according_to_their_variance():
    """Resampling gives weights (2, 0), (1, 1) or (0, 2); widened by √2, the variance ½ · 2 · ((a − b)/2)² of the mean is s²/2."""
    found = paired_difference(rows_of([[4.0] * 5, [1.0] * 5]), rows_of(np.zeros((2, 5))))
    assert (found.low, found.high) == (2.5, 2.5)
    assert (found.low_seeds, found.high_seeds) == pytest.approx((2.5 - 1.5 * sqrt(2), 2.5 + 1.5 * sqrt(2)))
    assert 0.5 * (1.5 * sqrt(2)) ** 2 == pytest.approx(np.var([4.0, 1.0], ddof=1) / 2)


def test_the_variances_of_people_and_trainings_add_up():
    rng = np.random.default_rng(4)
    people, seeds = rng.normal(0, 6, 300), rng.normal(3, 2, 25)
    found = paired_difference(rows_of(people + seeds[:, None]), rows_of(np.zeros((25, 300))))
    of_people, of_seeds = people.var(ddof=1) / 300, seeds.var(ddof=1) / 25
    assert found.high - found.low == pytest.approx(2 * 1.96 * sqrt(of_people), rel=0.05)
    assert found.high_seeds - found.low_seeds == pytest.approx(2 * 1.96 * sqrt(of_people + of_seeds), rel=0.05)
    assert found.low_seeds < found.low < found.mean < found.high < found.high_seeds


def test_what_both_methods_share_cancels_in_the_difference():
    hard = np.random.default_rng(5).normal(50, 30, 30)
    found = paired_difference(rows_of([hard + 2, hard + 2]), rows_of([hard, hard]))
    assert (found.mean, found.low, found.high, found.low_seeds, found.high_seeds) == pytest.approx((2, 2, 2, 2, 2))


def test_people_absent_from_a_trial_have_no_share_in_it():
    figure, share = [[10.0, 30.0, nan, nan], [nan, nan, 50.0, 70.0]], [[0.5, 0.5, nan, nan], [nan, nan, 0.25, 0.75]]
    method = rows_of(figure, share).dropna()
    found = paired_difference(method, method.assign(figure=0.0))
    assert found.mean == pytest.approx(((10 + 30) / 2 + (50 + 3 * 70) / 4) / 2)
    assert 10 < found.low < found.mean < found.high < 70


def test_rows_are_paired_by_name_and_not_by_position():
    rng = np.random.default_rng(6)
    method, baseline = rows_of(rng.random((3, 12))), rows_of(rng.random((3, 12)))
    assert paired_difference(method.sample(frac=1, random_state=1), baseline) == paired_difference(method, baseline)
    assert paired_difference(method, baseline, seed=1) != paired_difference(method, baseline)


@pytest.mark.parametrize(
    ("interval", "shown"),
    [((1, 2, nan, nan), True), ((-2, -1, nan, nan), True), ((0, 2, nan, nan), False), ((1, 2, -1, 3), False), ((1, 2, 1, 3), True)],
)
def test_a_difference_is_shown_if_the_widest_known_interval_excludes_zero(interval, shown):
    assert Difference(1.5, *interval).shown is shown


def test_everything_that_cannot_be_paired_is_refused_at_once():
    method, baseline = rows_of(np.zeros((2, 3))), rows_of(np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"1 repeated rows.*\['0', '1'\] and the baseline \['0', '1', '2'\].*level is 95"):
        paired_difference(pd.concat([method, method[:1]]), baseline, level=95)


def test_columns_include_the_figures_of_the_headline():
    assert list(by_identity([searched(0)]).columns) == ["identity", "share", *differences.FIGURES]
