"""The switches of a grid of runs, and the runs that the comparison of each switch includes."""

import pandas as pd
import pytest

from fsclib.analysis.switches import contrasts
from fsclib.config import Config


def rows(*settings, **common):
    """Rows of runs.table() with these settings, named a, b, c, …"""
    found = []
    for name, values in zip("abcdefgh", settings, strict=False):
        recipe = Config(**{"dataset": "llcm", "scale": "tiny"} | common | values).recipe()
        found.append(recipe | {"name": name, "finished": True})
    return pd.DataFrame(found)


def names(table):
    return {contrast.title: "".join(contrast.rows["name"]) for contrast in contrasts(table)}


NONE, AGW, TWO = {"modules": "none"}, {"network": "agw"}, {"network": "twostream"}


def test_modules_are_compared_in_fsc_net_and_networks_with_their_presets():
    table = rows(NONE, {"modules": "channel"}, {}, AGW, TWO, {"seed": 1})
    assert names(table) == {"modules": "abcf", "network": "cdef"}


@pytest.mark.parametrize(
    "common",
    [
        {"grayscale": 0.0},  # AGW's preset, not FSC-Net's
        {"grayscale": 0.5},
        {"loss": "agw"},
        {"scale": "paper", "epochs": 80},
        {"scale": "paper", "height": 384},
        {"dataset": "regdb", "stages": 4},
        {"epochs": 3},
    ],
    ids=str,
)
def test_a_value_that_all_rows_share_is_not_a_switch(common):
    assert names(rows(NONE, {}, AGW, TWO, **common)) == {"modules": "ab", "network": "bcd"}


def test_a_value_set_for_one_network_only_is_not_a_switch():
    assert names(rows(NONE | {"branches": 1}, {"branches": 1}, AGW)) == {"modules": "ab", "network": "bc"}


def test_with_two_switches_each_is_compared_at_every_value_of_the_other():
    table = rows({}, NONE, {"branches": 1}, {"branches": 1} | NONE)
    assert names(table) == {
        "modules with branches 1": "cd",
        "modules with branches 2": "ab",
        "branches with modules none": "bd",
        "branches with modules frequency.channel.spatial": "ac",
    }


def test_the_combination_of_the_preset_may_be_missing():
    grid = [{"modules": modules, "cpm_weight": weight} for modules in ("none", "channel") for weight in (0.2, 0.3)]
    assert len(names(rows(*grid))) == 4


def test_unfinished_runs_moved_runs_and_single_values_are_not_compared():
    table = rows({}, NONE)
    assert names(table.assign(finished=False)) == {}
    assert names(table.assign(name=["a", "b.old-1"])) == {}
    assert names(rows({}, {"seed": 1})) == {}
    assert names(pd.DataFrame()) == {}


def test_the_value_of_the_preset_comes_first():
    (contrast,) = contrasts(rows({"epochs": 30}, {"epochs": 60}, {"epochs": 10}, scale="small"))
    assert contrast.values() == [60, 30, 10]
    (contrast,) = contrasts(rows({"lr": 0.01}, {"lr": 0.02}))
    assert contrast.values() == [0.01, 0.02]
    (contrast,) = contrasts(rows({"loss": "fsc"}, {"loss": "agw"}, network="agw", scale="small"))
    assert contrast.values() == ["agw", "fsc"]


def test_an_augmentation_is_one_switch_whatever_it_is_a_preset_for():
    assert names(rows({"augmentation": "plain"}, {"augmentation": "fsc"}, {})) == {"augmentation": "abc"}
    grid = [{"augmentation": name, "network": network} for name in ("plain", "fsc") for network in ("deen", "agw")]
    assert names(rows(*grid)) == {
        "network with augmentation plain": "ab",
        "network with augmentation fsc": "cd",
        "augmentation with network deen": "ac",
        "augmentation with network agw": "bd",
    }


def test_the_augmentation_of_the_preset_comes_first():
    (contrast,) = contrasts(rows({"augmentation": "plain"}, {"augmentation": "fsc"}, scale="paper"))
    assert contrast.values() == ["fsc", "plain"]


def test_a_field_set_beside_its_augmentation_is_a_switch():
    assert names(rows({"augmentation": "fsc"}, {"augmentation": "fsc", "erase": 0.2})) == {"erase": "ab"}


def test_networks_are_compared_at_each_scale():
    grid = [{"scale": scale, "network": network} for scale in ("tiny", "small") for network in ("deen", "agw")]
    found = names(rows(*grid, augmentation="colour"))
    assert found == {
        "network with scale tiny": "ab",
        "network with scale small": "cd",
        "scale with network deen": "ac",
        "scale with network agw": "bd",
    }
