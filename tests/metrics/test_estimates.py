"""Figures with intervals over people: pooled data sets, width, and how often an interval contains the truth."""

import numpy as np
import pandas as pd
import pytest

from fsclib.metrics import estimates


def people(figures, direction="ir2vis"):
    """A table as by_identity returns it, in which all people have the same share."""
    rows = [{"identity": i, "share": 1 / len(figures), "rank1": f, "map": f, "minp": f} for i, f in enumerate(figures)]
    return pd.DataFrame(rows).assign(mode="paper", direction=direction)


def test_data_sets_are_weighted_by_their_numbers_of_people():
    table = estimates.over_people([people([100.0, 0.0, 50.0]), people([80.0])], fewest=2)
    (row,) = table.to_dict("records")
    assert row["people"] == 4
    assert row["rank1"] == pytest.approx((3 * 50 + 80) / 4)
    assert row["rank1_low"] < row["rank1"] < row["rank1_high"]


def test_without_spread_within_data_sets_the_interval_has_no_width():
    (row,) = estimates.over_people([people([40.0] * 5), people([60.0] * 5)]).to_dict("records")
    assert row["map"] == row["map_low"] == row["map_high"] == pytest.approx(50)


def test_one_person_has_no_interval():
    (row,) = estimates.over_people([people([40.0])], fewest=2).to_dict("records")
    assert row["rank1"] == 40
    assert np.isnan([row["rank1_low"], row["rank1_high"]]).all()


def test_trainings_are_averaged_person_by_person_before_people_are_drawn():
    first, second = people([100.0, 0.0]), people([60.0, 40.0])
    (row,) = estimates.over_people([estimates.over_trainings([first, second])], fewest=2).to_dict("records")
    assert (row["people"], row["rank1"]) == (2, 50)
    assert (row["rank1_low"], row["rank1_high"]) == (20, 80)  # the people's means over the trainings


def test_a_person_in_one_of_two_trainings_counts_half():
    first, second = people([100.0, 0.0]), people([100.0])
    together = estimates.over_trainings([first, second])
    assert together["share"].tolist() == [0.75, 0.25]
    (row,) = estimates.over_people([together]).to_dict("records")
    assert row["rank1"] == np.mean([50, 100])


def test_an_estimate_in_words():
    assert estimates.text(61.87, 57.43, 66.1) == "61.9 [57.4, 66.1]"
    assert estimates.text(61.87, 57.43, 66.1, spread=1.21) == "61.9 ± 1.2 [57.4, 66.1]"
    assert estimates.text(61.87, 57.43, 66.1, ".2f", bounds=".1f") == "61.87 [57.4, 66.1]"
    assert estimates.text(-0.5, form="+.1f") == "-0.5"
    assert estimates.text(np.nan, 1, 2) == ""


def test_too_few_people_have_no_interval():
    (row,) = estimates.over_people([people([40.0, 60.0] * 4 + [50.0])]).to_dict("records")
    assert row["people"] == 9
    assert np.isnan([row["rank1_low"], row["rank1_high"]]).all()
    (row,) = estimates.over_people([people([40.0, 60.0] * 5)]).to_dict("records")
    assert row["rank1_low"] < 50 < row["rank1_high"]


def test_the_interval_contains_the_truth_in_about_95_per_cent():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        hits = 100 * rng.binomial(10, rng.beta(2, 2, 60)) / 10  # rank-1 of each person, 50 on average
        (row,) = estimates.over_people([people(hits)], resamples=400).to_dict("records")
        covered += row["rank1_low"] <= 50 <= row["rank1_high"]
    assert 0.9 < covered / 200 < 0.99
