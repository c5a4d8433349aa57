"""Bootstrap intervals over people, and the tables that compare runs by them."""

import numpy as np
import pandas as pd
import pytest

from fsclib import metrics
from fsclib.analysis.embedding_space import resampling


def mean_of(values, person):
    """A measure for over_people: the mean over images, from each person's sum and number."""
    sums, numbers = np.bincount(person, values), np.bincount(person)
    return lambda m: {"mean": resampling.ratio(m @ sums, m @ numbers)}


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    person = np.sort(rng.integers(0, 12, 80))
    return rng.random(80) + 0.1 * person, np.unique(person, return_inverse=True)[1]


def test_an_interval_is_the_bootstrap_over_people(images):
    values, person = images
    table = resampling.over_people([({"run": "a"}, mean_of(values, person))], person.max() + 1, seed=3)
    low, high = metrics.bootstrap_interval(values, person, seed=3, resamples=1000)
    assert table["value"][0] == pytest.approx(values.mean())
    assert (table["low"][0], table["high"][0]) == (pytest.approx(low), pytest.approx(high))
    assert table.filter(like="difference").isna().all(axis=None)


def test_differences_to_the_first_run_are_paired_by_person(images):
    values, person = images
    other = values + 0.01 * np.arange(80)
    measures = [
        ({"run": run, "kind": kind}, mean_of(sign * part, person))
        for run, part in (("a", values), ("b", other))
        for kind, sign in (("plus", 1), ("minus", -1))
    ]
    table = resampling.over_people(measures, person.max() + 1, seed=3).set_index(["run", "kind"])
    for kind, sign in (("plus", 1), ("minus", -1)):
        low, high = metrics.bootstrap_interval(sign * (other - values), person, seed=3, resamples=1000)
        found = table.loc["b", kind][["difference", "difference_low", "difference_high"]].astype(float)
        np.testing.assert_allclose(found, [sign * (other - values).mean(), low, high])
    assert table.loc["a"].filter(like="difference").isna().all(axis=None)


def test_undefined_figures_have_no_value_and_no_interval():
    empty = resampling.over_people([({"run": "a"}, lambda m: {"x": resampling.ratio(m @ np.ones(3), m @ np.zeros(3))})], 3)
    assert empty[["value", "low", "high"]].isna().all(axis=None)
    assert resampling.shown(empty)["x"].tolist() == ["–"]
    alone = resampling.over_people([({"run": "a"}, lambda m: {"x": m.sum(1)})], 1)
    assert alone["value"][0] == 1
    assert alone[["low", "high"]].isna().all(axis=None)


def test_a_shown_table_has_a_column_per_figure():
    row = {"low": 0.1, "high": 0.2, "difference": np.nan, "difference_low": np.nan, "difference_high": np.nan}
    other = {"difference": -0.5, "difference_low": -0.75, "difference_high": 0.25}
    rows = [{"run": "b", "figure": "x", "value": 0.15} | row, {"run": "b", "figure": "y", "value": np.nan} | row]
    rows += [{"run": "a", "figure": "x", "value": 1} | row | other]
    table = pd.DataFrame(rows)
    assert resampling.shown(table, 2).to_dict("list") == {
        "run": ["b", "a"], "x": ["0.15 [0.10, 0.20]", "1.00 [0.10, 0.20]"], "y": ["–", "–"],
    }  # fmt: skip
    assert resampling.differences(table, 2).to_dict("list") == {"run": ["a"], "x": ["-0.50 [-0.75, +0.25]"]}
    assert resampling.differences(table[:2]).empty


def test_means_between_people_skip_pairs_of_the_same_person():
    rng = np.random.default_rng(1)
    values = rng.random((5, 5))
    drawn = rng.multinomial(5, np.full(5, 0.2), size=4)
    expected = []
    for times in drawn:
        people = np.repeat(np.arange(5), times)
        expected.append(np.mean([values[i, j] for i in people for j in people if i != j]))
    np.testing.assert_allclose(resampling.between_people(drawn, values), expected)
    assert np.isnan(resampling.between_people(np.array([[0, 3, 0, 0, 0]]), values)).all()
