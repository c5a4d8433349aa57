"""Evaluation: every trial of every protocol, each image embedded once, and refused runs."""

import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from permutations import permutations_of, write_permutations

from fsclib import metrics, runs
from fsclib.analysis import samples
from fsclib.config.specs import DATASETS
from fsclib.data import protocols
from fsclib.data.augment import normalise
from fsclib.data.records import DatasetError, table
from fsclib.models.networks import FSCNet
from fsclib.retrieval import baselines, evaluation, search, tables, trials, untrained
from fsclib.retrieval.features import similarity
from fsclib.runs import RunError, load
from fsclib.runs.checkpoint import CheckpointError
from fsclib.training.loop import fit

ROWS = {"sysu": {("all", "ir2vis", 10), ("indoor", "ir2vis", 10)}, "regdb": {("", "vis2ir", 1), ("", "ir2vis", 1)}}
ROWS["llcm"] = {("paper", "vis2ir", 10), ("paper", "ir2vis", 10), ("as-coded", "vis2ir", 10)}
FURTHER = {"sysu": {("all-multi", "ir2vis", 10), ("indoor-multi", "ir2vis", 10)}, "regdb": set(), "llcm": set()}


@pytest.fixture
def tested(copied):
    """A run of one epoch, which a test may change, and its images."""

    def build(dataset, **values):
        run = copied(dataset=dataset, epochs=1, **values)
        return run, evaluation.run_images(run)

    return build


@pytest.mark.parametrize("dataset", list(ROWS))
def test_every_protocol_has_its_rows(tested, dataset):
    run, images = tested(dataset)
    table = evaluation.evaluate_run(run, images=images)
    for (weighting, mirror), part in table.groupby(["weighting", "mirror"]):
        found = {(mode, direction, len(group)) for (mode, direction), group in part.groupby(["mode", "direction"])}
        expected = ROWS[dataset] | (FURTHER[dataset] if weighting == "equal" and mirror else set())
        assert found == expected, (weighting, mirror)
    assert set(zip(table["weighting"], table["mirror"], strict=True)) == {(w, m) for w in ("equal", "neck") for m in (True, False)}
    assert table[tables.SHOWN].to_numpy().min() >= 0
    assert table[tables.SHOWN].to_numpy().max() <= 100
    cmc = table[[f"rank{rank}" for rank in range(1, 21)]].to_numpy()
    assert (np.diff(cmc, axis=1) >= -1e-9).all()
    assert (run.folder / "tables/trials.csv").exists()
    assert set(run.headline()["protocol"]) == {" ".join(p for p in row[:2] if p) for row in ROWS[dataset] | FURTHER[dataset]}


def test_a_run_records_the_numbers_of_its_images_and_people(tested):
    run, images = tested("llcm")
    evaluation.evaluate_run(run, images=images)
    test = images.records[images.records["split"] == "test"]
    assert run.metrics["numbers"]["test visible images"] == (test["modality"] == "visible").sum()
    assert run.metrics["numbers"]["test infrared identities"] == test.loc[test["modality"] == "infrared", "identity"].nunique()
    assert runs.table(names=[run.folder.name])["numbers"].iat[0] == run.metrics["numbers"]


def slow_features(net, images, row):
    """Normalised features (pool, neck) of one record and of its mirror image, (2, V, D) each, one image at a time."""
    pixels = normalise(torch.from_numpy(images.take(np.array([row]))))
    found = []
    for image in (pixels, pixels.flip(3)):
        with torch.inference_mode():
            found.append([F.normalize(part[0], dim=1).double() for part in net.embed(image, images.records["modality"][row])])
    return [torch.stack(part) for part in zip(*found, strict=True)]


def test_a_trial_follows_its_formula(tested):
    run, images = tested("llcm")
    table, records = evaluation.evaluate_run(run, images=images), images.records
    protocol = next(p for p in DATASETS["llcm"].protocols if (p.mode, p.direction) == ("paper", "ir2vis"))
    query, gallery = protocols.query_and_gallery(records, protocol, 3)
    query = query[:: max(1, len(query) // 40)]
    net = evaluation.run_network(run, torch.device("cpu"))
    features = {row: slow_features(net, images, row) for row in {*query.tolist(), *gallery.tolist()}}
    for mirror in (True, False):
        for weighting, (pool, neck) in (("equal", (1, 1)), ("neck", (0.1, 0.9))):
            expected = np.zeros((len(query), len(gallery)))
            for i, q in enumerate(query.tolist()):
                for j, g in enumerate(gallery.tolist()):
                    for weight, a, b in zip((pool, neck), features[q], features[g], strict=True):
                        a, b = (a.sum(0), b.sum(0)) if mirror else (a[0], b[0])
                        expected[i, j] += weight * (a * b).sum().item()
            kept = evaluation.run_features(run, images)
            fast = similarity(kept.of(query, mirror), kept.of(gallery, mirror), weighting)
            np.testing.assert_allclose(fast, expected, rtol=1e-4, atol=1e-4)
    whole, gallery = protocols.query_and_gallery(records, protocol, 3)
    fast = similarity(kept.of(whole, True), kept.of(gallery, True))
    ids, cams = records["identity"].to_numpy(), records["camera"].to_numpy()
    expected = metrics.evaluate(fast, ids[whole], ids[gallery], cams[whole], cams[gallery], "llcm")
    chosen = (table["mode"] == "paper") & (table["direction"] == "ir2vis") & (table["trial"] == 3)
    row = table[chosen & (table["weighting"] == "equal") & table["mirror"]].iloc[0]
    assert row["rank1"] == pytest.approx(100 * expected.cmc[0], abs=1e-6)
    assert row["map"] == pytest.approx(100 * expected.map, abs=1e-6)


def test_each_image_is_embedded_once_and_then_read_from_the_run(tested, monkeypatch):
    run, images = tested("sysu")
    shutil.rmtree(run.folder / "embeddings")
    seen, embed = [], FSCNet.embed
    monkeypatch.setattr(FSCNet, "embed", lambda net, pixels, modality: seen.append(len(pixels)) or embed(net, pixels, modality))
    first = evaluation.evaluate_run(run, images=images)
    assert sum(seen) == 2 * (images.records["split"] == "test").sum()  # the image and its mirror image
    again = evaluation.evaluate_run(run, images=images)
    assert sum(seen) == 2 * (images.records["split"] == "test").sum()
    pd.testing.assert_frame_equal(first, again)


def test_summary_is_mean_and_standard_deviation_over_trials(tested):
    run, images = tested("sysu")
    table = evaluation.evaluate_run(run, images=images)
    row = tables.summarise(table).iloc[0]
    keys = ["mode", "direction", "weighting", "mirror"]
    part = table[(table[keys] == row[keys]).all(axis=1)]
    assert len(part) == row["trials"] == 10
    assert row["map"] == pytest.approx(part["map"].mean())
    assert row["map_std"] == pytest.approx(part["map"].std(ddof=1))


@pytest.mark.parametrize("dataset", list(ROWS))
def test_people_add_up_to_the_headline_without_comparing_again(tested, dataset, monkeypatch):
    run, images = tested(dataset)
    compared = []
    monkeypatch.setattr(search, "similarity", lambda *sides: compared.append(sides) or similarity(*sides))
    table = evaluation.evaluate_run(run, images=images)
    assert len(compared) == 4 + 1  # with and without mirror images, two weightings; raw pixels once
    features = evaluation.run_features(run, images)
    alone = tables.evaluate(features, images.records, images.protocols, further=images.further_protocols)
    pd.testing.assert_frame_equal(table.drop(columns=["trial", "select_on"]), alone.drop(columns="trial"))
    people = run.read_table("identities")
    assert list(people.columns) == ["mode", "direction", "identity", "share", "rank1", "map", "minp"]
    assert set(zip(people["mode"], people["direction"], strict=True)) == {row[:2] for row in ROWS[dataset] | FURTHER[dataset]}
    for (mode, direction), part in people.groupby(["mode", "direction"]):
        assert part["share"].sum() == pytest.approx(1, abs=1e-12)
        assert part["identity"].is_unique
        for figure in ("rank1", "map", "minp"):
            headline = run.metrics[".".join(p for p in (mode, direction, figure) if p)]
            assert (part["share"] * part[figure]).sum() == pytest.approx(headline, abs=1e-9)


def test_official_galleries_add_rows_and_leave_the_others_as_they_are(tested, home, tmp_path):
    root = tmp_path / "SYSU"
    shutil.copytree(home / "data" / DATASETS["sysu"].folder, root)
    run, images = tested("sysu", data_root=str(root), name="before")
    before, figures = evaluation.evaluate_run(run, images=images), run.metrics
    file = write_permutations(root, permutations_of(root))
    images = evaluation.run_images(run)
    after = evaluation.evaluate_run(run, images=images)
    official = after["mode"].str.endswith("official")
    pd.testing.assert_frame_equal(after[~official].reset_index(drop=True), before)
    assert set(after.loc[official, "mode"]) == {f"{room}{shots}-official" for room in ("all", "indoor") for shots in ("", "-multi")}
    assert run.metrics.items() >= figures.items()
    assert "permutations_sha256" not in figures
    assert run.metrics["permutations_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert {f"{mode}.ir2vis.rank1" for mode in after["mode"]} <= set(run.metrics)
    shown = tables.cmc_by_protocol(after, images.protocols)
    assert list(shown) == ["all ir2vis", "indoor ir2vis"]


def test_multi_shot_counts_identities_for_ranks_and_images_for_precision():
    """One query, three identities with two images each: its own are third and last of six, so its identity is second of three."""
    records = table(
        [(f"{n}.jpg", identity, 1, "visible", "test") for n, identity in enumerate([2, 2, 1, 3, 3, 1])]
        + [("q.jpg", 1, 6, "infrared", "test")]
    )
    similarities = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4]])
    found = metrics.average(search.score(similarities, records, np.array([6]), np.arange(6), "sysu"))
    assert found.cmc[:2].tolist() == [0, 1]
    assert found.map == pytest.approx((1 / 3 + 2 / 6) / 2)
    assert found.minp == pytest.approx(2 / 6)


def test_the_error_for_a_missing_table_says_how_to_make_it(tested):
    run, _ = tested("llcm")
    (run.folder / "tables/identities.csv").unlink()
    with pytest.raises(RunError, match=rf"identities\.csv does not exist.*03_evaluate.*-p dataset llcm -p name {run.folder.name}"):
        run.read_table("identities")


def test_trials_of_regdb_are_separate_models(tested):
    (first, images), (second, _) = tested("regdb", trial=1), tested("regdb", trial=2)
    with pytest.raises(RunError, match="was trained on trial 1 and has seen test identities of trial 2"):
        evaluation.evaluate_run(first, trial=2, images=images)
    with pytest.raises(RunError, match="holds other data"):
        evaluation.evaluate_run(second, images=images)
    together = trials.all_trials(first)
    assert set(together["trial"]) == {1, 2}
    assert len(together) == 2 * len(evaluation.evaluate_run(second))
    assert set(tables.summarise(together)["trials"]) == {2}
    mean = trials.mean_over_trials(together)
    assert list(mean["protocol"]) == ["vis2ir", "ir2vis"]
    assert set(mean["trials"]) == {2}
    headlines = [run.metrics["ir2vis.rank1"] for run in (first, second)]
    assert mean["rank1"][1] == pytest.approx(sum(headlines) / 2, abs=0.01)
    assert mean["rank1_std"][1] == pytest.approx(abs(headlines[0] - headlines[1]) / 2**0.5, abs=0.01)


def test_a_run_without_a_checkpoint_or_with_other_data_is_refused(tested, tmp_path, home):
    run, images = tested("llcm")
    shutil.rmtree(run.folder / "embeddings")
    best = run.checkpoint("best")
    best.rename(best.with_name("elsewhere"))
    with pytest.raises(CheckpointError, match="no such checkpoint; train the run first"):
        evaluation.evaluate_run(run, images=images)

    root = tmp_path / "changed"
    shutil.copytree(home / "data" / DATASETS["llcm"].folder, root)
    run, _ = tested("llcm", data_root=str(root), name="changed")
    picture = next((root / "test_vis").rglob("*.jpg"))
    picture.write_bytes(next((root / "test_nir").rglob("*.jpg")).read_bytes())
    with pytest.raises(RunError, match="holds other data"):
        evaluation.run_images(run)


def test_the_choice_of_the_epoch_stands_in_every_table(tested):
    run, images = tested("llcm")
    table = evaluation.evaluate_run(run, images=images)
    chosen = run.config.select_on
    for found in (table, tables.compact(table), tables.summarise(table), trials.all_trials(run), run.read_table("summary")):
        assert set(found["select_on"]) == {chosen}
    references = run.read_table("references")
    assert set(references["method"]) == {"chance", "raw pixels"}
    assert {"chance", "raw pixels"} <= set(run.headline())
    assert run.headline()[["chance", "raw pixels"]].notna().all(axis=None)
    beside = untrained.table(run, images)
    assert set(beside.loc[beside["method"] == untrained.OWN, "select_on"]) == {chosen}
    assert set(beside.loc[beside["method"] != untrained.OWN, "select_on"]) == {""}


def test_figures_of_two_kinds_are_not_averaged(tested):
    run, images = tested("llcm")
    table = evaluation.evaluate_run(run, images=images)
    mixed = pd.concat([table, table.assign(select_on="test", rank1=100.0)])
    summary = tables.summarise(mixed)
    assert set(summary["select_on"]) == {run.config.select_on, "test"}
    assert set(summary.loc[summary["select_on"] == "test", "rank1"]) == {100.0}


def test_baselines_are_tested_on_the_same_galleries(tested):
    run, images = tested("llcm")
    table = untrained.table(run, images)
    assert set(table["method"]) == {"chance", "raw pixels", "untrained network", "this run"}
    own = table[table["method"] == "this run"].set_index(["mode", "direction"])["rank1"]
    assert own["paper", "ir2vis"] == pytest.approx(run.metrics["paper.ir2vis.rank1"])
    features = baselines.pixel_features(images, np.arange(4))
    assert features.pool.shape == (2, 4, 24 * 9)
    assert torch.allclose(features.pool.norm(dim=2), torch.ones(2, 4))
    assert torch.allclose(features.pool.sum(2), torch.zeros(2, 4), atol=1e-4)


def test_ranked_lists_are_the_most_similar_permitted_images(tested):
    run, images = tested("sysu")
    queries, found, right, names = samples.ranked_lists(run, images, queries=5, seed=1)
    assert len(queries) == len(found) == len(right) == len(names) == 5
    records = images.records
    protocol = DATASETS["sysu"].protocols[0]
    query, gallery = protocols.query_and_gallery(records, protocol, 0)
    features = evaluation.run_features(run, images)
    for picture, pictures, truths in zip(queries, found, right, strict=True):
        row = next(r for r in query if np.array_equal(images.take(np.array([r]))[0], picture))
        seen = [g for g in gallery if not (records["camera"][row] == 3 and records["camera"][g] == 2)]
        scores = similarity(features.of(np.array([row]), True), features.of(np.array(seen), True))[0]
        best = [seen[i] for i in np.argsort(-scores, kind="stable")[:10]]
        assert all(np.array_equal(images.take(np.array([b]))[0], p) for b, p in zip(best, pictures, strict=True))
        assert truths.tolist() == [records["identity"][b] == records["identity"][row] for b in best]


def test_a_partly_trained_run_is_not_completed_by_testing_it(home, tiny, monkeypatch):
    from fsclib.training import loop

    def stop(row, *rest):
        if row["epoch"] == 1:
            raise KeyboardInterrupt
        return best(row, *rest)

    config, best = tiny(select_on="holdout", validate_every=1), loop.is_best
    with monkeypatch.context() as patch:
        patch.setattr(loop, "is_best", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(config)
    run = load("llcm", config.name)
    assert run.checkpoint("best").exists()
    with pytest.raises(RunError, match="is not fully trained: 1 of 3 epochs"):
        evaluation.evaluate_run(run)
    assert not run.finished


def test_a_protocol_without_a_match_is_refused_before_training(home, tiny, tmp_path):
    root = tmp_path / "SYSU"
    shutil.copytree(home / "data" / DATASETS["sysu"].folder, root)
    test = {int(i) for i in (root / "exp/test_id.txt").read_text().split(",")}
    for camera in (1, 2):  # all that an indoor search may find
        for who in test:
            shutil.rmtree(root / f"cam{camera}" / f"{who:04d}", ignore_errors=True)
    with pytest.raises(DatasetError, match="no query of sysu indoor ir2vis has a permitted match"):
        fit(tiny(dataset="sysu", data_root=str(root)))
    assert not list((home / "results").rglob("config.json"))


def test_a_reordered_index_file_counts_as_other_data(tested, home, tmp_path):
    root = tmp_path / "reordered"
    shutil.copytree(home / "data" / DATASETS["llcm"].folder, root)
    run, _ = tested("llcm", data_root=str(root), name="reordered")
    index = root / "idx/train_vis.txt"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines[1:], lines[0]]) + "\n")
    with pytest.raises(RunError, match="holds other data"):
        evaluation.run_images(run)
