"""Explanations of a search: images are compared with what it finds, and maps keep the order of their images."""

import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, settle

from fsclib import runs
from fsclib.analysis.attention import explanation
from fsclib.analysis.attention.maps import above_mean
from fsclib.analysis.attention.shares import KINDS
from fsclib.config import Config
from fsclib.config.strict import ConfigError
from fsclib.data.records import select
from fsclib.retrieval import evaluation
from fsclib.runs import RunError
from fsclib.training.loop import fit
from workbook import run_options
from workbook.attention import sheets
from workbook.attention.sheets import CONTROL
from workbook.attention.subjects import AttentionOptions, open_runs


def train(dataset="llcm", **values):
    return fit(Config(**TINY | {"dataset": dataset, "epochs": 1} | values))


def opened(names="a,b", dataset="llcm"):
    return open_runs(AttentionOptions(dataset=dataset, names=names, device="cpu", workers=1))


@pytest.fixture(scope="module")
def trained(corpora, tmp_path_factory):
    """A home folder with two one-epoch runs: a with a module, b without any."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, corpora, patch)
        for name, modules in (("a", ("spatial",)), ("b", ())):
            evaluation.run_features(run := train(name=name, modules=modules), evaluation.run_images(run))
    return folder


@pytest.fixture
def two_runs(trained, home):
    """A fresh home folder with copies of the two runs."""
    shutil.copytree(trained / "results", home / "results")
    return home


def expected_partners(subject, row):
    """The nearest match, the nearest wrong image and all permitted matches of a record, pair by pair."""
    records, features, scores = subject.images.records, subject.features, {}
    query = records.loc[row]
    for other in select(records, "test"):
        image = records.loc[other]
        same = image["identity"] == query["identity"]
        hidden = {
            "llcm": same and image["camera"] == query["camera"],
            "sysu": query["camera"] == 3 and image["camera"] == 2,
            "regdb": False,
        }[subject.images.dataset.spec.layout]
        if image["modality"] != query["modality"] and not hidden:
            parts = zip(features.of(np.array([row]), True), features.of(np.array([other]), True), strict=True)
            scores[other] = same, sum(float((a * b).sum()) for a, b in parts)
    match, wrong = ({other: score for other, (same, score) in scores.items() if same == kind} for kind in (True, False))
    return max(match, key=match.get, default=None), max(wrong, key=wrong.get), list(match)


@pytest.mark.parametrize("dataset", ["llcm", "sysu", "regdb"])
def test_partners_are_those_that_a_search_would_find(two_runs, dataset):
    if dataset != "llcm":
        train(dataset, name="a")
    (subject,) = opened("a", dataset)
    rows = select(subject.images.records, "test")[::3]
    found = explanation.partners(subject, rows)
    centroids = explanation.references(subject, found)["centroid"]
    kept = []
    for row in rows:
        match, wrong, own = expected_partners(subject, row)
        if match is None:
            continue
        kept.append(row)
        (place,) = np.flatnonzero(found["row"] == row)
        assert found.loc[place, ["match", "wrong"]].tolist() == [match, wrong]
        parts = torch.cat(subject.features.of(np.array(own), False), 1).unflatten(1, (2 * subject.net.views, -1)).mean(0)
        expected = F.normalize(parts, dim=1).flatten() / len(parts) ** 0.5
        torch.testing.assert_close(centroids[place], expected, rtol=1e-4, atol=1e-6)
    assert sorted(found["row"]) == kept


def test_an_image_compared_with_itself_is_refused(two_runs):
    subject = opened()[0]
    rows = select(subject.images.records, "test")[:4]
    with pytest.raises(ValueError, match="compared with themselves"):
        explanation.towards(subject, rows, np.array([rows[1], rows[0], rows[2], rows[0]]))
    with pytest.raises(ValueError, match="rounding noise"):  # found by its gradient, without the records
        explanation.explain(subject, rows, subject.rows(rows))


def test_maps_keep_the_order_of_their_images_across_modalities(two_runs, monkeypatch):
    subject = opened()[0]
    monkeypatch.setattr(explanation, "BATCH", 2)
    rows = np.random.default_rng(0).permutation(select(subject.images.records, "test"))[:7]
    chosen = explanation.partners(subject, rows)
    rows, others = chosen["row"].to_numpy()[::-1], chosen["match"].to_numpy()[::-1]
    maps, cosine = explanation.towards(subject, rows, others)
    control = explanation.control(subject, rows)
    assert len({subject.images.records["modality"][row] for row in rows}) == 2
    for place, (row, other) in enumerate(zip(rows, others, strict=True)):
        alone = explanation.towards(subject, np.array([row]), np.array([other]))
        np.testing.assert_allclose(maps[:, place], alone.maps[:, 0], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(cosine[:, place], alone.cosine[:, 0], rtol=1e-4)
        np.testing.assert_allclose(control[:, place], explanation.control(subject, np.array([row]))[:, 0], rtol=1e-3, atol=1e-4)
        assert cosine[:, place].mean() == pytest.approx(
            float(subject.rows(np.array([row])) @ subject.rows(np.array([other])).T), abs=1e-5
        )


def test_queries_show_one_image_per_person_and_both_modalities(two_runs):
    subject = opened()[0]
    chosen = sheets.draw_queries(subject, 2, seed=0)
    found = subject.images.records.loc[chosen["row"]]
    assert found["identity"].is_unique
    assert set(found["modality"]) == {"visible", "infrared"}
    assert set(found["split"]) == {"test"}
    np.testing.assert_array_equal(subject.images.records.loc[chosen["match"], "identity"], found["identity"])
    assert sheets.draw_queries(subject, 2, seed=0).equals(chosen)
    assert len(sheets.draw_queries(subject, 8, seed=0)) <= found["identity"].nunique() + 6


def test_sheets_put_maps_over_the_images_that_they_explain(two_runs):
    both = opened()
    subject, chosen = both[0], sheets.draw_queries(both[0], 2, seed=0)
    images, rows = subject.images, chosen["row"].to_numpy()
    attention = explanation.towards(subject, rows, chosen["match"].to_numpy())

    sheet = sheets.view_sheet(both, chosen)
    assert sheet.columns == ["query", "match", *["view 0", "view 1", "view 2"] * 2]
    assert sheet.groups == ["images"] * 2 + [both[0].label] * 3 + [both[1].label] * 3
    for place, row in enumerate(rows):
        for view in range(3):
            np.testing.assert_array_equal(sheet.pictures[place][2 + view], images.take(np.array([row]))[0])
            np.testing.assert_allclose(sheet.maps[place][2 + view], above_mean(attention.maps[view, place]), rtol=1e-3)
            assert sheet.captions[place][2 + view] == f"cos {attention.cosine[view, place]:.3f}"
    assert sheet.cells == "4×2"

    sheet = sheets.target_sheet(both, chosen)
    assert sheet.columns[:7] == ["query", "match", "wrong", "match", "wrong", "centroid", CONTROL]
    np.testing.assert_allclose(sheet.maps[0][3], above_mean(attention.maps[:, 0].sum(0)), rtol=1e-3)
    assert sheet.captions[0][3] == f"cos {attention.cosine[:, 0].mean():.3f}"
    assert sheet.captions[0][6] == ""

    sheet = sheets.pair_sheet(both, chosen)
    assert sheet.groups == ["visible"] * 3 + ["infrared"] * 3
    for place, (row, match) in enumerate(chosen[["row", "match"]].to_numpy()):
        first = 0 if images.records["modality"][row] == "visible" else 3
        np.testing.assert_array_equal(sheet.pictures[place][first], images.take(np.array([row]))[0])
        np.testing.assert_array_equal(sheet.pictures[place][3 - first], images.take(np.array([match]))[0])
        np.testing.assert_allclose(sheet.maps[place][first + 1], above_mean(attention.maps[:, place].sum(0)), rtol=1e-3, atol=1e-6)
        assert sheet.captions[place][1] == sheet.captions[place][4]  # the same cosine from both sides


def test_tables_over_sampled_images(two_runs):
    both = opened()
    sampled = sheets.sampled_maps(both, 5, seed=0)
    table = sheets.likeness_table(sampled).set_index(["network", "target"])
    first, second = (subject.label for subject in both)
    assert list(table.index.unique("target")) == ["match", "wrong", "centroid", CONTROL]
    np.testing.assert_allclose(table.loc[first, first], 1)
    np.testing.assert_allclose(table.xs("match", level="target")["target match"], 1)
    maps = sampled.maps[second, "wrong"]
    flat = maps.reshape(len(maps), -1)
    modality = sampled.images.records["modality"].to_numpy()[sampled.rows]
    neighbours = [
        (i, i - 1 if i and modality[i - 1] == modality[i] else np.flatnonzero(modality == modality[i])[-1])
        for i in range(len(flat))
    ]
    expected = np.mean([np.corrcoef(flat[i], flat[j])[0, 1] for i, j in neighbours])
    assert table.loc[(second, "wrong"), "another image"] == pytest.approx(expected, abs=1e-4)
    assert table.loc[(second, "wrong"), "all negative, %"] == pytest.approx(100 * (flat.max(1) <= 0).mean())
    counted = sheets.share_table(sampled, seed=0)
    assert set(counted["kind"]) == set(KINDS)
    assert counted["images"].max() <= 5
    assert counted.loc[counted["network"] == second, "difference"].notna().any()


def test_runs_are_labelled_by_their_settings_or_else_by_their_names(two_runs):
    assert [subject.label for subject in opened()] == ["FSC-Net, spatial only", "DEEN"]
    assert [subject.run.folder.name for subject in opened("b,a")] == ["b", "a"]
    shutil.copytree(two_runs / "results/llcm/b", two_runs / "results/llcm/c")
    assert [subject.label for subject in opened("a,b,c")] == [
        "FSC-Net, spatial only",
        "b",
        "c",
    ]


def test_the_default_run_is_compared_with_one_without_modules(two_runs, monkeypatch):
    usual = runs.load("llcm", "a").config
    monkeypatch.setattr(run_options, "Config", lambda dataset, trial: usual)
    assert [subject.run.folder.name for subject in open_runs(AttentionOptions(dataset="llcm"))] == ["a", "b"]


def test_runs_on_other_images_and_runs_named_twice_are_refused(two_runs):
    config = two_runs / "results/llcm/b/config.json"
    config.write_text(config.read_text().replace('"data_hash": "', '"data_hash": "0'))
    with pytest.raises(RunError, match="b: trained on other images or splits than a"):
        opened()
    with pytest.raises(ConfigError, match="expected runs, without repeats"):
        AttentionOptions(names="a,a")
    with pytest.raises(ConfigError, match="names: found none"):
        AttentionOptions(names="none")
