"""Corpora of several worlds: their people, test splits and thermal cameras, and corpora of older versions."""

import csv
import hashlib
import io
import json
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from corpora import SEED, SMALL, fake_draw, images, index, masks, numbers, tree, written

from fsclib.data import datasets
from synthpeople import __main__ as command_line
from synthpeople import rendering
from synthpeople.corpus import Corpus
from synthpeople.drawing import attributes, draw, family
from synthpeople.sizes import last_of_worlds, train_of_worlds, world_of

PEOPLE, WORLDS = 40, 6
FORM = {"images": 2, "height": 64, "width": 24}
SPLITS = {"sysu": "exp/test_id.txt", "llcm": "idx/test_id.txt"}


def mixed(layout: str = "llcm", **options) -> Corpus:
    return Corpus(layout, PEOPLE, SEED, **{**FORM, "worlds": WORLDS, "infrared": "mixed"} | options)


def test_a_single_world_has_not_changed():
    """A digest of every path and text from before worlds existed; test_drawing has one of pixels."""
    digest = hashlib.blake2b(digest_size=16)
    for layout in ("sysu", "regdb", "llcm"):
        plan = Corpus(layout, 40, 5, 2).plan()
        digest.update(repr((plan.shots, sorted(plan.texts.items()))).encode())
    assert digest.hexdigest() == "4fb83e82a9fc4c87be95a841fc31a926"


def test_worlds_are_blocks_that_keep_near_twins_together():
    for worlds in range(1, 30):
        for people in range(4 * worlds, 4 * worlds + 50):
            ends = (0, *last_of_worlds(people, worlds))
            sizes = [end - start for start, end in pairwise(ends)]
            assert (len(sizes), sum(sizes)) == (worlds, people)
            assert min(sizes) >= 4
            assert max(sizes) - min(sizes) <= 3
            homes = [world_of(identity, people, worlds) for identity in range(1, people + 1)]
            assert homes == [world for world, size in enumerate(sizes) for _ in range(size)]
            assert all(homes[family(identity) - 1] == homes[identity - 1] for identity in range(1, people + 1))


def test_an_image_is_drawn_from_the_seed_of_its_world():
    corpus = mixed()
    assert corpus.seeds == range(SEED, SEED + WORLDS)
    assert [corpus.seed_of(identity) for identity in (1, PEOPLE)] == [SEED, SEED + WORLDS - 1]
    assert {corpus.seed_of(identity) for identity in range(1, PEOPLE + 1)} == set(corpus.seeds)
    shots = [shot for shot in corpus.plan().shots if shot.index == 0][::53]
    assert len({corpus.seed_of(shot.identity) for shot in shots}) > 3
    for shot in shots:
        who = corpus.seed_of(shot.identity), shot.identity, shot.camera, shot.modality, 0
        expected = draw(*who, FORM["height"], FORM["width"])
        assert np.array_equal(corpus.drawn(shot).pixels, expected.pixels)
        assert np.array_equal(corpus.drawn(shot).parts, expected.parts)


def test_people_of_two_worlds_differ_and_each_is_described_as_drawn():
    rows = {}
    for worlds in (1, 2):
        text = Corpus("llcm", PEOPLE, SEED, worlds=worlds, **FORM).plan().texts["attributes.csv"]
        rows[worlds] = {int(row.pop("identity")): row for row in csv.DictReader(io.StringIO(text))}
    half = last_of_worlds(PEOPLE, 2)[0]
    assert [rows[2][i] == rows[1][i] for i in range(1, PEOPLE + 1)] == [i <= half for i in range(1, PEOPLE + 1)]
    assert all(rows[2][identity] == attributes(SEED + 1, identity) for identity in range(half + 1, PEOPLE + 1))


@pytest.mark.parametrize("layout", list(SPLITS))
@pytest.mark.parametrize(("share", "tested"), [(0.9, 1), (0.5, 3), (0.05, 5), (None, None)])
def test_the_test_split_consists_of_whole_worlds(layout, share, tested):
    corpus = mixed(layout, train_share=share)
    tested = tested or {"sysu": 1, "llcm": 2}[layout]
    test = numbers(corpus.plan().texts[SPLITS[layout]].encode())
    first = last_of_worlds(PEOPLE, WORLDS)[WORLDS - tested - 1] + 1
    assert test == list(range(first, PEOPLE + 1))
    assert {corpus.seed_of(identity) for identity in test} == set(list(corpus.seeds)[-tested:])


def test_one_of_two_worlds_is_for_training_whatever_the_share():
    assert {train_of_worlds(20, 2, share) for share in (0.01, 0.5, 0.99)} == {10}


def test_the_trials_of_regdb_mix_worlds():
    plan = Corpus("regdb", PEOPLE, SEED, worlds=WORLDS).plan()
    assert {path: text for path, text in plan.texts.items() if path != "attributes.csv"} == {
        path: text for path, text in Corpus("regdb", PEOPLE, SEED).plan().texts.items() if path != "attributes.csv"
    }
    assert {len(set(index(plan.texts[f"idx/{split}_visible_1.txt"].encode()).values())) for split in ("train", "test")} == {20}


@pytest.mark.parametrize("layout", list(SPLITS))
@pytest.mark.parametrize(("infrared", "warm"), [("near", set()), ("thermal", set(range(6))), ("mixed", {2, 5})])
def test_which_worlds_have_thermal_cameras(layout, infrared, warm):
    corpus, near = mixed(layout, infrared=infrared), mixed(layout, infrared="near").plan()
    seen = corpus.plan()
    assert seen.texts == near.texts
    assert [replace(shot, modality="") for shot in seen.shots] == [replace(shot, modality="") for shot in near.shots]
    for shot, before in zip(seen.shots, near.shots, strict=True):
        thermal = before.modality == "infrared" and corpus.seed_of(shot.identity) - SEED in warm
        assert shot.modality == ("thermal" if thermal else before.modality)


def test_a_full_corpus_of_worlds_has_the_images_of_the_original(monkeypatch):
    monkeypatch.setattr("synthpeople.corpus._attributes", lambda seed, number, difficulty: {"seed": seed})
    corpus = Corpus("llcm", seed=SEED, full=True, worlds=9, infrared="thermal")
    plan = corpus.plan()
    assert len(plan.shots) == 46_767
    assert {shot.modality for shot in plan.shots} == {"visible", "thermal"}
    test = numbers(plan.texts["idx/test_id.txt"].encode())
    assert {corpus.seed_of(identity) for identity in test} == {SEED + 6, SEED + 7, SEED + 8}


@pytest.mark.parametrize("layout", list(SPLITS))
def test_readers_find_nothing_wrong(layout, tmp_path, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", layout, 24, worlds=4, infrared="mixed")
    dataset = datasets.open_dataset(layout, folder)
    assert not dataset.problems
    assert set(dataset.records["modality"]) == {"visible", "infrared"}


def test_two_workers_write_the_bytes_of_one(tmp_path):
    options = {"identities": 13, "worlds": 3, "infrared": "mixed", "difficulty": "wide", "masks": True, "images": 1}
    one, two = (tree(written(tmp_path / str(workers), "sysu", workers=workers, **options)) for workers in (1, 2))
    assert one == two
    assert len({one[path] for path in images(one)}) == len(images(one)) == len(masks(one))


def test_chunks_hold_one_world_each_and_all_shots_in_order(monkeypatch):
    monkeypatch.setattr(rendering, "OF_A_WORLD", 30)
    corpus = mixed()
    shots = corpus.plan().shots
    chunks = list(rendering._chunks(corpus, shots))
    assert tuple(shot for chunk in chunks for shot in chunk) == shots
    assert all(len({corpus.seed_of(shot.identity) for shot in chunk}) == 1 for chunk in chunks)
    assert max(map(len, chunks)) == 30


def test_a_killed_run_is_resumed_in_every_world(tmp_path, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    options = {"identities": 24, "worlds": 4, "infrared": "mixed"}
    folder = written(tmp_path / "c", **options)
    whole = tree(folder)
    for path in ["corpus.json", "attributes.csv", *sorted(images(whole))[::3]]:
        (folder / path).unlink()
    written(folder, **options)
    assert tree(folder) == whole
    assert json.loads(whole["corpus.json"])["worlds"] == 4
    assert Corpus(**json.loads(whole["corpus.json"])) == Corpus("llcm", 24, SEED, worlds=4, infrared="mixed", **FORM)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize(
    "changed", [{"worlds": 1, "infrared": "near"}, {"worlds": 3}, {"infrared": "near"}, {"infrared": "thermal"}]
)
def test_a_corpus_of_other_worlds_or_infrared_is_refused(tmp_path, monkeypatch, complete, changed):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    options = {"identities": 24, "worlds": 4, "infrared": "mixed"}
    folder = written(tmp_path / "c", **options)
    if not complete:
        (folder / "corpus.json").unlink()
        (folder / "attributes.csv").unlink()
    before = tree(folder)
    with pytest.raises(FileExistsError, match="delete the folder or choose another"):
        written(folder, **options | changed)
    assert tree(folder) == before


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("other", ["wide", "standard"])
def test_an_unfinished_corpus_of_equal_worlds_is_not_continued_as_mixed(tmp_path, monkeypatch, seed, other):
    """Half of the worlds are the same in both, among them the first for one of the seeds."""
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    options = {"identities": 8, "worlds": 2, "images": 1, "seed": seed}
    folder = written(tmp_path / "c", **options, difficulty=other)
    (folder / "corpus.json").unlink()
    before = tree(folder)
    with pytest.raises(FileExistsError, match="of other parameters, see"):
        written(folder, **options, difficulty="mixed")
    assert tree(folder) == before


def test_a_corpus_from_before_worlds_existed_is_complete(tmp_path, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    folder = written(tmp_path / "c", identities=12)
    mark = json.loads((folder / "corpus.json").read_text())
    assert list(mark) == [name for name in asdict(Corpus("llcm")) if name not in ("worlds", "infrared", "test_images")]
    before = tree(folder)
    for extra in ({}, {"worlds": 1}, {"worlds": 1, "infrared": "near"}):
        (folder / "corpus.json").write_text(json.dumps(mark | extra))
        written(folder, identities=12)
    with pytest.raises(FileExistsError, match="holds a corpus with worlds 1, expected worlds 3"):
        written(folder, identities=12, worlds=3)
    assert {path: content for path, content in tree(folder).items() if path != "corpus.json"} == {
        path: content for path, content in before.items() if path != "corpus.json"
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"worlds": 0}, "worlds is 0, expected a whole number from 1 to 500"),
        ({"worlds": 501}, "worlds is 501"),
        ({"worlds": 2.5}, "worlds is 2.5"),
        ({"worlds": 3}, "identities is 10, expected at least 12, 4 for each of 3 worlds"),
        ({"worlds": 2, "seed": 2**63 - 1}, f"seed is {2**63 - 1}, expected at most {2**63 - 2} for 2 worlds"),
        ({"infrared": "nir"}, "infrared is 'nir', expected one of near, thermal, mixed"),
        ({"infrared": "mixed", "worlds": 2}, "worlds is 2, expected at least 3 for mixed infrared"),
        ({"infrared": "thermal", "layout": "regdb"}, "RegDB's infrared images are thermal already; leave it out"),
    ],
)
def test_impossible_worlds_are_refused(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path / "c", **wrong)
    assert not (tmp_path / "c").exists()


def test_the_last_seed_is_allowed():
    assert Corpus("llcm", 10, 2**63 - 2, worlds=2).seeds[-1] == 2**63 - 1


def test_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("synthpeople.corpus.draw", fake_draw)
    sizes = [word for name in ("images", "height", "width", "workers") for word in (f"--{name}", str(SMALL[name]))]
    worlds = ["--identities", "12", "--seed", str(SEED), "--worlds", "3", "--infrared", "mixed"]
    command_line.main(["--layout", "llcm", "--out", str(tmp_path / "c"), *worlds, *sizes])
    assert tree(tmp_path / "c") == tree(written(tmp_path / "d", identities=12, worlds=3, infrared="mixed"))
