"""Comparisons of finished runs with a baseline: figures and intervals of each row, refused rows and notes."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from fsclib import runs
from fsclib.analysis.comparison import ComparisonError, compare
from fsclib.config import Config
from fsclib.metrics.differences import FIGURES, holm, paired_difference

ENVIRONMENT = {
    "data_hash": "d1", "pixels_hash": "p1", "precision": "float32", "revision": "r1", "packages": {"torch": "2.10.0+cpu"},
    "weights": "w1",
}  # fmt: skip
PROTOCOLS = {"demo": ["paper.vis2ir", "paper.ir2vis"], "llcm": ["paper.ir2vis"], "regdb": ["ir2vis"], "sysu": ["all.ir2vis"]}


@pytest.fixture
def finished(tmp_path):
    """finished(better, environment, **config): a tested run whose made-up figures are higher by about `better`."""

    def _finished(better=0.0, environment=None, *, people=12, further=(), **values):
        config = Config(**{"dataset": "demo", "name": f"run{len(list(tmp_path.glob('*/*')))}"} | values)
        run = runs.begin(config, ENVIRONMENT | {"synthetic": config.dataset == "demo"} | (environment or {}), tmp_path)
        rng = np.random.default_rng(0)
        own = np.random.default_rng([config.seed, config.trial, len(config.modules)])
        parts, metrics, trials = [], {"select_on": config.select_on}, []
        for protocol in (*PROTOCOLS[config.dataset], *further):
            mode, _, direction = protocol.rpartition(".")
            share = rng.dirichlet(np.full(people, 5))
            part = pd.DataFrame({"mode": mode, "direction": direction, "identity": np.arange(people), "share": share})
            for figure in FIGURES:
                part[figure] = 40 + rng.normal(0, 20, people) + better * rng.normal(1, 0.3, people) + own.normal(0, 1, people)
                metrics[f"{protocol}.{figure}"] = (part["share"] * part[figure]).sum()
            parts.append(part)
            figures = dict.fromkeys(FIGURES, 50.0)
            trials.append({"mode": mode, "direction": direction, "trial": 0, "weighting": "equal", "queries": 1234} | figures)
        run.save_table(pd.concat(parts), "identities")
        run.save_table(pd.DataFrame(trials), "trials")
        run.finish(metrics)
        return run

    return _finished


@pytest.fixture
def compared(tmp_path):
    """compared(switch, baseline, …): compares all runs."""
    return lambda *arguments, **options: compare(runs.table(tmp_path), *arguments, results=tmp_path, **options)


def test_the_baseline_stands_beside_chance_with_intervals_over_people(finished, compared):
    for modules in ("none", "channel"):
        run = finished(dataset="llcm", modules=modules)
        rows = [{"method": "chance", "mode": "paper", "direction": "ir2vis", "rank1": 1.25, "map": 2.5, "minp": 1.0}]
        run.save_table(pd.DataFrame(rows), "references")
    (note,) = [note for note in compared("modules", "none").notes if note.startswith("Absolute figures")]
    assert re.fullmatch(
        r"Absolute figures, paper, infrared → visible: baseline [\d.]+ \[[\d.]+, [\d.]+\] / [\d.]+ \[[\d.]+, [\d.]+\] "
        r"\(rank-1 / mAP, 95 % intervals over people\); chance 1.2 / 2.5\.",
        note,
    )


def ablated(finished, seeds=(0, 1, 2), **values):
    for modules, better in (("none", 0), ("channel", 5), ("frequency,channel", 9), ("spatial", 0)):
        for seed in seeds:
            finished(better, modules=modules, seed=seed, **values)


def test_a_row_has_the_mean_spread_and_difference_of_its_runs(finished, compared, tmp_path):
    ablated(finished)
    found = compared("modules", "none")
    assert list(found.rows["variant"]) == ["none", "channel", "spatial", "frequency + channel"]
    assert found.rows["runs"].tolist() == found.rows["seeds"].tolist() == [3] * 4
    assert found.refused == ()
    assert set(found.effects["protocol"]) == set(PROTOCOLS["demo"])
    table = runs.table(tmp_path)
    own = table[table["modules"].map(lambda modules: modules == ["channel"])]
    row = found.effects.query("protocol == 'paper.ir2vis' and figure == 'map' and variant == 'channel'").iloc[0]
    figures = own["metrics.paper.ir2vis.map"]
    assert (row["mean"], row["std"]) == pytest.approx((figures.mean(), figures.std(ddof=1)))
    assert row["setting"] == "paper, infrared → visible"

    def contributions(modules):
        names = table.loc[table["modules"].map(lambda found: found == modules), "name"]
        loaded = [runs.load("demo", name, tmp_path) for name in names]
        parts = [run.read_table("identities").assign(replicate=run.config.seed) for run in loaded]
        return pd.concat(parts).query("direction == 'ir2vis'").rename(columns={"map": "figure"})

    expected = paired_difference(contributions(["channel"]), contributions([]))
    columns = ["difference", "low", "high", "low_seeds", "high_seeds", "p", "detectable"]
    assert row[columns].tolist() == pytest.approx(list(dataclasses.astuple(expected)))
    baseline = table.loc[table["modules"].map(lambda found: found == []), "metrics.paper.ir2vis.map"]
    assert row["difference"] == pytest.approx(row["mean"] - baseline.mean(), abs=1e-9)
    assert found.rows.set_index("variant").loc["channel", "paper.ir2vis.map.difference"] == row["difference"]


def test_further_protocols_are_compared_only_if_all_runs_were_tested_under_them(finished, compared):
    multi, official = "all-multi.ir2vis", "all-official.ir2vis"
    for seed in (0, 1):
        finished(0, dataset="sysu", modules="none", seed=seed, further=[multi])
        finished(5, dataset="sysu", modules="channel", seed=seed, further=[multi, official] if seed else [multi])
    found = compared("modules", "none")
    assert found.refused == ()
    assert list(found.effects["protocol"].unique()) == ["all.ir2vis", multi]
    assert "Left out: all-official, infrared → visible, under which not all runs were tested." in found.notes
    assert found.effects.loc[found.effects["protocol"] == multi, "mean"].notna().all()


def test_only_the_primary_figure_is_tested_with_p_values_corrected_for_the_rows(finished, compared):
    ablated(finished)
    comparison = compared("modules", "none")
    found = comparison.effects.set_index("variant")
    assert (found["p"].notna() == (found.index != "none")).all()
    primary = found[found["primary"]]
    assert set(zip(primary["protocol"], primary["figure"], strict=True)) == {("paper.ir2vis", "rank1")}
    assert not found.loc[~found["primary"], "significant"].any()
    assert primary["significant"].to_dict() == {"none": False, "channel": True, "spatial": False, "frequency + channel": True}
    others = primary.drop("none")
    assert others["p_holm"].tolist() == pytest.approx(holm(others["p"]).tolist())
    assert (others["p_holm"] >= others["p"]).all()
    notes = " ".join(comparison.notes)
    assert "p corrected for 3 rows (Holm) below 0.05; tested in one figure only, rank-1, paper, infrared → visible." in notes
    assert f"differences of about {others['detectable'].median():.1f} points would be found four times in five" in notes
    elsewhere = compared("modules", "none", protocols=["paper.vis2ir"])
    assert not elsewhere.effects["significant"].any()
    assert "Nothing is marked as significant" in " ".join(elsewhere.notes)


def test_a_difference_of_two_trainings_is_never_significant(finished, compared):
    ablated(finished, seeds=(0, 1))
    found = compared("modules", "none")
    assert not found.effects["significant"].any()
    assert found.effects["p"].isna().all()
    assert "Two trainings are too few" in " ".join(found.notes)


def test_best_and_second_best_are_marked_and_ties_share_them(finished, compared):
    ablated(finished)
    effects = compared("modules", "none", protocols=["paper.ir2vis"]).effects
    assert set(effects["protocol"]) == {"paper.ir2vis"}
    places = effects.pivot(index="variant", columns="figure", values="place")
    assert (places.loc["frequency + channel"] == 1).all()
    assert (places.loc["channel"] == 2).all()
    assert (places.loc[["none", "spatial"]] == 0).all(axis=None)
    finished(9.0, modules="frequency,spatial", seed=0)
    only = compared("modules", "frequency,channel", allow=["seed"]).effects
    assert (only.loc[only["variant"].isin(["frequency + channel", "frequency + spatial"]), "place"] == 1).all()


def test_with_one_seed_there_is_no_spread_and_a_note_says_so(finished, compared):
    ablated(finished, seeds=[7])
    found = compared("modules", ())
    assert found.effects[["std", "low_seeds", "high_seeds"]].isna().all(axis=None)
    assert found.effects.set_index("variant").loc["channel", "low"].gt(0).all()
    assert not found.effects["significant"].any()
    assert "One training per row compares these checkpoints, not the methods" in " ".join(found.notes)


def test_notes_describe_the_tests_and_their_limits(finished, compared):
    ablated(finished, epochs=4)
    notes = " ".join(compared("modules", "none").notes)
    for sentence in (
        "Test set, paper, infrared → visible: 12 people, 1,234 queries.",
        "Trained models per row: 3 (seed 0; seed 1; seed 2).",
        "Synthetic people:",
        "chosen on identities held out of training",
        "Recipe: the preset tiny for demo, except for epochs 4.",
        "the wider of those over people (paired bootstrap) and over trainings (Student's t)",
        "fewer than 100 people",
    ):
        assert sentence in notes
    assert "Left out" not in notes


def test_large_real_tests_have_no_notes_on_size_or_synthetic_people(finished, compared):
    for seed in range(3):
        finished(dataset="llcm", people=150, seed=seed, select_on="test", environment={"revision": "r1+changes"})
        finished(3, dataset="llcm", people=150, seed=seed, select_on="test", modules="none", environment={"revision": "r1+changes"})
    notes = " ".join(compared("modules", "none").notes)
    assert "Small" not in notes
    assert "Synthetic" not in notes
    assert "Test-selected" in notes
    assert "6 of 6 runs come from uncommitted code" in notes


def test_an_unequal_row_is_refused_with_its_differences_and_others_stay(finished, compared):
    ablated(finished)
    usual = Config(dataset="demo")
    name = finished(modules="frequency", epochs=5, lr=0.2, environment={"precision": "bfloat16"}).folder.name
    finished(modules="frequency", seed=1)
    finished(modules="frequency", seed=2, environment={"packages": {"torch": "2.11"}})
    found = compared("modules", "none")
    (sentence,) = found.refused
    assert sentence.startswith("frequency: ")
    differences = (f"epochs: 5 vs {usual.epochs}", f"lr: 0.2 vs {usual.lr}")
    for line in (*differences, "precision: 'bfloat16' vs 'float32'"):
        assert f"{line} ({name})" in sentence
    assert "torch: '2.11' vs '2.10.0+cpu'" in sentence
    assert list(found.rows["variant"]) == ["none", "channel", "spatial", "frequency + channel"]


@pytest.mark.parametrize("fact", ["data_hash", "precision", "revision", "weights"])
def test_other_data_precision_or_code_is_refused_unless_allowed(finished, compared, fact):
    finished(modules="none")
    finished(modules="channel", environment={fact: "other"})
    with pytest.raises(ComparisonError, match=f"channel: {fact}: 'other' vs '.*'"):
        compared("modules", "none")
    found = compared("modules", "none", allow=[fact])
    difference = f"{fact}: 'other' vs '{ENVIRONMENT[fact]}'"
    assert f"channel and none differ in more than the switch: {difference}." in found.notes


def test_every_refused_row_is_listed_at_once(finished, compared):
    finished(modules="none")
    finished(modules="channel", epochs=5)
    finished(modules="spatial", lr=0.2)
    with pytest.raises(ComparisonError) as caught:
        compared("modules", "none")
    assert len([problem for problem in caught.value.problems if " vs " in problem]) == 2
    assert "no row is left to compare with none" in str(caught.value)


def test_unequal_seeds_are_refused_or_paired_on_the_common_ones(finished, compared):
    for seed in range(3):
        finished(modules="none", seed=seed)
    for seed in (1, 2, 4):
        finished(5, modules="channel", seed=seed)
    with pytest.raises(ComparisonError, match=r"channel: seed: found \[1, 2, 4\], expected \[0, 1, 2\] as in the baseline"):
        compared("modules", "none")
    found = compared("modules", "none", allow=["seed"])
    assert found.rows["seeds"].tolist() == [2, 2]
    assert "Trained models per row: 2 (seed 1; seed 2)." in found.notes
    assert "Left out: 2 runs of a seed or trial that not all rows share." in found.notes
    finished(modules="spatial", seed=9)
    assert compared("modules", "none", allow=["seed"]).refused == ("spatial: no seed and trial in common",)


def test_two_runs_of_one_seed_are_refused(finished, compared):
    finished(modules="none")
    names = [finished(modules="channel").folder.name for _ in range(2)]
    with pytest.raises(ComparisonError, match=rf"seed 0 more than once, expected one run of it \({', '.join(names)}\)"):
        compared("modules", "none")


def test_a_baseline_whose_own_runs_differ_is_refused(finished, compared):
    finished(modules="none", seed=0)
    finished(modules="none", seed=1, epochs=5)
    finished(modules="channel", seed=0)
    usual = Config(dataset="demo").epochs
    with pytest.raises(ComparisonError, match=rf"baseline none: epochs: 5 vs {usual}.*\n.*pass only those rows"):
        compared("modules", "none")
    finished(modules="channel", seed=1)
    notes = " ".join(compared("modules", "none", allow=["epochs"]).notes)
    assert f"Runs of none among themselves differ in more than the switch: epochs: 5 vs {usual}." in notes
    assert f"channel and none differ in more than the switch: epochs: {usual} vs 5." in notes


def test_trials_of_regdb_are_replicates_with_their_own_data(finished, compared):
    for trial in (1, 2, 3):
        for modules in ("none", "channel"):
            finished(5, dataset="regdb", trial=trial, modules=modules, environment={"data_hash": f"split{trial}"})
    found = compared("modules", "none")
    assert found.rows["runs"].tolist() == [3, 3]
    assert found.rows["seeds"].tolist() == [1, 1]
    assert "Trained models per row: 3 (seed 0, trial 1; seed 0, trial 2; seed 0, trial 3)." in found.notes
    assert set(found.effects["setting"]) == {"infrared → visible"}
    finished(dataset="regdb", trial=1, modules="spatial", environment={"data_hash": "split2"})
    (refused,) = compared("modules", "none").refused
    assert "data_hash: 'split2' vs 'split1'" in refused
    assert "trial: found [1], expected [1, 2, 3] as in the baseline" in refused
    finished(dataset="regdb", trial=4, modules="none", environment={"data_hash": "split4", "pixels_hash": "p2"})
    with pytest.raises(ComparisonError, match="baseline none: data_hash: 'p2' vs 'p1'"):
        compared("modules", "none")


FAIR = {"augmentation": "fsc", "epochs": 20, "identities": 6, "height": 256}


def test_networks_may_differ_by_their_presets_only(finished, compared):
    finished(dataset="llcm", network="fsc", **FAIR)
    finished(2, dataset="llcm", network="agw", **FAIR)
    found = compared("network", "fsc")
    assert list(found.rows["variant"]) == ["fsc", "agw"]
    (note,) = [note for note in found.notes if "differ in more than the switch" in note]
    assert note.startswith("agw and fsc differ")
    assert "loss: 'agw' vs 'fsc'" in note
    assert "seed" not in note
    finished(dataset="llcm", network="deen", **FAIR, lr=0.2)
    (refused,) = compared("network", "fsc").refused
    assert refused.startswith("deen: lr: 0.2 vs 0.1 (")
    assert "modules" not in refused


def test_networks_with_unequal_augmentation_or_budget_are_refused_unless_allowed(finished, compared):
    finished(dataset="llcm", network="fsc")
    finished(dataset="llcm", network="agw")  # with the published augmentation and budget of each
    with pytest.raises(ComparisonError) as caught:
        compared("network", "fsc")
    for problem in ("grayscale: 0.0 vs 0.5", "epochs: 80 vs 150", "height: 288 vs 384", "give all rows the same"):
        assert problem in str(caught.value)
    allowed = compared("network", "fsc", allow=["grayscale", "erase", "epochs", "identities", "height"])
    assert any("erase: 0.0 vs 0.5" in note for note in allowed.notes)
    assert allowed.title == "Effect of network"


def test_equal_augmentations_may_have_different_names(finished, compared):
    finished(dataset="llcm", network="fsc", **FAIR)
    finished(dataset="llcm", network="agw", **FAIR | {"augmentation": "plain"}, grayscale=0.5, erase=0.5)
    found = compared("network", "fsc")
    assert found.refused == ()
    assert "at equal budget and augmentation" in found.title


def test_the_title_names_the_equal_augmentation_and_budget(finished, compared):
    for network in ("fsc", "agw"):
        finished(dataset="llcm", network=network, **FAIR, erase=0.2)
    title = compared("network", "fsc").title
    assert title.startswith("Effect of network at equal budget and augmentation: fsc augmentation with erase 0.2; 20 epochs, ")
    assert "6 people × 4 images × 2 modalities a step, 256×144 pixels" in title


def test_augmentations_are_compared_by_what_they_are_presets_for(finished, compared):
    for augmentation in ("plain", "fsc"):
        finished(dataset="llcm", augmentation=augmentation)
    found = compared("augmentation", "plain")
    assert list(found.rows["variant"]) == ["plain", "fsc"]
    assert any("erase: 0.5 vs 0.0" in note for note in found.notes)
    finished(dataset="llcm", augmentation="colour", jitter=0.4)
    (refused,) = compared("augmentation", "plain").refused
    assert refused.startswith("colour: jitter: 0.4 vs 0.0")
    assert "grayscale" not in refused


def test_networks_may_start_from_their_own_weights_only(finished, compared):
    for network in ("fsc", "agw"):
        own = {"init": f"people/{network}", "environment": {"weights": f"hash of {network}"}}
        finished(dataset="llcm", scale="tiny", network=network, **own)
    assert compared("network", "fsc").refused == ()
    finished(dataset="llcm", scale="tiny", network="deen", init="people/fsc")
    (refused,) = compared("network", "fsc").refused
    assert "deen: init: 'people/fsc' vs " in refused


def test_two_versions_of_the_same_weights_are_not_comparable(finished, compared):
    for modules, weights in (("none", "old"), ("channel", "new")):
        own = {"init": "people/fsc", "environment": {"weights": weights}}
        finished(dataset="llcm", scale="tiny", network="fsc", modules=modules, **own)
    with pytest.raises(ComparisonError, match="channel: weights: 'new' vs 'old'"):
        compared("modules", "none")


def test_a_departure_that_both_networks_share_is_not_a_difference(finished, compared):
    for network in ("fsc", "agw"):
        finished(dataset="llcm", network=network, decay=[5], **FAIR)
    found = compared("network", "fsc")
    assert found.refused == ()
    assert not any("epochs: " in note for note in found.notes)
    assert any("except for height 256, epochs 20, decay [5]." in note for note in found.notes)


def test_unfinished_runs_and_those_moved_aside_are_left_out(finished, compared, tmp_path):
    finished(modules="none")
    finished(modules="channel")
    finished(modules="channel", name="other.old-1")
    (finished(modules="spatial").folder / "metrics.json").unlink()
    found = compared("modules", "none")
    assert list(found.rows["variant"]) == ["none", "channel"]
    assert "Left out: 2 unfinished runs or runs moved aside." in found.notes


def test_a_run_without_its_table_of_people_is_refused(finished, compared):
    finished(modules="none")
    finished(modules="spatial")
    (finished(modules="channel").folder / "tables/identities.csv").unlink()
    (refused,) = compared("modules", "none").refused
    assert refused.startswith("channel: no table of identities, which earlier versions did not write")


def test_wrong_arguments_are_refused_at_once(finished, compared, tmp_path):
    finished()
    finished(dataset="llcm")
    with pytest.raises(ComparisonError) as caught:
        compared("modules", "chanel", allow=["revison", "lr"])
    for problem in ("did you mean 'channel'", "no such field as 'revison', did you mean 'revision'", "found runs of demo, llcm"):
        assert problem in str(caught.value)
    for switch, hint in (("seed", "expected one of"), ("modulse", "did you mean 'modules'"), ("dataset", "expected one of")):
        with pytest.raises(ComparisonError, match=hint):
            compared(switch, 1)
    demo = runs.table(tmp_path).query("dataset == 'demo'")
    with pytest.raises(ComparisonError, match=r"no finished run has modules spatial.*found frequency"):
        compare(demo, "modules", "spatial", results=tmp_path)
    with pytest.raises(ComparisonError, match="found no run"):
        compare(pd.DataFrame(), "modules", "spatial", results=tmp_path)
    finished(modules="none")
    with pytest.raises(ComparisonError, match=r"'ir2vis' was not tested, expected one of paper\.vis2ir, paper\.ir2vis"):
        compare(runs.table(tmp_path).query("dataset == 'demo'"), "modules", "none", protocols=["ir2vis"], results=tmp_path)


def test_networks_of_different_scales_are_not_compared(finished, compared):
    finished(network="twostream", modules="none")
    finished(network="agw", modules="none", scale="small", select_on="holdout")
    with pytest.raises(ComparisonError, match=r"agw: .*scale: 'small' vs 'tiny'"):
        compared("network", "twostream")


def test_another_device_or_package_is_noted_and_another_extension_refused(finished, compared):
    ablated(finished, seeds=(0,))
    packages = {"torch": "2.10.0+cpu", "numpy": "3"}
    finished(modules="frequency", environment={"device": "H100", "packages": packages})
    finished(modules="frequency,spatial", environment={"extensions": {"mine": "2"}})
    found = compared("modules", "none")
    assert "frequency" in set(found.rows["variant"])
    (note,) = [note for note in found.notes if "H100" in note]
    assert "'numpy': '3'" in note
    (refused,) = found.refused
    assert "extensions: {'mine': '2'} vs None" in refused


def test_a_row_that_was_tested_under_other_protocols_is_refused(finished, compared):
    ablated(finished, seeds=(0,))
    run = finished(modules="frequency")
    table = run.read_table("identities")
    run.save_table(table[table["direction"] == "ir2vis"], "identities")
    (refused,) = compared("modules", "none").refused
    assert "protocol paper.vis2ir was tested for only one of the two" in refused


def test_seeds_of_regdb_carry_a_warning(finished, compared):
    for modules in ("none", "channel"):
        for seed in (0, 1):
            for trial in (1, 2):
                finished(modules=modules, seed=seed, trial=trial, dataset="regdb")
    assert any("Seeds of one trial share its people" in note for note in compared("modules", "none").notes)
