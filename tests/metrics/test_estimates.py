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
    table = estimates.over_people([people([100.0, 0.0, 50.0]), people([80.0])])
    (row,) = table.to_dict("records")
    assert row["people"] == 4
    assert row["rank1"] == pytest.approx((3 * 50 + 80) / 4)
    assert row["rank1_low"] < row["rank1"] < row["rank1_high"]


def test_without_spread_within_data_sets_the_interval_has_no_width():
    (row,) = estimates.over_people([people([40.0] * 5), people([60.0] * 5)]).to_dict("records")
    assert row["map"] == row["map_low"] == row["map_high"] == pytest.approx(50)


def test_one_person_has_no_interval():
    (row,) = estimates.over_people([people([40.0])]).to_dict("records")
    assert row["rank1"] == 40
    assert np.isnan([row["rank1_low"], row["rank1_high"]]).all()


def test_the_interval_contains_the_truth_in_about_95_per_cent():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        hits = 100 * rng.binomial(10, rng.beta(2, 2, 60)) / 10  # rank-1 of each person, 50 on average
        (row,) = estimates.over_people([people(hits)], resamples=400).to_dict("records")
        covered += row["rank1_low"] <= 50 <= row["rank1_high"]
    assert 0.9 < covered / 200 < 0.99
