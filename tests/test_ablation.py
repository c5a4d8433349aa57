"""Which switches the runs of a grid have, and which of them belong to the comparison of each."""

import pandas as pd
import pytest

from fsclib import runs
from fsclib.ablation import AblationOptions, baseline, compare_all, run, switches
from fsclib.comparison import ComparisonError
from fsclib.config import Config
from fsclib.sweep.cell import FAILED
from fsclib.sweep.grid import Sweep


def rows(*settings, **state):
    """Rows of runs.table() with these settings, named a, b, c, …"""
    found = []
    for name, values in zip("abcdefgh", settings, strict=False):
        usual = {"dataset": "llcm", "scale": "tiny"}
        found.append(Config(**usual | values).recipe() | {"name": name, "finished": True} | state)
    return pd.DataFrame(found)


def names(found):
    return {switch: "".join(part["name"]) for switch, part in found.items()}


def test_modules_are_compared_within_fsc_net_and_networks_as_they_are():
    table = rows({"modules": "none"}, {"modules": "channel"}, {}, {"network": "agw"}, {"network": "twostream"}, {"seed": 1})
    assert names(switches(table)) == {"modules": "abcf", "network": "cdef"}


def test_with_two_switches_each_is_compared_where_the_other_is_the_presets():
    table = rows({}, {"modules": "none"}, {"branches": 1}, {"branches": 1, "modules": "none"})
    assert names(switches(table)) == {"modules": "ab", "branches": "ac"}


def test_what_all_rows_have_is_no_switch_though_no_preset_says_it():
    table = rows({"epochs": 3, "modules": "none"}, {"epochs": 3}, {"epochs": 3, "network": "agw"})
    assert names(switches(table)) == {"modules": "ab", "network": "bc"}


def test_unfinished_runs_and_single_values_are_no_comparison():
    assert switches(rows({}, {"modules": "none"}, finished=False)) == {}
    assert switches(rows({}, {"seed": 1})) == {}
    assert switches(pd.DataFrame()) == {}


def test_the_baseline_is_the_options_or_else_the_presets():
    options = AblationOptions(dataset="llcm", network="agw")
    assert [baseline(options, switch) for switch in ("modules", "network", "branches", "cpm_weight")] == ["none", "agw", 2, 0.8]


def test_nothing_to_compare_is_an_error_that_says_how_far_the_sweep_is(home):
    with pytest.raises(ComparisonError, match="empty on llcm: 0 runs are finished"):
        compare_all(Sweep("empty", home / "none.ipynb", (), {}), AblationOptions(dataset="llcm"))
    assert runs.table().empty


def test_execute_false_runs_nothing(home, monkeypatch):
    monkeypatch.setattr("fsclib.sweep.run", lambda *args, **options: pytest.fail("it ran"))
    found = run(Sweep("empty", home / "none.ipynb", (), {}), AblationOptions(execute=False))
    assert found.empty
    assert FAILED not in set(found["state"])
