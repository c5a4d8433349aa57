"""A collapsed training is detected and reported with its cause and a fix."""

import pytest

from fsclib.config import Config
from fsclib.training.collapse import warning
from fsclib.training.settings import settings_of

WORKS = {"identity": 3.0, "triplet": 0.4, "cpm": 1.4, "triplet_active": 0.99, "pooled_cosine": 0.97, "neck_cosine": -0.02}


@pytest.mark.parametrize(
    ("values", "row", "expected"),
    [
        ({}, {}, []),
        ({"cpm_weight": 0.8}, {"neck_cosine": 0.97, "cpm": 9.0}, ["collapsed", "0.970", "pair mining (7.20)", "lower cpm_weight"]),
        ({"cpm_weight": 0.0}, {"neck_cosine": 0.97}, ["collapsed", "learning rate", "warmup_steps"]),
        ({"metric_on": "pooled"}, {"pooled_cosine": 0.998, "triplet": 0.3}, ["0.30, margin 0.3", "0.998", "metric_on=neck"]),
        ({"metric_on": "neck"}, {"pooled_cosine": 0.998, "triplet": 0.3}, []),
        ({"metric_on": "pooled"}, {"pooled_cosine": 0.998, "triplet_active": 0.5}, []),
        ({"metric_on": "pooled", "loss": "agw"}, {"pooled_cosine": 0.998}, []),
    ],
)
def test_one_line_names_the_cause_and_the_fix(values, row, expected):
    found = warning(WORKS | row, settings_of(Config(**{"dataset": "llcm", "scale": "tiny"} | values)).objective)
    assert bool(found) == bool(expected)
    assert [part for part in expected if part not in found] == []
    assert "\n" not in found
