"""Opening data sets by name: default folders, all problems reported at once, and the records that lenient reading keeps."""

from dataclasses import replace

import pytest
from trees import TREES, append, llcm_tree, regdb_tree, sysu_tree, write

from fsclib.config.specs import DATASETS, LLCM
from fsclib.data.datasets import open_dataset
from fsclib.data.literature import beside_reported, departures, recorded
from fsclib.data.protocols import query_and_gallery
from fsclib.data.records import NO_MATCH, NO_TEST, NO_TRAINING, DatasetError


@pytest.mark.parametrize("layout", list(TREES))
def test_default_folders_are_in_the_data_folder(tmp_path, monkeypatch, layout):
    folder = TREES[layout](tmp_path / "data" / DATASETS[layout].folder)
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    found = open_dataset(layout)
    assert (found.name, found.spec.layout, found.root, found.problems) == (layout, layout, folder, ())
    assert len(found.records) == len(open_dataset(layout, root=str(found.root)).records) > 0
    assert found.records.equals(open_dataset(layout, data_dir=tmp_path / "data").records)


@pytest.mark.parametrize(("name", "nearest"), [("SYSU-MM01", "sysu"), ("LLCM", "llcm"), ("regbd", "regdb")])
def test_an_unknown_name_lists_the_known_ones_and_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"demo, sysu, regdb, llcm, did you mean '{nearest}'"):
        open_dataset(name)
    with pytest.raises(ValueError, match="expected one of demo"):
        open_dataset("zzz")


def test_only_regdb_has_trials(tmp_path):
    regdb_tree(tmp_path / "regdb", trial=7)
    assert open_dataset("regdb", tmp_path / "regdb", trial=7).trial == 7
    with pytest.raises(ValueError, match="from 1 to 10"):
        open_dataset("regdb", tmp_path / "regdb", trial=11)
    with pytest.raises(ValueError, match="single split"):
        open_dataset("llcm", llcm_tree(tmp_path / "llcm"), trial=2)


@pytest.mark.parametrize("strict", [True, False])
def test_a_missing_data_set_always_raises(tmp_path, strict):
    with pytest.raises(DatasetError, match="Dongguk University") as caught:
        open_dataset("regdb", tmp_path / "RegDB", strict=strict)
    assert str(tmp_path / "RegDB") in str(caught.value)


@pytest.mark.parametrize("strict", [True, False])
def test_a_missing_index_file_always_raises_and_is_the_only_problem(tmp_path, strict):
    root = llcm_tree(tmp_path)
    (root / "idx/train_nir.txt").unlink()
    with pytest.raises(DatasetError) as caught:
        open_dataset("llcm", root, strict=strict)
    assert [problem.path for problem in caught.value.problems] == ["idx/train_nir.txt"]


def broken_llcm(root):
    """An LLCM tree with five different faults; returns their places."""
    llcm_tree(root)
    write(root, "vis/0500/0500_c01_vis.jpg")
    write(root, "test_vis/cam1/0004/empty.jpg", b"")
    return {
        ("idx/train_vis.txt", append(root, "idx/train_vis.txt", "vis/nowhere.jpg 3")),
        ("idx/train_nir.txt", append(root, "idx/train_nir.txt", "nir/no_label.jpg")),
        ("idx/test_id.txt", append(root, "idx/test_id.txt", ",999")),
        ("test_vis/cam1/0004/empty.jpg", None),
        ("vis/0500", append(root, "idx/train_vis.txt", "vis/0500/0500_c01_vis.jpg 500") and None),
    }


def test_strict_lists_every_fault_at_once(tmp_path):
    expected = broken_llcm(tmp_path)
    with pytest.raises(DatasetError) as caught:
        open_dataset("llcm", tmp_path)
    assert {(problem.path, problem.line) for problem in caught.value.problems} == expected
    message = str(caught.value)
    assert message.startswith(f"llcm in {tmp_path}: 5 problems")
    assert all((path if line is None else f"{path}:{line}: ") in message for path, line in expected)


def test_lenient_drops_faulty_records_and_keeps_their_problems(tmp_path):
    whole = open_dataset("llcm", llcm_tree(tmp_path / "whole"))
    expected = broken_llcm(tmp_path / "broken")
    found = open_dataset("llcm", tmp_path / "broken", strict=False)
    assert {(problem.path, problem.line) for problem in found.problems} == expected
    assert found.records.equals(whole.records)
    assert found.records.index.tolist() == list(range(len(found.records)))


def test_a_test_identity_with_one_modality_is_kept(tmp_path):
    root = sysu_tree(tmp_path)
    for camera in (3, 6):
        for file in (root / f"cam{camera}/0007").iterdir():
            file.unlink()
    found = open_dataset("sysu", root)
    assert 7 in set(found.records["identity"])


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("layout", "index", "content", "kind"),
    [
        ("llcm", "idx/train_nir.txt", "", NO_TRAINING),
        ("llcm", "idx/test_id.txt", "", NO_TEST),
        ("regdb", "idx/test_thermal_1.txt", "Thermal/3/t_0.bmp 70\n", NO_MATCH),
        ("regdb", "idx/train_thermal_1.txt", "Thermal/1/t_0.bmp 70\n", NO_TRAINING),  # all identities in one modality
    ],
)
def test_an_unusable_data_set_always_raises(tmp_path, layout, index, content, kind, strict):
    root = TREES[layout](tmp_path)
    write(root, index, content)
    with pytest.raises(DatasetError) as caught:
        open_dataset(layout, root, strict=strict)
    assert kind in {problem.kind for problem in caught.value.problems}


# --- what the literature reports -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", list(TREES))
def test_reported_counts_are_listed_beside_those_on_disk(tmp_path, layout):
    records = open_dataset(layout, TREES[layout](tmp_path)).records
    found = beside_reported(records, layout).set_index(["split", "modality"])
    assert found.loc[["train", "test"], "images"].sum() == len(records)
    training = records[records["split"] != "test"]
    assert found.loc[("train", "visible"), "identities"] == training["identity"].nunique()
    for part in DATASETS[layout].reported:
        assert found.loc[(part.split, part.modality), "reported_images"] == part.images
        assert found.loc[(part.split, part.modality), "reported_identities"] == part.identities
    assert beside_reported(records, "demo")["reported_images"].isna().all()
    assert (("gallery", "visible") in found.index) == (layout == "sysu")
    if layout == "sysu":
        gallery = query_and_gallery(records, DATASETS["sysu"].protocols[0])[1]
        assert found.loc[("gallery", "visible"), "images"] == len(gallery)


@pytest.mark.parametrize("layout", list(TREES))
def test_recorded_numbers_are_those_on_disk(tmp_path, layout):
    records = open_dataset(layout, TREES[layout](tmp_path)).records
    found = recorded(records)
    parts = records.assign(split=records["split"].replace("val", "train")).groupby(["split", "modality"])["identity"]
    for (split, modality), identities in parts:
        assert found[f"{split} {modality} images"] == len(identities)
        assert found[f"{split} {modality} identities"] == identities.nunique()
    test = records[(records["split"] == "test") & (records["modality"] == "visible")]
    assert found["gallery visible images"] == len(test.groupby(["identity", "camera"]))
    assert len(found) == 10
    assert departures(found, layout)


def test_a_data_set_that_shares_a_layout_is_registered_by_its_spec(tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "campus", replace(LLCM, title="Campus", folder="Campus", owner="", reported=()))
    with pytest.raises(
        DatasetError, match=r"Campus: no such folder — put the data set there, so that the folder contains vis, nir"
    ) as caught:
        open_dataset("campus", data_dir=tmp_path)
    assert "Xiamen" not in str(caught.value)
    found = open_dataset("campus", llcm_tree(tmp_path / "Campus"))
    assert found.records.equals(open_dataset("llcm", tmp_path / "Campus").records)
    assert beside_reported(found.records, "campus")["reported_images"].isna().all()


def test_every_layout_and_the_demo_have_a_name():
    assert {name: spec.layout for name, spec in DATASETS.items()} == {"demo": "llcm"} | {name: name for name in TREES}


def test_a_missing_demo_is_not_created_and_the_error_says_how(tmp_path):
    with pytest.raises(DatasetError, match=r"python -m workbook\.demo creates it"):
        open_dataset("demo", data_dir=tmp_path / "data")
    assert not (tmp_path / "data").exists()
