"""Tables of published results and own runs: comparable results share a table, others are kept apart or refused."""

import csv
import math
import tomllib

import pandas as pd
import pytest

from fsclib import runs
from fsclib.analysis import literature as published
from fsclib.analysis.literature import FILE, SINGLE_SHOT, PublishedError, beside, literature, tables_of
from fsclib.config import Config
from fsclib.config.specs import DATASETS
from fsclib.data.literature import departures
from fsclib.figures import tables

ENVIRONMENT = {"data_hash": "d1", "precision": "float32", "revision": "r1", "synthetic": False}
GOOD = dict.fromkeys(published.COLUMNS, "") | {
    "method": "A", "dataset": "llcm", "mode": "paper", "direction": "ir2vis", "setting": SINGLE_SHOT, "rank1": "50.5", "source": "S"
}  # fmt: skip
NONE = pd.DataFrame()  # no own runs


def published_numbers(dataset):
    """The numbers of a run on the whole data set."""
    parts = DATASETS[dataset].reported
    return {f"{p.split} {p.modality} {name}": getattr(p, name) for p in parts for name in ("images", "identities")}


OWN_PEOPLE = {
    "train visible images": 90, "train visible identities": 30, "train infrared images": 90, "train infrared identities": 30,
    "test visible images": 120, "test visible identities": 40, "test infrared images": 120, "test infrared identities": 40,
}  # fmt: skip


@pytest.fixture
def finish(tmp_path):
    """finish(rank1, protocol, environment, numbers, **config): a finished run with this rank-1, a mAP 1 lower, a mINP 2 lower.

    numbers: of images and identities, by default the published ones; {}: not recorded.
    """

    def _finish(rank1, protocol="paper.ir2vis", environment=None, numbers=None, **values):
        run = runs.begin(Config(**{"dataset": "llcm"} | values), ENVIRONMENT | (environment or {}), tmp_path / "results")
        counted = {"numbers": published_numbers(run.config.dataset) if numbers is None else numbers} if numbers != {} else {}
        figures = {f"{protocol}.{name}": rank1 - lower for lower, name in enumerate(published.FIGURES)}
        tested = {"select_on": run.config.select_on, "test_selected": run.config.select_on == "test"}
        run.finish(figures | tested | counted | {"mirror": True, "weighting": "equal"})
        return run

    return _finish


@pytest.fixture
def own(tmp_path):
    return lambda: runs.table(tmp_path / "results")


@pytest.fixture
def write(tmp_path):
    """write(changes, …): a CSV file of good rows, each with one of the changes."""

    def _write(*changes):
        with (tmp_path / "rows.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, published.COLUMNS)
            writer.writeheader()
            writer.writerows(GOOD | change for change in changes)
        return tmp_path / "rows.csv"

    return _write


def test_a_run_not_recorded_as_test_selected_is_not_taken_for_one(finish, own):
    run = finish(50)
    metrics = {name: value for name, value in run.metrics.items() if name != "test_selected"}
    (run.folder / "metrics.json").unlink()
    run.finish(metrics)
    (row,) = own_rows(beside(own(), "llcm", "paper", "ir2vis"))
    assert published.SELECTED["last"] in row["protocol"]


def test_runs_of_another_revision_or_torch_are_separate_rows(finish, own):
    for seed, torch, revision in ((0, "2", "r1"), (1, "2", "r1"), (2, "3", "r1"), (3, "2", "r2")):
        finish(50 + seed, seed=seed, name=f"run{seed}", environment={"packages": {"torch": torch}, "revision": revision})
    rows = own_rows(beside(own(), "llcm", "paper", "ir2vis"))
    assert len(rows) == 3


def own_rows(table):
    return table.frame[table.frame["own"]].to_dict("records")


def test_every_published_row_is_in_exactly_one_table():
    found = [table.frame.assign(label=table.label) for name in ("sysu", "regdb", "llcm") for table in tables_of(NONE, name)]
    assert len({frame["label"].iat[0] for frame in found}) == len(found)
    columns = ["method", "rank1", "source", "note"]
    shown = pd.concat(found)[columns].sort_values(columns).reset_index(drop=True)
    pd.testing.assert_frame_equal(shown, literature()[columns].sort_values(columns).reset_index(drop=True))
    for frame in found:
        assert frame["protocol"].nunique() == 1


def test_results_of_other_settings_are_in_no_single_shot_table():
    tables = [beside(NONE, *key) for key in [("sysu", "all", "ir2vis"), ("regdb", "", "vis2ir"), ("llcm", "paper", "vis2ir")]]
    methods = {method for table in tables for method in table.frame["method"]}
    assert {"DEEN", "AGW", "BIT"} <= methods
    assert methods.isdisjoint({"MCJA", "YYDS", "SAAI", "IDKL", "CSDN", "DSFAD", "DEEN + DiVE"})
    assert list(beside(NONE, "sysu", "all", "ir2vis", "re-ranked").frame["method"]) == ["BIT", "MCJA"]


def test_the_two_ways_of_scoring_llcm_never_share_a_table():
    tables = {mode: beside(NONE, "llcm", mode, "vis2ir").frame.set_index("method") for mode in ("paper", "as-coded")}
    assert tables["paper"].loc["DEEN", ["rank1", "map"]].tolist() == [62.5, 65.8]
    assert tables["as-coded"].loc["DEEN", ["rank1", "map"]].tolist() == [69.21, 55.52]


def test_published_rows_are_sorted_by_year_then_rank1():
    frame = beside(NONE, "sysu", "all", "ir2vis").frame.dropna(subset="rank1")
    keys = list(zip(frame["year"].fillna(9999), frame["rank1"], strict=True))  # a row without year comes last
    assert keys == sorted(keys)


@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_fsc_net_opens_each_of_its_tables_and_has_published_no_accuracy(dataset):
    found = [table for table in tables_of(NONE, dataset) if table.frame["protocol"].iat[0] == SINGLE_SHOT]
    assert len(found) >= len(DATASETS[dataset].protocols)
    for table in found:
        first, figures = table.frame.iloc[0], table.frame[list(published.FIGURES)]
        assert (first["method"], first["source"]) == ("FSC-Net", "https://github.com/Huangsong-code/FSC-Net")
        assert figures.iloc[0].isna().all()
        assert figures["rank1"].iloc[1:].notna().all()
        assert table.shown()["method"].iloc[0] == "FSC-Net [a]"
        assert f"[a] {published.UNPUBLISHED}." in table.caption


def test_rows_without_figures_come_first_whatever_their_year(write, monkeypatch):
    none = {"method": "none", "year": "2026", "rank1": "", "note": published.UNPUBLISHED}
    monkeypatch.setattr(published, "FILE", write({"year": "2020"}, none, {"method": "B"}))
    assert list(beside(NONE, "llcm", "paper", "ir2vis").frame["method"]) == ["none", "A", "B"]


def test_augmentations_of_one_network_share_a_table():
    found = beside(NONE, "sysu", "all", "ir2vis").frame.set_index("method")
    names = ["", " + grayscale", " + random channel", " + random erasing", " + CAJ"]
    baseline = found.loc[[f"RLE's baseline{name}" for name in names]]
    assert baseline["rank1"].is_monotonic_increasing
    assert baseline["rank1"].iloc[-1] < found["rank1"]["RLE"] < found["rank1"]["DEEN + RLE"]
    assert baseline["note"].nunique() == 1
    assert not baseline["secondary"].any()


@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_every_published_table_can_be_written_as_latex(dataset):
    for table in tables_of(NONE, dataset):
        text = tables.literature(table)
        assert text.count(r" \\") == len(table.frame) + 1


def test_figures_from_another_publication_are_marked():
    found = literature().set_index(["method", "dataset", "mode", "direction", "setting"])["secondary"]
    assert found["PartMix", "regdb", "", "vis2ir", SINGLE_SHOT]
    assert found["DDAG", "llcm", "paper", "vis2ir", SINGLE_SHOT]  # from the paper of DEEN
    assert found["AGW", "llcm", "as-coded", "vis2ir", SINGLE_SHOT]
    assert not found["DEEN", "llcm", "paper", "vis2ir", SINGLE_SHOT]
    assert not found["DDAG", "sysu", "all", "ir2vis", SINGLE_SHOT]
    assert found["AGW + random erasing", "llcm", "paper", "ir2vis", SINGLE_SHOT]
    for own, other in (("MDCRNet", "DSAF"), ("CMFN", "AMML")):  # other: from a table in the publication of `own`
        assert not found[own, "sysu", "indoor", "ir2vis", SINGLE_SHOT]
        assert found[other, "sysu", "indoor", "ir2vis", SINGLE_SHOT]
    table = beside(NONE, "sysu", "all", "ir2vis")
    methods = set(table.shown()["method"])
    assert {"DDAG", "MMN†"} <= methods
    (letter,) = [name.removeprefix("MPANet† ") for name in methods if name.startswith("MPANet")]
    assert f"{letter} RegDB directions are swapped in another secondary source. [" in table.caption


def test_the_csv_file_ships_with_the_package():
    project = tomllib.loads((FILE.parents[2] / "pyproject.toml").read_text())
    assert FILE.name in project["tool"]["setuptools"]["package-data"]["fsclib.analysis"]


def test_runs_of_several_seeds_make_one_row(finish, own):
    for seed, rank1 in enumerate((50.0, 53.0, 56.0)):
        finish(rank1, seed=seed)
    table = beside(own(), "llcm", "paper", "ir2vis")
    (row,) = own_rows(table)
    assert table.frame["own"].tolist()[-1]
    assert (row["method"], row["rank1"], row["rank1_std"], row["map"]) == ("FSC-Net", 53.0, 3.0, 52.0)
    assert row["protocol"] == "last epoch, equal weighting, with mirror images, 3 seeds"
    assert row["source"] == "own runs fsc-paper-seed0, fsc-paper-seed1, fsc-paper-seed2"
    shown = table.shown().iloc[-1]
    assert (shown["rank-1"], shown["source"]) == ("53.0 ± 3.0", row["protocol"])


def test_trials_of_regdb_make_one_row_though_their_data_differ(finish, own):
    for trial in (1, 2, 3):
        finish(80.0 + trial, "vis2ir", {"data_hash": f"d{trial}"}, dataset="regdb", trial=trial)
    (row,) = own_rows(beside(own(), "regdb", "", "vis2ir"))
    assert (row["rank1"], row["rank1_std"]) == (82.0, 1.0)
    assert "3 of 10 trials, 1 seed" in row["protocol"]


@pytest.mark.parametrize(("environment", "values"), [({"data_hash": "d2"}, {}), ({"precision": "bfloat16"}, {}), ({}, {"lr": 0.3})])
def test_runs_that_differ_in_anything_but_the_seed_are_not_averaged(finish, own, environment, values):
    finish(50.0)
    finish(60.0, environment=environment, seed=1, **values)
    assert [row["rank1"] for row in own_rows(beside(own(), "llcm", "paper", "ir2vis"))] == [50.0, 60.0]


def test_of_equal_runs_with_one_seed_only_the_last_counts(finish, own):
    finish(50.0, name="a")
    finish(51.0, name="b")
    finish(40.0, name="c.old-1")
    (row,) = own_rows(beside(own(), "llcm", "paper", "ir2vis"))
    assert (row["rank1"], row["source"]) == (51.0, "own runs b")
    assert math.isnan(row["rank1_std"])


def test_a_row_states_its_selection_and_changes_to_the_recipe(finish, own):
    finish(50.0, select_on="test", modules=("channel",), epochs=60, network="fsc")
    (row,) = own_rows(beside(own(), "llcm", "paper", "ir2vis"))
    assert row["method"] == "FSC-Net (altered)"
    assert row["protocol"].startswith("modules channel, epochs 60, test-selected, equal weighting")


def test_another_augmentation_makes_a_method_altered(finish, own):
    finish(50.0, network="agw", augmentation="fsc")
    (row,) = own_rows(beside(own(), "llcm", "paper", "ir2vis"))
    assert row["method"] == "AGW (altered)"
    assert row["protocol"].startswith("augmentation fsc, last epoch")


def test_runs_selected_on_the_test_images_never_share_a_table_with_others(finish, own):
    finish(50.0, name="fair")
    finish(60.0, name="chosen", select_on="test")
    with pytest.raises(PublishedError, match=r"llcm/chosen is selected on the test images, .*, such as llcm/fair"):
        beside(own(), "llcm", "paper", "ir2vis")
    kept, left_out = published.comparable(own(), "llcm")
    assert list(kept["name"]) == ["fair"]
    assert left_out == [f"llcm/chosen: {published.MIXED}"]
    assert published.MIXED in published.with_own(kept, "llcm", left_out)[0].caption
    only, nothing = published.comparable(own().query("name == 'chosen'"), "llcm")
    assert (list(only["name"]), nothing) == (["chosen"], [])


def test_own_rows_appear_only_where_they_were_tested(finish, own):
    finish(50.0)
    assert own_rows(beside(own(), "llcm", "paper", "ir2vis"))
    for elsewhere in (("llcm", "paper", "vis2ir"), ("llcm", "as-coded", "vis2ir"), ("regdb", "", "ir2vis")):
        assert not own_rows(beside(own(), *elsewhere))
    assert not own_rows(beside(own(), "llcm", "paper", "ir2vis", "supervised, CLIP pre-training"))


def test_unfinished_runs_are_skipped(finish, own, tmp_path):
    runs.begin(Config(dataset="llcm", seed=1), ENVIRONMENT, tmp_path / "results")
    assert not own_rows(beside(own(), "llcm", "paper", "ir2vis"))
    finish(50.0)
    assert len(own_rows(beside(own(), "llcm", "paper", "ir2vis"))) == 1


def test_synthetic_and_unknown_runs_are_refused_together(finish, own):
    finish(50.0)
    finish(90.0, environment={"synthetic": True}, name="drawn")
    finish(91.0, environment={"synthetic": None}, name="old")
    with pytest.raises(PublishedError) as caught:
        beside(own(), "llcm", "paper", "ir2vis")
    assert "llcm/drawn: made on synthetic people, expected the real data set" in str(caught.value)
    assert "llcm/old: config.json does not record whether its people are synthetic" in str(caught.value)
    assert "fsc-paper-seed0" not in str(caught.value)
    assert "leave their rows out of own_runs" in str(caught.value)
    table = own()
    kept = beside(table[table["name"] == "fsc-paper-seed0"], "llcm", "paper", "ir2vis")
    assert [row["rank1"] for row in own_rows(kept)] == [50.0]


def test_other_people_in_the_layout_of_a_data_set_never_stand_beside_its_literature(finish, own):
    """Forty people of one's own in LLCM's layout, with LLCM's name."""
    finish(99.0, numbers=OWN_PEOPLE, name="mine")
    reason = (
        "llcm/mine: no literature rows: 30 training identities, published 713; 40 test identities, published 351; "
        "90 visible training images, published 16,946; 90 infrared training images, published 13,975; "
        "120 visible test images, published 8,680; 120 infrared test images, published 7,166"
    )
    kept, left_out = published.comparable(own(), "llcm")
    assert (len(kept), left_out) == (0, [reason])
    assert published.with_own(kept, "llcm", left_out) == []
    with pytest.raises(PublishedError, match="llcm/mine: no literature rows: 30 training identities"):
        beside(own(), "llcm", "paper", "ir2vis")

    finish(50.0, name="real")
    kept, left_out = published.comparable(own(), "llcm")
    (table,) = published.with_own(kept, "llcm", left_out)
    assert [row["source"] for row in own_rows(table)] == ["own runs real"]
    assert f"Left out: 1 own run ({reason.partition(': ')[2]})." in table.caption


def test_runs_without_numbers_are_not_comparable_until_tested_again(finish, own):
    finish(50.0, numbers={}, name="old")
    kept, left_out = published.comparable(own(), "llcm")
    assert (len(kept), left_out) == (0, [f"llcm/old: {published.UNCOUNTED}"])
    assert "test the run again with 03_evaluate" in left_out[0]


@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_numbers_may_differ_from_published_ones_by_two_per_cent(dataset):
    exact = published_numbers(dataset)
    assert departures(exact, dataset) == departures({name: int(1.019 * n) for name, n in exact.items()}, dataset) == []
    for name, number in exact.items():
        (found,) = departures(exact | {name: round(0.97 * number)}, dataset)
        assert found.endswith(f"published {number:,}")
    assert len(departures({}, dataset)) >= 4
    assert departures({}, "demo") == []


def test_published_multi_shot_results_stand_beside_own_multi_shot_runs_only(finish, own, write, monkeypatch):
    multi = {"dataset": "sysu", "mode": "all-multi", "setting": published.MULTI_SHOT}
    monkeypatch.setattr(published, "FILE", write(multi, {"dataset": "sysu", "mode": "all"}))
    finish(60.0, "all-multi.ir2vis", dataset="sysu", name="multi")
    finish(50.0, "all.ir2vis", dataset="sysu", name="single", seed=1)
    found = {table.frame["protocol"].iat[0]: own_rows(table) for table in tables_of(own(), "sysu")}
    assert {setting: [row["rank1"] for row in rows] for setting, rows in found.items()} == {
        published.MULTI_SHOT: [60.0],
        SINGLE_SHOT: [50.0],
    }


def test_the_demo_is_synthetic_even_if_a_run_does_not_say_so(finish, own):
    run = finish(50.0, dataset="demo")
    text = (run.folder / "config.json").read_text()
    (run.folder / "config.json").write_text(text.replace('"synthetic": false', '"other": 0'))
    with pytest.raises(PublishedError, match="demo/fsc-tiny-seed0: made on synthetic people"):
        beside(own(), "demo", "paper", "ir2vis")
    assert tables_of(own(), "demo") == []


def test_every_caption_says_how_published_epochs_are_chosen():
    for name in ("sysu", "regdb", "llcm"):
        assert all("Published programs choose the epoch on the test images" in table.caption for table in tables_of(NONE, name))


def test_every_caption_says_that_synthetic_figures_do_not_compare():
    for table in tables_of(NONE, "sysu"):
        assert "Own figures on synthetic data, or on other numbers of images or identities than the published ones" in table.caption


def test_the_error_for_an_unpublished_table_lists_the_published_ones():
    with pytest.raises(PublishedError, match="no published results for") as caught:
        beside(NONE, "llcm", "all", "ir2vis")
    assert "('llcm', 'as-coded', 'vis2ir'" in str(caught.value)
    assert "sysu" not in str(caught.value)


def test_own_rows_are_bold_in_latex_and_sources_are_spelt_out(finish, own):
    finish(50.25)
    text = tables.literature(beside(own(), "llcm", "paper", "ir2vis"))
    (line,) = [line for line in text.splitlines() if line.startswith(r"\textbf{FSC-Net} &")]
    assert r"\textbf{50.25}" in line
    assert text.count(r"\textbf{DEEN}") == 0
    assert "DEEN paper, arXiv 2303.14481, resnet50, 384x144" in text
    assert r"\label{tab:llcm-paper-ir2vis-supervised-single-shot-no-re-ranking}" in text


def test_good_rows_are_read_with_their_types(write):
    found = literature(write({}, {"method": "B", "year": "2024", "map": "60", "source": "X (secondary)"}))
    assert found["year"].tolist() == [pd.NA, 2024]
    assert found["rank1"].tolist() == [50.5, 50.5]
    assert math.isnan(found["map"][0])
    assert found["map"][1] == 60.0
    assert found["secondary"].tolist() == [False, True]


def test_all_bad_rows_are_listed_at_once(write):
    bad = [
        {},
        {"method": "B", "direction": "sideways"},
        {"method": "C", "dataset": "sysu", "mode": "all", "direction": "vis2ir"},
        {"method": "D", "mode": "whole", "year": "21", "source": " "},
        {"method": "E", "rank1": "", "map": "101", "minp": "nan"},
        {},
        {"method": "F", "rank1": "", "note": "no figures found"},
        {"method": "G", "rank1": "", "map": "60", "note": published.UNPUBLISHED},
    ]
    with pytest.raises(PublishedError) as caught:
        literature(write(*bad))
    expected = [
        "line 3: direction: found 'sideways', expected ir2vis or vis2ir",
        "line 4: direction: found 'vis2ir', expected ir2vis",
        "line 5: source is empty",
        "line 5: found data set 'llcm' with mode 'whole', expected one of: sysu all; sysu indoor; sysu all-multi;",
        "; sysu indoor-multi-official; regdb; llcm paper; llcm as-coded",
        "line 5: year: found '21', expected four digits",
        "line 6: rank1: found '', expected 0 to 100 per cent or nothing with the note 'published no accuracy'",
        "line 6: map: found '101'",
        "line 6: minp: found 'nan'",
        "line 7: A, llcm, paper, ir2vis",
        "repeats line 2",
        "line 8: rank1: found ''",
        "line 9: map: found '60', expected nothing beside the note 'published no accuracy'",
    ]
    assert [part for part in expected if part not in str(caught.value)] == []
    assert len(caught.value.problems) == 11


def test_rows_of_another_length_and_missing_columns_are_named(write):
    file = write({})
    file.write_text(file.read_text() + "A,B\n" + ",".join("ABCDEFGHIJKLMNO") + "\n")
    with pytest.raises(PublishedError, match="line 3: too few fields, expected 14;") as caught:
        literature(file)
    assert "line 4: too many fields" in str(caught.value)
    file.write_text("method,venue\n")
    with pytest.raises(PublishedError, match="no column year, expected method, venue") as caught:
        literature(file)
    assert len(caught.value.problems) == 12
