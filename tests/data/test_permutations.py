"""Official galleries of SYSU-MM01: read from a file that scipy wrote, compared with a transcription of the official rule."""

import struct
import zlib

import numpy as np
import pytest
from permutations import cells, permutations_of, write_permutations
from scipy.io import loadmat, savemat
from trees import llcm_tree, sysu_tree, write

from fsclib.config.specs import DATASETS, SYSU
from fsclib.data.datasets import open_dataset, settle
from fsclib.data.layouts import permutations
from fsclib.data.protocols import query_and_gallery
from fsclib.data.records import INFRARED, DatasetError, Problem, select

OFFICIAL = {each.mode: each for each in SYSU.further if each.official}


@pytest.fixture
def root(tmp_path):
    """Identity 7 has three images on each camera but none on camera 4, identity 1 has twelve."""
    sysu_tree(tmp_path, images=3)
    for camera in (1, 2, 3, 4, 5, 6):
        for number in range(4, 13):
            write(tmp_path, f"cam{camera}/0001/{number:04d}.jpg")
    for file in (tmp_path / "cam4/0007").iterdir():
        file.unlink()
    return tmp_path


def official_names(file, cameras, shots, trial, test=(1, 7)):
    """The gallery of the MATLAB evaluation as file names, in its order: cameras, then identities, then images."""
    of_camera, names = loadmat(file)["rand_perm_cam"], []
    for camera in cameras:
        for identity in test:
            row = of_camera[camera - 1][0][identity - 1][0][trial]
            names += [f"cam{camera}/{identity:04d}/{int(number):04d}.jpg" for number in row[:shots]]
    return names


@pytest.mark.parametrize("options", [{"do_compression": True}, {"do_compression": False}], ids=["packed", "plain"])
@pytest.mark.parametrize("kind", [np.float64, np.uint8, np.int32])
def test_official_galleries_are_those_of_the_matlab_evaluation(root, options, kind):
    file = write_permutations(root, [[m.astype(kind) for m in camera] for camera in permutations_of(root)], **options)
    found = open_dataset("sysu", root)
    for mode, protocol in OFFICIAL.items():
        cameras, shots = ((1, 2) if "indoor" in mode else (1, 2, 4, 5)), (10 if "multi" in mode else 1)
        for trial in range(10):
            query, gallery = query_and_gallery(found.records, protocol, trial, permutations=found.permutations)
            assert sorted(found.records["path"].iloc[gallery]) == sorted(official_names(file, cameras, shots, trial))
            assert np.array_equal(query, select(found.records, "test", INFRARED))


def test_the_file_may_lie_in_the_folder_itself_but_exp_comes_first(root):
    other = permutations_of(root, seed=1)
    write_permutations(root, other, "rand_perm_cam.mat")
    first = open_dataset("sysu", root).permutations
    write_permutations(root, permutations_of(root, seed=2))
    assert first[1, 2][0] == [f"cam2/0001/{number:04d}.jpg" for number in other[1][0][0].astype(int)]
    assert open_dataset("sysu", root).permutations != first


def test_without_the_file_nothing_changes_and_official_galleries_are_refused(root):
    before = open_dataset("sysu", root)
    assert (before.permutations, before.problems) == ({}, ())
    write_permutations(root, permutations_of(root))
    after = open_dataset("sysu", root)
    assert after.records.equals(before.records)
    with pytest.raises(ValueError, match="all-official ir2vis: found no permutations, expected"):
        query_and_gallery(before.records, OFFICIAL["all-official"], 0)
    with pytest.raises(ValueError, match="found split 'val', expected the test split"):
        query_and_gallery(after.records, OFFICIAL["all-official"], 0, "val", after.permutations)


def test_other_data_sets_do_not_read_the_file(tmp_path):
    write(llcm_tree(tmp_path), "exp/rand_perm_cam.mat", b"nonsense")
    assert open_dataset("llcm", tmp_path).problems == ()


def test_a_broken_image_is_passed_over(root):
    write_permutations(root, permutations_of(root))
    found = open_dataset("sysu", root)
    first, second, *_ = found.permutations[1, 2][4]
    without = settle(found, [Problem(first, None, "broken", "restore it", "broken image")], strict=False)
    _, gallery = query_and_gallery(without.records, OFFICIAL["indoor-official"], 4, permutations=without.permutations)
    assert second in set(without.records["path"].iloc[gallery])


def test_every_mismatch_names_its_camera_and_identity(root):
    matrices = permutations_of(root)
    matrices[0][0] = matrices[0][0][:, :11]
    matrices[1][6] = matrices[1][6][:9]
    matrices[4][6][2] = [1, 1, 3]
    matrices[4][0][9, 3] = np.nan
    matrices[3][6] = np.ones((10, 1))
    matrices[2][6] = matrices[5][0] = np.ones((10, 1))  # infrared cameras, which no gallery has
    write_permutations(root, matrices)
    with pytest.raises(DatasetError) as error:
        open_dataset("sysu", root)
    lines = [problem.found for problem in error.value.problems]
    assert sorted(lines) == [
        "camera 1, identity 1: found 10 permutations of 11 images, expected 10 of 12, the number of files in its folder",
        "camera 2, identity 7: found 9 permutations of 3 images, expected 10 of 3, the number of files in its folder",
        "camera 4, identity 7: found 10 permutations of 1 images, expected 10 of 0, the number of files in its folder",
        "camera 5, identity 1: row 10 is not a permutation of 1 … 12",
        "camera 5, identity 7: row 3 is not a permutation of 1 … 3",
    ]
    assert "exp/rand_perm_cam.mat" in str(error.value)
    kept = open_dataset("sysu", root, strict=False)
    assert (len(kept.problems), kept.permutations) == (5, {})


def test_missing_cameras_and_identities_are_named(root):
    matrices = permutations_of(root)
    write_permutations(root, matrices[:5])
    assert [p.found for p in open_dataset("sysu", root, strict=False).problems] == ["found 5 cameras, expected 6"]
    write_permutations(root, [camera[:6] for camera in matrices])
    found = [p.found for p in open_dataset("sysu", root, strict=False).problems]
    assert found[0] == "camera 1: found 6 identities, expected at least 7, the largest test identity"
    assert len(found) == 4


def element(kind, body):
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def array(kind, sizes, contents, name=b""):
    flags = element(6, struct.pack("<II", kind, 0))
    return element(14, flags + element(5, struct.pack(f"<{len(sizes)}i", *sizes)) + element(1, name) + contents)


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
NAME = b"rand_perm_cam"


def saved(root, content):
    savemat(root / "exp/rand_perm_cam.mat", content)
    return (root / "exp/rand_perm_cam.mat").read_bytes()


FALSE_SIZE = array(6, (10, 2**30), element(9, bytes(8)))
OBJECT = array(3, (1, 1), b"")
BAD = {
    "text": (lambda root: b"camera 1", "is not a MATLAB 5 file"),
    "version 7.3": (lambda root: b"MATLAB 7.3 MAT-file".ljust(126) + b"IM", "save it again with the option '-v7'"),
    "nothing": (lambda root: HEADER, "has no variable rand_perm_cam"),
    "another variable": (lambda root: saved(root, {"perm": 1.0}), "has no variable rand_perm_cam"),
    "numbers": (lambda root: saved(root, {"rand_perm_cam": np.ones((6, 533))}), "found an array of MATLAB's class 6"),
    "cells of numbers": (lambda root: saved(root, {"rand_perm_cam": cells([np.ones((6, 533))])}), "MATLAB's class 6"),
    "structure": (lambda root: saved(root, {"rand_perm_cam": {"a": 1}}), "MATLAB's class 2"),
    "words": (lambda root: saved(root, {"rand_perm_cam": cells([cells(["a"])])}), "class 4 .* expected a matrix of numbers"),
    "object": (lambda root: HEADER + array(1, (1, 1), array(1, (1, 1), OBJECT), NAME), "MATLAB's class 3"),
    "false number of cells": (lambda root: HEADER + array(1, (1, 2**31 - 1), b"", NAME), "found 0 of 2147483647 cells"),
    "false size": (lambda root: HEADER + array(1, (1, 1), array(1, (1, 1), FALSE_SIZE), NAME), "damaged"),
    "cut off": (lambda root: HEADER + array(1, (6, 1), b"", NAME)[:-8], "is cut off"),
    "false length": (lambda root: HEADER + struct.pack("<II", 14, 2**31), "is cut off"),
    "not packed": (lambda root: HEADER + element(15, b"not zlib"), "damaged"),
    "bomb": (lambda root: HEADER + element(15, zlib.compress(struct.pack("<II", 14, 2**25) + bytes(2**25))), "is cut off"),
    "large": (lambda root: bytes(permutations.LARGEST + 1), "expected at most"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_unusable_file_is_one_problem_and_leaves_the_rest_usable(root, case):
    make, message = BAD[case]
    write(root, "exp/rand_perm_cam.mat", make(root))
    found = open_dataset("sysu", root, strict=False)
    (problem,) = found.problems
    with pytest.raises(DatasetError, match=message):
        open_dataset("sysu", root)
    assert (problem.path, found.permutations, len(found.records) > 0) == ("exp/rand_perm_cam.mat", {}, True)


def test_cells_that_matlab_left_empty_are_identities_without_images(root):
    matrices = permutations_of(root)
    people = [[m.astype("<f8") for m in camera] for camera in matrices]
    packed = [
        array(1, (len(camera), 1), b"".join(
            array(6, m.shape, element(9, m.tobytes(order="F"))) if m.size else element(14, b"") for m in camera
        ))
        for camera in people
    ]  # fmt: skip
    write(root, "exp/rand_perm_cam.mat", HEADER + array(1, (6, 1), b"".join(packed), NAME))
    found = open_dataset("sysu", root)
    assert found.problems == ()
    assert (7, 4) not in found.permutations
    assert found.permutations[7, 5][0] == [f"cam5/0007/{int(number):04d}.jpg" for number in matrices[4][6][0]]


def test_numbers_are_read_as_scipy_reads_them(root):
    file = write_permutations(root, [[m.astype(">u2") for m in camera] for camera in permutations_of(root)])
    ours = permutations._cells(file.read_bytes())
    theirs = loadmat(file)["rand_perm_cam"]
    for camera in range(6):
        for identity in range(len(ours[camera])):
            assert np.array_equal(ours[camera][identity], theirs[camera][0][identity][0])


def test_only_sysu_has_official_galleries():
    assert [name for name, spec in DATASETS.items() if any(each.official for each in spec.further)] == ["sysu"]
