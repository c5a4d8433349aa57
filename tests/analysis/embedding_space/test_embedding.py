"""Embeddings of runs: the points that retrieval compares, their t-SNE maps, failed queries, and refused runs."""

import json

import numpy as np
import pytest
import torch
from pointing import points

from fsclib import metrics
from fsclib.analysis import samples
from fsclib.analysis.embedding_space.points import DRAWN, Points, points_of, tsne
from fsclib.config import Config, ConfigError
from fsclib.config.specs import DATASETS
from fsclib.data.protocols import query_and_gallery
from fsclib.metrics.ranking import tie_order
from fsclib.retrieval import search
from fsclib.retrieval.features import similarity
from fsclib.runs import RunError
from workbook import embedding
from workbook.embedding import EmbeddingOptions


@pytest.fixture
def embedded(copied):
    """Loads a run of one epoch as the notebook does."""

    def build(dataset):
        copied(dataset=dataset, epochs=1, name="one")
        return embedding.load(EmbeddingOptions(dataset=dataset, names=("one",), device="cpu", workers=1))["one"]

    return build


@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_points_are_the_vectors_of_retrieval_at_unit_length(embedded, dataset):
    found = embedded(dataset)
    ours, records, rows = points_of(found), found.images.records, found.features.rows
    assert ours.scoring == dataset
    np.testing.assert_array_equal(np.sort(rows), np.flatnonzero(records["split"] == "test"))
    for name in ("identity", "camera", "modality"):
        assert list(getattr(ours, name)) == list(records[name].to_numpy()[rows])
    torch.testing.assert_close(ours.vectors.norm(dim=1), torch.ones(len(rows)))
    sides = found.features.of(rows, True)
    products = torch.from_numpy(similarity(sides, sides))
    lengths = products.diagonal().sqrt()
    torch.testing.assert_close(ours.vectors @ ours.vectors.T, products / lengths[:, None] / lengths, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scoring", ["sysu", "regdb", "llcm"])
def test_hidden_pairs_follow_the_protocol_or_share_person_and_camera(scoring):
    found = points(scoring=scoring)
    visible, infrared = found.of("visible"), found.of("infrared")
    across = found.hidden(infrared, visible)
    np.testing.assert_array_equal(found.hidden(visible, infrared), across.T)
    same = found.identity[infrared][:, None] == found.identity[visible]
    cameras = found.camera[infrared][:, None], found.camera[visible]
    expected = {"sysu": (cameras[0] == 3) & (cameras[1] == 2), "regdb": same & False, "llcm": same & (cameras[0] == cameras[1])}
    np.testing.assert_array_equal(across, expected[scoring])
    within = found.hidden(visible, visible)
    same = found.identity[visible][:, None] == found.identity[visible]
    np.testing.assert_array_equal(within, same & (found.camera[visible][:, None] == found.camera[visible]))
    assert within.diagonal().all()


def test_tsne_separates_the_drawn_people():
    found = points(people=10, each=6, noise=0.1)
    table = tsne(found, 4, seed=1)
    assert table["identity"].nunique() == 4
    for (person, modality), part in table.groupby(["identity", "modality"]):
        there = (found.identity == person) & (found.modality == modality)
        assert len(part) == min(DRAWN, there.sum())
        assert set(part["camera"]) == set(found.camera[there])
    xy, person = table[["x", "y"]].to_numpy(), table["identity"].to_numpy()
    apart = ((xy[:, None] - xy) ** 2).sum(-1) + np.diag(np.full(len(xy), np.inf))
    assert (person[apart.argmin(1)] == person).mean() > 0.95
    again = tsne(found, 4, seed=1)
    assert again.equals(table)
    assert set(tsne(found, 4, seed=2)["identity"]) != set(table["identity"])


def test_tsne_needs_a_person_seen_in_both_modalities():
    found = points(people=4)
    one_modality = (found.identity % 2 == 0) == (found.modality == "visible")
    parts = {name: getattr(found, name)[np.flatnonzero(one_modality)] for name in ("vectors", "identity", "camera", "modality")}
    with pytest.raises(ValueError, match="found none of 4 people"):
        tsne(Points(**parts, scoring="llcm"), 3, 0)


def test_all_wrong_options_are_reported_at_once():
    assert EmbeddingOptions().names == "auto"
    assert EmbeddingOptions(names="a, b").names == ("a", "b")
    for names in ("a,a", ""):
        with pytest.raises(ConfigError, match="expected one run or more, without repeats"):
            EmbeddingOptions(names=names)
    with pytest.raises(ConfigError) as caught:
        EmbeddingOptions(names="a,a", people=8, dataset="lcm")
    assert len(caught.value.problems) == 3


def test_every_unsuitable_run_is_reported(embedded, home):
    found = embedded("llcm")
    one = found.run.folder
    for name, change in (("other", {"data_hash": "x"}), ("same", {})):
        folder = one.with_name(name)
        folder.mkdir()
        content = json.loads((one / "config.json").read_text())
        content["environment"] |= change
        (folder / "config.json").write_text(json.dumps(content))
        (folder / "metrics.json").write_text("{}")
    with pytest.raises(RunError) as caught:
        embedding.load(EmbeddingOptions(dataset="llcm", names="one,other,same,absent", device="cpu"))
    assert "no run 'absent'" in str(caught.value)
    assert "different data (one: " in str(caught.value)
    (one / "metrics.json").unlink()
    with pytest.raises(RunError, match="not finished"):
        embedding.load(EmbeddingOptions(dataset="llcm", names="one", device="cpu"))
    usual = Config(dataset="llcm").name
    with pytest.raises(RunError, match=f"no run '{usual}'"):
        embedding.load(EmbeddingOptions(dataset="llcm"))


@pytest.mark.parametrize("dataset", ["sysu", "llcm"])
def test_failures_are_the_worst_queries_one_per_person(embedded, dataset):
    run, images, features = embedded(dataset)
    protocol = DATASETS[dataset].protocols[0]
    query, gallery = query_and_gallery(images.records, protocol, 0)
    scores = similarity(features.of(query, True), features.of(gallery, True))
    scored = search.score(scores, images.records, query, gallery, protocol.scoring)
    records = images.records.iloc[query].assign(value=scored.average_precision, place=np.arange(len(query)))
    worst = records.dropna().sort_values("value", kind="stable").drop_duplicates("identity")[:3]

    (shown, found, right, names), matches = samples.failures(run, images, 3, length=4)
    assert len(shown) == len(found) == len(right) == len(names) == len(matches) == len(worst)
    for n, (row, line) in enumerate(worst.iterrows()):
        np.testing.assert_array_equal(shown[n], images.take(np.array([row]))[0])
        labels = (images.records[name].to_numpy()[rows] for name in ("identity", "camera") for rows in ([row], gallery))
        hidden = metrics.hidden(*labels, protocol.scoring)[0]
        order = [j for j in np.lexsort((tie_order(len(gallery)), -scores[line["place"]])) if not hidden[j]]
        truths = images.records["identity"].to_numpy()[gallery[order]] == line["identity"]
        np.testing.assert_array_equal(found[n], images.take(gallery[order[:4]]))
        assert list(right[n]) == list(truths[:4])
        first = int(np.argmax(truths))
        np.testing.assert_array_equal(matches[n], images.take(gallery[order[first : first + 1]])[0])
        caption = f"person {line['identity']}\ncamera {line['camera']}\nAP {100 * line['value']:.1f} %\nfirst at {first + 1}"
        assert names[n] == caption
