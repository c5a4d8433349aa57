"""Queries and galleries under every protocol, against draws of the published program and plain loops."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import llcm_tree, regdb_tree, sysu_tree, write

from fsclib.config.specs import DATASETS, DEMO, LLCM, Protocol
from fsclib.data.layouts import llcm, regdb, sysu
from fsclib.data.protocols import DIRECTIONS, gallery_draw, query_and_gallery, training_rows
from fsclib.data.records import INFRARED, VISIBLE, hold_out, select, table

REFERENCE = json.loads((Path(__file__).parent / "sysu_gallery.json").read_text())


def protocol(layout, mode, direction):
    return next(each for each in DATASETS[layout].protocols if (each.mode, each.direction) == (mode, direction))


@pytest.fixture(scope="module")
def reference_records(tmp_path_factory):
    """The reference tree on disk, with an infrared query for each identity and an identity to train on."""
    root = sysu_tree(tmp_path_factory.mktemp("sysu"), train=(2,), val=(9000,), test=(), images=1)
    for folder, names in REFERENCE["tree"].items():
        for name in names:
            write(root, f"{folder}/{name}", b"x")
    identities = sorted({int(folder.split("/")[1]) for folder in REFERENCE["tree"]})
    for identity in identities:
        write(root, f"cam3/{identity:04d}/0001.jpg", b"x")
    write(root, "exp/test_id.txt", ",".join(map(str, reversed(identities))))
    records, problems = sysu.read(root)
    assert problems == []
    return records


@pytest.mark.parametrize("mode", ["all", "indoor"])
@pytest.mark.parametrize("trial", range(10))
def test_gallery_draws_match_those_of_the_published_program(reference_records, mode, trial):
    queries, gallery = query_and_gallery(reference_records, protocol("sysu", mode, "ir2vis"), trial)
    assert reference_records["path"].iloc[gallery].tolist() == REFERENCE["gallery"][f"{mode}_trial{trial}"]
    assert set(reference_records["camera"].iloc[queries]) == {3}


def test_the_order_of_rows_does_not_change_the_images_drawn(reference_records):
    shuffled = reference_records.sample(frac=1, random_state=0).reset_index(drop=True)
    for trial in range(3):
        expected = reference_records["path"].iloc[gallery_draw(reference_records, trial, (1, 2, 4, 5))].tolist()
        assert shuffled["path"].iloc[gallery_draw(shuffled, trial, (5, 4, 2, 1))].tolist() == expected


images = st.tuples(
    st.integers(1, 12),
    st.integers(0, 9),
    st.sampled_from([VISIBLE, INFRARED]),
    st.sampled_from(["train", "val", "test", "test"]),
)


@settings(deadline=None)
@given(st.lists(images, max_size=50), st.integers(0, 9), st.sets(st.integers(1, 9)), st.sampled_from([VISIBLE, INFRARED]))
def test_a_draw_takes_one_image_of_each_identity_and_camera_present(rows, trial, cameras, modality):
    records = table([(f"{number:03d}.jpg", *row) for number, row in enumerate(rows)])
    random.seed(12345)
    before = random.getstate()
    drawn = records.iloc[gallery_draw(records, trial, cameras, modality)]
    assert random.getstate() == before
    present = {row[:2] for row in rows if row[2:] == (modality, "test") and row[1] in cameras}
    assert list(zip(drawn["identity"], drawn["camera"], strict=True)) == sorted(present)
    assert set(drawn["modality"]) <= {modality}
    assert set(drawn["split"]) <= {"test"}


def naive_draw(records, trial, cameras, modality):
    """The published draw: folder by folder, from the global random state."""
    test = records[(records["split"] == "test") & (records["modality"] == modality)]
    random.seed(trial)
    paths = []
    for identity in sorted(set(test["identity"])):
        for camera in cameras:
            files = test.loc[(test["identity"] == identity) & (test["camera"] == camera), "path"]
            if len(files):
                paths.append(random.choice(sorted(files)))
    return paths


def llcm_records(tmp_path):
    root = llcm_tree(tmp_path, test=(4, 20, 21), visible=(1, 3, 8, 9), infrared=(1, 2, 9), images=5)
    for folder in ("test_vis/cam2", "test_nir/cam8"):  # cameras that saw none of these three people
        (root / folder).mkdir()
    records, problems = llcm.read(root)
    assert [problem.kind for problem in problems] == ["camera without images"] * 2
    return records


@pytest.mark.parametrize(("direction", "query", "gallery"), [("vis2ir", VISIBLE, INFRARED), ("ir2vis", INFRARED, VISIBLE)])
def test_llcm_paper_draws_the_other_modality_despite_camera_gaps(tmp_path, direction, query, gallery):
    records = llcm_records(tmp_path)
    for trial in (0, 9):
        queries, drawn = query_and_gallery(records, protocol("llcm", "paper", direction), trial)
        assert np.array_equal(queries, select(records, "test", query))
        assert records["path"].iloc[drawn].tolist() == naive_draw(records, trial, range(1, 10), gallery)
    assert {VISIBLE: {1, 3, 8, 9}, INFRARED: {1, 2, 9}}[gallery] == set(records["camera"].iloc[drawn])


def test_llcm_as_coded_swaps_the_roles(tmp_path):
    records = llcm_records(tmp_path)
    queries, gallery = query_and_gallery(records, protocol("llcm", "as-coded", "vis2ir"), 4)
    assert np.array_equal(gallery, select(records, "test", VISIBLE))
    assert records["path"].iloc[queries].tolist() == naive_draw(records, 4, range(1, 10), INFRARED)
    paper = query_and_gallery(records, protocol("llcm", "paper", "vis2ir"), 4)
    assert np.array_equal(paper[1], queries), "the same images are drawn; only the roles differ"


@pytest.mark.parametrize(("direction", "query", "gallery"), [("vis2ir", VISIBLE, INFRARED), ("ir2vis", INFRARED, VISIBLE)])
def test_regdb_takes_every_test_image_of_both_modalities(tmp_path, direction, query, gallery):
    records, _ = regdb.read(regdb_tree(tmp_path, people=3))
    found = query_and_gallery(records, protocol("regdb", "", direction), 0)
    assert np.array_equal(found[0], select(records, "test", query))
    assert np.array_equal(found[1], select(records, "test", gallery))


def test_sysu_queries_are_all_infrared_test_images(tmp_path):
    records, _ = sysu.read(sysu_tree(tmp_path))
    for mode, cameras in (("all", {1, 2, 4, 5}), ("indoor", {1, 2})):
        queries, gallery = query_and_gallery(records, protocol("sysu", mode, "ir2vis"), 0)
        assert np.array_equal(queries, select(records, "test", INFRARED))
        assert set(records["camera"].iloc[gallery]) == cameras


@pytest.mark.parametrize("each", dict.fromkeys(each for spec in DATASETS.values() for each in spec.protocols), ids=str)
def test_trials_out_of_range_are_refused(tmp_path, each):
    for trial in (-1, each.trials):
        with pytest.raises(ValueError, match=f"expected 0 to {each.trials - 1} for {each}"):
            query_and_gallery(table([]), each, trial)
    with pytest.raises(ValueError, match="0 or more"):
        gallery_draw(table([]), -1, (1,))


def test_protocols_of_the_data_sets():
    assert {name: list(map(str, spec.protocols)) for name, spec in DATASETS.items()} == {
        "demo": ["paper vis2ir", "paper ir2vis", "as-coded vis2ir"],
        "sysu": ["all ir2vis", "indoor ir2vis"],
        "regdb": ["vis2ir", "ir2vis"],
        "llcm": ["paper vis2ir", "paper ir2vis", "as-coded vis2ir"],
    }
    assert DEMO.protocols == LLCM.protocols
    for spec in DATASETS.values():
        assert {each.scoring for each in spec.protocols} == {spec.layout}
        assert {each.mode for each in (*spec.protocols, *spec.further)} == set(spec.modes)
        assert {each.direction for each in spec.protocols} <= set(DIRECTIONS)
        assert all(isinstance(each, Protocol) and (each.trials == 10) == bool(each.cameras) for each in spec.protocols)


def test_further_protocols_have_the_queries_and_cameras_of_the_usual_ones():
    for spec in DATASETS.values():
        for each in spec.further:
            assert any(replace(each, mode=usual.mode, shots=usual.shots, official=False) == usual for usual in spec.protocols)
            assert each.shots > 1 or each.official
        modes = [each.mode for each in (*spec.protocols, *spec.further) if each.direction == "ir2vis"]
        assert len(modes) == len(set(modes))


@pytest.mark.parametrize(("mode", "cameras"), [("all-multi", (1, 2, 4, 5)), ("indoor-multi", (1, 2))])
def test_multi_shot_galleries_have_ten_images_or_all_of_each_identity_and_camera(tmp_path, mode, cameras):
    root = sysu_tree(tmp_path, images=12)
    for number in range(4, 13):
        (root / f"cam2/0007/{number:04d}.jpg").unlink()
    records, _ = sysu.read(root)
    multi = next(each for each in DATASETS["sysu"].further if each.mode == mode)
    for trial in (0, 3):
        random.seed(trial)
        expected = []
        for identity in (1, 7):
            for camera in cameras:
                files = sorted(str(file.relative_to(root)) for file in (root / f"cam{camera}/{identity:04d}").iterdir())
                expected += random.sample(files, min(10, len(files)))
        queries, gallery = query_and_gallery(records, multi, trial)
        assert records["path"].iloc[gallery].tolist() == expected
        assert np.array_equal(queries, select(records, "test", INFRARED))
    with pytest.raises(ValueError, match="expected 0 to 9"):
        query_and_gallery(records, multi, 10)


def test_held_out_identities_are_searched_among_themselves(tmp_path):
    records, _ = llcm.read(llcm_tree(tmp_path, train=range(100, 115)))
    held = hold_out(records, seed=3)
    protocol = LLCM.validation
    queries, gallery = query_and_gallery(held, protocol, 4, "val")
    who = set(held["identity"].iloc[queries])
    assert len(who) == 3
    assert not held.iloc[gallery].duplicated(["identity", "camera"]).any()  # as on the test split
    assert who == set(held["identity"].iloc[gallery])
    assert set(held["modality"].iloc[queries]) == {INFRARED}
    assert set(held["modality"].iloc[gallery]) == {VISIBLE}
    assert not who & set(held["identity"].iloc[training_rows(held, include_val=False)])
    assert np.array_equal(training_rows(held, include_val=True), select(records, "train"))
    assert [len(rows) for rows in query_and_gallery(records, protocol, 0, "val")] == [0, 0]


def test_trials_may_be_numpy_integers(reference_records):
    drawn = gallery_draw(reference_records, np.int64(2), np.array([1, 2]))
    assert np.array_equal(drawn, gallery_draw(reference_records, 2, (1, 2)))
