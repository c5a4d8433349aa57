"""Notes on a data set: logged once before any work, with counts and names, and kept apart from what is broken."""

import logging
from dataclasses import replace

import pytest
from trees import TREES, sysu_tree, write

from fsclib.config.specs import DATASETS, SYSU, Reported
from fsclib.data import notes
from fsclib.data.datasets import open_dataset
from fsclib.data.images import open_images
from fsclib.data.literature import far_below
from fsclib.data.records import FAR_BELOW, PASSED_OVER, DatasetError
from fsclib.system import log


@pytest.fixture
def messages(caplog, monkeypatch):
    """The messages of fsclib, whether or not another test has shown them already."""
    monkeypatch.setattr(logging.getLogger("fsclib"), "propagate", True)
    notes._remark.cache_clear()
    caplog.set_level(logging.INFO, "fsclib")
    return caplog


def test_passed_over_files_are_one_warning_with_their_number_and_the_first_names(tmp_path, messages):
    root = sysu_tree(tmp_path)
    write(root, "corpus.json", "{}")
    for number in range(5):
        write(root, f"cam1/0007/{number}.txt")
    for _ in range(2):
        found = open_dataset("sysu", root)
    assert len(found.notes) == 5
    assert [record.levelname for record in messages.records] == ["WARNING"]
    names = "'cam1/0007/0.txt', 'cam1/0007/1.txt', 'cam1/0007/2.txt', …"
    assert messages.messages == [f"{root}: 5 × passed over ({names}); notebook 01_data lists all of it"]


@pytest.mark.parametrize("layout", list(TREES))
def test_real_data_far_below_the_published_numbers_are_noted_before_training(tmp_path, messages, layout):
    root = TREES[layout](tmp_path)
    found = open_dataset(layout, root)
    assert found.problems == ()
    assert [note.path for note in found.notes] == [f"{part.split} {part.modality}" for part in DATASETS[layout].reported]
    part = DATASETS[layout].reported[0]
    number = ((found.records["split"] != "test") & (found.records["modality"] == "visible")).sum()
    assert f"{root}: train visible: {number} of {part.images:,} published images" in messages.text
    write(root, "corpus.json", "{}")
    assert open_dataset(layout, root).notes == ()


@pytest.mark.parametrize(("images", "identities", "far"), [(20, 3, False), (22, 3, False), (23, 3, True), (20, 4, True)])
def test_a_tenth_less_than_published_is_not_far_below(tmp_path, monkeypatch, images, identities, far):
    """The tree has 20 visible training images of 3 people, or 90.9 % of 22 and 87 % of 23."""
    records = open_dataset("sysu", sysu_tree(tmp_path)).records
    kept = records[(records["split"] != "test") & (records["modality"] == "visible")].iloc[:20]
    spec = replace(SYSU, reported=(Reported("train", "visible", images, identities),))
    monkeypatch.setitem(DATASETS, "sysu", spec)
    assert bool(far_below(kept, "sysu")) == far


def test_a_missing_index_file_is_not_also_reported_as_missing_images(tmp_path, messages):
    root = sysu_tree(tmp_path)
    (root / "exp/train_id.txt").unlink()
    with pytest.raises(DatasetError):
        open_dataset("sysu", root)
    assert "published" not in messages.text


def test_notes_are_not_counted_as_skipped_images(tmp_path):
    root = sysu_tree(tmp_path / "set")
    write(root, "cam1/0007/Thumbs.db", b"")
    images = open_images("sysu", (8, 4), root=root, cache_dir=tmp_path / "cache", workers=1, show=False)
    assert {note.kind for note in images.notes} == {PASSED_OVER, FAR_BELOW}
    assert images.skipped == {}


def test_names_with_control_codes_are_escaped(tmp_path, messages, capsys):
    root = sysu_tree(tmp_path)
    write(root, "cam1/0007/\x1b[2Jx.txt")
    log.show()
    open_dataset("sysu", root)
    assert "\x1b" not in messages.text + capsys.readouterr().out
