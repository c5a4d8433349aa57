"""A data set opened with its pixels: broken images are reported with all other problems, and rows match their pixels."""

import shutil

import numpy as np
import pytest
from PIL import Image

from fsclib.config.specs import DATASETS
from fsclib.data.images import open_images
from fsclib.data.records import DatasetError


def copy(home, layout, to):
    shutil.copytree(home / "data" / DATASETS[layout].folder, to)
    return to


@pytest.mark.parametrize("layout", ["sysu", "regdb", "llcm"])
def test_each_record_has_its_own_pixels(home, layout):
    images = open_images(layout, (64, 24), workers=1, show=False)
    rows = np.arange(0, len(images.records), 7)
    for row, pixels in zip(rows, images.take(rows), strict=True):
        with Image.open(images.dataset.root / images.records["path"][row]) as file:
            assert np.array_equal(np.asarray(file.convert("RGB")), pixels)


def test_a_data_set_counts_as_synthetic_if_it_has_a_corpus_json(home, tmp_path):
    root = copy(home, "llcm", tmp_path / "LLCM")
    images = open_images("llcm", (64, 24), root=root, cache_dir=tmp_path / "cache", workers=1, show=False)
    assert images.synthetic
    (root / "corpus.json").unlink()
    assert not images.synthetic


def test_trials_of_regdb_share_one_cache_and_one_hash(home):
    first, second = (open_images("regdb", (64, 24), trial=trial, workers=1, show=False) for trial in (1, 2))
    assert first.pixels_hash == second.pixels_hash
    assert first.data_hash != second.data_hash  # the training people differ
    assert first.pixels.filename == second.pixels.filename
    assert not first.records["path"].equals(second.records["path"])


def test_all_faults_are_listed_and_rows_match_their_pixels_without_them(home, tmp_path):
    root = copy(home, "llcm", tmp_path / "LLCM")
    index = root / "idx/train_nir.txt"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines[:2], "nir/without/a_label.jpg", *lines[2:]]) + "\n")
    broken = sorted((root / "test_vis").rglob("*.jpg"))[3]
    broken.write_bytes(b"not an image")
    with pytest.raises(DatasetError) as error:
        open_images("llcm", (64, 24), root=root, cache_dir=tmp_path / "cache", workers=1, show=False)
    assert "idx/train_nir.txt:3" in str(error.value)
    assert str(broken.relative_to(root).as_posix()) in str(error.value)

    images = open_images("llcm", (64, 24), root=root, cache_dir=tmp_path / "cache", strict=False, workers=1, show=False)
    assert sum(images.skipped.values()) == 2
    assert broken.relative_to(root).as_posix() not in set(images.records["path"])
    for row in (0, len(images.records) - 1):
        with Image.open(root / images.records["path"][row]) as file:
            assert np.array_equal(np.asarray(file.convert("RGB")), images.take(np.array([row]))[0])


def test_an_identity_that_loses_its_last_infrared_image_is_left_out(home, tmp_path):
    root = copy(home, "llcm", tmp_path / "LLCM")
    lines = (root / "idx/train_nir.txt").read_text().splitlines()
    label = lines[0].split()[1]
    for line in lines:
        if line.split()[1] == label:
            (root / line.split()[0]).write_bytes(b"not an image")
    images = open_images("llcm", (64, 24), root=root, cache_dir=tmp_path / "cache", strict=False, workers=1, show=False)
    training = images.records[images.records["split"] == "train"]
    assert int(label) not in set(training["identity"])
    assert images.skipped["one modality only"] == 1


def test_a_changed_file_changes_the_hash(home, tmp_path):
    root = copy(home, "sysu", tmp_path / "SYSU")
    options = {"root": root, "cache_dir": tmp_path / "cache", "workers": 1, "show": False}
    before = open_images("sysu", (64, 24), **options)
    files = sorted(root.glob("cam1/*/*.jpg"))
    files[0].write_bytes(files[1].read_bytes())
    after = open_images("sysu", (64, 24), **options)
    assert before.data_hash != after.data_hash
    row = after.records.index[after.records["path"] == files[0].relative_to(root).as_posix()][0]
    other = after.records.index[after.records["path"] == files[1].relative_to(root).as_posix()][0]
    assert np.array_equal(*after.take(np.array([row, other])))


def test_broken_images_are_listed_along_with_a_missing_index_file(home, tmp_path):
    root = copy(home, "llcm", tmp_path / "LLCM")
    (root / "idx/test_id.txt").unlink()
    broken = root / (root / "idx/train_nir.txt").read_text().split()[0]
    broken.write_bytes(b"not an image")
    for strict in (True, False):
        with pytest.raises(DatasetError) as error:
            open_images("llcm", (64, 24), root=root, cache_dir=tmp_path / "cache", strict=strict, workers=1, show=False)
        assert {problem.path for problem in error.value.problems} == {"idx/test_id.txt", broken.relative_to(root).as_posix()}
