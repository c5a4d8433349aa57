"""The main results of a run, for reading."""

import pandas as pd

from fsclib.metrics.estimates import over_people
from fsclib.runs.headline import TEST_SELECTED, headline

METRICS = {"test_selected": False, "all.ir2vis.rank1": 51.234, "all.ir2vis.rank5": 80.0, "all.ir2vis.map": 40.0}


def people(mode="all"):
    figures = {"rank1": [0.0] * 5 + [102.468] * 5, "map": [40.0] * 10, "minp": [1.0] * 10}
    return pd.DataFrame({"identity": range(10), "share": [0.1] * 10, **figures}).assign(mode=mode, direction="ir2vis")


def test_figures_have_intervals_over_people_in_brackets():
    (row,) = headline(METRICS, people()).to_dict("records")
    (expected,) = over_people([people()]).to_dict("records")
    interval = f"[{expected['rank1_low']:.1f}, {expected['rank1_high']:.1f}]"
    assert 0 < expected["rank1_low"] < 51 < expected["rank1_high"] < 102
    assert row == {"protocol": "all ir2vis", "rank1": f"51.23 {interval}", "rank5": 80.0, "map": "40.00 [40.0, 40.0]", "people": 10}


def test_with_few_people_there_is_a_reason_instead_of_an_interval():
    (row,) = headline(METRICS, people().head(4)).to_dict("records")
    assert (row["rank1"], row["people"]) == ("51.23", "4, too few for an interval")


def test_a_protocol_without_a_mode():
    (row,) = headline({"ir2vis.rank1": 50.0}, people("")).to_dict("records")
    assert row["rank1"].startswith("50.00 [")


def test_without_a_table_of_people_there_are_no_intervals():
    (row,) = headline(METRICS, None).to_dict("records")
    assert (row["rank1"], row["map"]) == (51.23, 40.0)


def test_chance_and_raw_pixels_stand_beside_the_figures():
    methods = ["chance", "raw pixels", "chance"]
    modes, directions = ["all", "all", "all"], ["ir2vis", "ir2vis", "vis2ir"]
    references = pd.DataFrame(
        {"method": methods, "mode": modes, "direction": directions, "rank1": [3.0, 5.25, 9], "map": [6.0, 7, 9]}
    )
    (row,) = headline(METRICS, people(), references).to_dict("records")
    assert (row["chance"], row["raw pixels"]) == ("3.0 / 6.0", "5.2 / 7.0")


def test_results_chosen_on_the_test_images_say_so():
    found = headline(METRICS | {"test_selected": True}, people())
    assert list(found["selected"]) == [TEST_SELECTED]
    assert "selected" not in headline(METRICS, people())
